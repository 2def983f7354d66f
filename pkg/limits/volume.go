package limits

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// VolumeSource is validateVolumeSource, for the sources that people write. A volume of
// none is an emptyDir.
func VolumeSource(report Report, s *corev1.VolumeSource) {
	oneSource(report, s)
	if c := s.ConfigMap; c != nil {
		at := report.At("configMap")
		needed(at.At("name"), c.Name, "name the ConfigMap")
		keys(at, c.Items, c.DefaultMode)
	}
	if c := s.Secret; c != nil {
		at := report.At("secret")
		needed(at.At("secretName"), c.SecretName, "name the Secret")
		keys(at, c.Items, c.DefaultMode)
	}
	if e := s.EmptyDir; e != nil && e.SizeLimit != nil && e.SizeLimit.Sign() < 0 {
		report.At("emptyDir", "sizeLimit").wrong(e.SizeLimit, "is negative", "0 or more")
	}
	if c := s.PersistentVolumeClaim; c != nil {
		needed(report.At("persistentVolumeClaim", "claimName"), c.ClaimName, "name the claim")
	}
	if h := s.HostPath; h != nil {
		needed(report.At("hostPath", "path"), h.Path, "such as /var/log")
		if backsteps(h.Path) {
			report.At("hostPath", "path").wrong(h.Path, "has .. in it", "write the path that it leads to")
		}
		if h.Type != nil {
			OneOf(report.At("hostPath", "type"), *h.Type, corev1.HostPathDirectoryOrCreate, corev1.HostPathDirectory, corev1.HostPathFileOrCreate,
				corev1.HostPathFile, corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev)
		}
	}
	if n := s.NFS; n != nil {
		needed(report.At("nfs", "server"), n.Server, "such as nfs.example.com")
		needed(report.At("nfs", "path"), n.Path, "such as /exports/app")
	}
	if s.CSI != nil {
		needed(report.At("csi", "driver"), s.CSI.Driver, "name the driver")
	}
	if s.Image != nil {
		needed(report.At("image", "reference"), s.Image.Reference, "such as example.com/files:1")
	}
	if e := s.Ephemeral; e != nil && e.VolumeClaimTemplate == nil {
		report.At("ephemeral", "volumeClaimTemplate").wrong(nil, "is missing", "say what is claimed, or use emptyDir: {}")
	} else if e != nil {
		Claim(report.At("ephemeral", "volumeClaimTemplate", "spec"), &e.VolumeClaimTemplate.Spec)
	}
	if s.Projected != nil {
		mode(report.At("projected", "defaultMode"), s.Projected.DefaultMode)
		for i, source := range s.Projected.Sources {
			projection(report.At("projected", "sources", i), source)
		}
	}
}

// projection is validateProjectionSources.
func projection(report Report, s corev1.VolumeProjection) {
	oneSource(report, s)
	if c := s.ConfigMap; c != nil {
		needed(report.At("configMap", "name"), c.Name, "name the ConfigMap")
		keys(report.At("configMap"), c.Items, nil)
	}
	if c := s.Secret; c != nil {
		needed(report.At("secret", "name"), c.Name, "name the Secret")
		keys(report.At("secret"), c.Items, nil)
	}
	if s.ServiceAccountToken != nil {
		needed(report.At("serviceAccountToken", "path"), s.ServiceAccountToken.Path, "such as token")
	}
}

// oneSource demands that a volume is of one kind, of which there are many.
func oneSource(report Report, source any) {
	var there map[string]any
	if data, err := json.Marshal(source); err != nil || json.Unmarshal(data, &there) != nil || len(there) < 2 {
		return
	}
	report.wrong(nil, "is of more than one kind: "+strings.Join(slices.Sorted(maps.Keys(there)), ", "), "make a volume of each")
}

// keys checks which keys of a ConfigMap or Secret become which files (validateKeyToPath).
func keys(report Report, items []corev1.KeyToPath, defaultMode *int32) {
	mode(report.At("defaultMode"), defaultMode)
	for i, k := range items {
		at := report.At("items", i)
		needed(at.At("key"), k.Key, "name a key of the object")
		needed(at.At("path"), k.Path, "name the file that it becomes")
		below(at.At("path"), k.Path)
		mode(at.At("mode"), k.Mode)
	}
}

// mode checks the permissions of files, which YAML reads as octal after a 0.
func mode(report Report, mode *int32) {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		report.wrong(*mode, "is out of range", "0 to 0777 with a 0 before it, such as 0440")
	}
}

// below demands a path within the volume (validateLocalDescendingPath).
func below(report Report, path string) {
	if strings.HasPrefix(path, "/") || backsteps(path) {
		report.wrong(path, "leads out of the volume", "write it relative to the volume, without .., such as conf/redis.conf")
	}
}

// backsteps is validatePathNoBacksteps.
func backsteps(path string) bool { return slices.Contains(strings.Split(path, "/"), "..") }

// SubPath checks what of a volume is mounted (ValidateVolumeMounts).
func SubPath(report Report, m corev1.VolumeMount) {
	below(report.At("subPath"), m.SubPath)
	below(report.At("subPathExpr"), m.SubPathExpr)
	if m.SubPath != "" && m.SubPathExpr != "" {
		report.At("subPathExpr").wrong(m.SubPathExpr, "is given, and subPath too", "remove one")
	}
}

// Claim is ValidatePersistentVolumeClaimSpec.
func Claim(report Report, c *corev1.PersistentVolumeClaimSpec) {
	if len(c.AccessModes) == 0 {
		report.At("accessModes").wrong(nil, "is missing", "such as [ReadWriteOnce]")
	}
	AccessModes(report.At("accessModes"), c.AccessModes)
	at := report.At("resources", "requests", string(corev1.ResourceStorage))
	if storage, ok := c.Resources.Requests[corev1.ResourceStorage]; !ok {
		at.wrong(nil, "is missing", "such as 10Gi")
	} else if storage.Sign() <= 0 {
		at.wrong(&storage, "is not an amount of storage", "such as 10Gi")
	}
	Selector(report.At("selector"), c.Selector)
	if class := c.StorageClassName; class != nil && *class != "" {
		ObjectName(report.At("storageClassName"), *class)
	}
}

// AccessModes demands ways to mount a volume.
func AccessModes(report Report, list []corev1.PersistentVolumeAccessMode) {
	for i, m := range list {
		OneOf(report.At(i), m, corev1.ReadWriteOnce, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOncePod)
		if m == corev1.ReadWriteOncePod && slices.ContainsFunc(list, func(other corev1.PersistentVolumeAccessMode) bool { return other != m }) {
			report.At(i).wrong(string(m), "is refused beside another mode", "remove the others, or this one")
		}
	}
}
