package generate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// volumes checks what volumes come from. One that names nothing would be written as
// no source at all, which is an emptyDir.
func (v *validator) volumes(list []corev1.Volume) {
	for i := range list {
		at := fmt.Sprintf("spec.workload.volumes[%d]", i)
		v.oneSource(at, list[i].VolumeSource)
		v.volumeSource(at+".", &list[i].VolumeSource)
	}
}

func (v *validator) volumeSource(at string, s *corev1.VolumeSource) {
	if s.ConfigMap != nil {
		v.named(at+"configMap.name", s.ConfigMap.Name, "name the ConfigMap")
		v.keys(at+"configMap", s.ConfigMap.Items, s.ConfigMap.DefaultMode)
	}
	if s.Secret != nil {
		v.named(at+"secret.secretName", s.Secret.SecretName, "name the Secret")
		v.keys(at+"secret", s.Secret.Items, s.Secret.DefaultMode)
	}
	if s.EmptyDir != nil && s.EmptyDir.SizeLimit != nil && s.EmptyDir.SizeLimit.Sign() < 0 {
		v.add(at+"emptyDir.sizeLimit", s.EmptyDir.SizeLimit.String(), "is negative", "0 or more")
	}
	if s.PersistentVolumeClaim != nil {
		v.named(at+"persistentVolumeClaim.claimName", s.PersistentVolumeClaim.ClaimName, "name the claim")
	}
	if s.HostPath != nil {
		v.named(at+"hostPath.path", s.HostPath.Path, "such as /var/log")
		if t := s.HostPath.Type; t != nil {
			oneOf(v, at+"hostPath.type", *t, corev1.HostPathDirectoryOrCreate, corev1.HostPathDirectory, corev1.HostPathFileOrCreate,
				corev1.HostPathFile, corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev)
		}
	}
	if s.NFS != nil {
		v.named(at+"nfs.server", s.NFS.Server, "such as nfs.example.com")
		v.named(at+"nfs.path", s.NFS.Path, "such as /exports/app")
	}
	if s.CSI != nil {
		v.named(at+"csi.driver", s.CSI.Driver, "name the driver")
	}
	if s.Image != nil {
		v.named(at+"image.reference", s.Image.Reference, "such as example.com/files:1")
	}
	if s.Ephemeral != nil && s.Ephemeral.VolumeClaimTemplate == nil {
		v.add(at+"ephemeral.volumeClaimTemplate", "", "is missing", "say what is claimed, or use emptyDir: {}")
	}
	if s.Projected != nil {
		v.mode(at+"projected.defaultMode", s.Projected.DefaultMode)
		for i, source := range s.Projected.Sources {
			v.projection(fmt.Sprintf("%sprojected.sources[%d]", at, i), source)
		}
	}
}

func (v *validator) projection(at string, s corev1.VolumeProjection) {
	v.oneSource(at, s)
	if s.ConfigMap != nil {
		v.named(at+".configMap.name", s.ConfigMap.Name, "name the ConfigMap")
		v.keys(at+".configMap", s.ConfigMap.Items, nil)
	}
	if s.Secret != nil {
		v.named(at+".secret.name", s.Secret.Name, "name the Secret")
		v.keys(at+".secret", s.Secret.Items, nil)
	}
	if s.ServiceAccountToken != nil {
		v.named(at+".serviceAccountToken.path", s.ServiceAccountToken.Path, "such as token")
	}
}

// named demands a value.
func (v *validator) named(field, value, next string) {
	if value == "" {
		v.add(field, "", "is missing", next)
	}
}

// oneSource demands that a volume is of one kind, of which there are many.
func (v *validator) oneSource(field string, source any) {
	var there map[string]any
	if data, err := json.Marshal(source); err != nil || json.Unmarshal(data, &there) != nil || len(there) < 2 {
		return
	}
	v.add(field, "", "is of more than one kind: "+strings.Join(slices.Sorted(maps.Keys(there)), ", "), "make a volume of each")
}

// keys checks which keys of a ConfigMap or Secret become which files.
func (v *validator) keys(field string, items []corev1.KeyToPath, mode *int32) {
	v.mode(field+".defaultMode", mode)
	for i, k := range items {
		at := fmt.Sprintf("%s.items[%d].", field, i)
		v.named(at+"key", k.Key, "name a key of the object")
		v.named(at+"path", k.Path, "name the file that it becomes")
		v.below(at+"path", k.Path)
		v.mode(at+"mode", k.Mode)
	}
}

func (v *validator) mode(field string, mode *int32) {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		v.add(field, strconv.Itoa(int(*mode)), "is out of range", "0 to 0777 with a 0 before it, such as 0440")
	}
}
