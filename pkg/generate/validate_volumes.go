package generate

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// volumeSources demands what a volume comes from: one that names nothing would be
// written as no source at all, which is an emptyDir.
func (v *validator) volumeSources(volumes []corev1.Volume) {
	for i := range volumes {
		at := fmt.Sprintf("spec.workload.volumes[%d].", i)
		s := &volumes[i].VolumeSource
		if s.ConfigMap != nil {
			v.named(at+"configMap.name", s.ConfigMap.Name, "name the ConfigMap")
		}
		if s.Secret != nil {
			v.named(at+"secret.secretName", s.Secret.SecretName, "name the Secret")
		}
		if s.PersistentVolumeClaim != nil {
			v.named(at+"persistentVolumeClaim.claimName", s.PersistentVolumeClaim.ClaimName, "name the claim")
		}
		if s.HostPath != nil {
			v.named(at+"hostPath.path", s.HostPath.Path, "such as /var/log")
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
		if s.Projected == nil {
			continue
		}
		for j, source := range s.Projected.Sources {
			at := fmt.Sprintf("%sprojected.sources[%d].", at, j)
			if source.ConfigMap != nil {
				v.named(at+"configMap.name", source.ConfigMap.Name, "name the ConfigMap")
			}
			if source.Secret != nil {
				v.named(at+"secret.name", source.Secret.Name, "name the Secret")
			}
			if source.ServiceAccountToken != nil {
				v.named(at+"serviceAccountToken.path", source.ServiceAccountToken.Path, "such as token")
			}
		}
	}
}

// named demands a value.
func (v *validator) named(field, value, next string) {
	if value == "" {
		v.add(field, "", "is missing", next)
	}
}
