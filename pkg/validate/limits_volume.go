package validate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// volumes checks the volumes of a Pod.
func (r *ruling) volumes(o *object, volumes []corev1.Volume, at path) {
	names := map[string]bool{}
	for i, v := range volumes {
		here := at.with(i)
		r.bad(o, here.with("name"), v.Name, "volume's name", validation.IsDNS1123Label(v.Name))
		if names[v.Name] {
			r.wrong(o, here.with("name"), show(v.Name)+" is the name of another volume too", "give each a name of its own")
		}
		names[v.Name] = true
		r.oneSource(o, here, v.VolumeSource)
		switch {
		case v.ConfigMap != nil:
			r.needed(o, here.with("configMap").with("name"), v.ConfigMap.Name)
			r.keys(o, here.with("configMap").with("items"), v.ConfigMap.Items)
			r.mode(o, here.with("configMap").with("defaultMode"), v.ConfigMap.DefaultMode)
		case v.Secret != nil:
			r.needed(o, here.with("secret").with("secretName"), v.Secret.SecretName)
			r.keys(o, here.with("secret").with("items"), v.Secret.Items)
			r.mode(o, here.with("secret").with("defaultMode"), v.Secret.DefaultMode)
		case v.PersistentVolumeClaim != nil:
			r.needed(o, here.with("persistentVolumeClaim").with("claimName"), v.PersistentVolumeClaim.ClaimName)
		case v.HostPath != nil:
			r.needed(o, here.with("hostPath").with("path"), v.HostPath.Path)
		case v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil && v.EmptyDir.SizeLimit.Sign() < 0:
			r.wrong(o, here.with("emptyDir").with("sizeLimit"), v.EmptyDir.SizeLimit.String()+" is negative", "0 or more")
		case v.Projected != nil:
			r.projected(o, here.with("projected"), v.Projected)
		case v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate == nil:
			r.wrong(o, here.with("ephemeral").with("volumeClaimTemplate"), "is missing", "say what is claimed, or use emptyDir: {}")
		case v.Ephemeral != nil:
			r.claim(o, here.with("ephemeral").with("volumeClaimTemplate").with("spec"), &v.Ephemeral.VolumeClaimTemplate.Spec)
		}
	}
}

// oneSource demands that a volume is of one kind, of which there are many: none is an
// emptyDir.
func (r *ruling) oneSource(o *object, at path, source any) {
	var there map[string]any
	if data, err := json.Marshal(source); err != nil || json.Unmarshal(data, &there) != nil || len(there) < 2 {
		return
	}
	sources := map[string]bool{}
	for name := range there {
		sources[name] = true
	}
	r.oneOf(o, at, sources)
}

func (r *ruling) projected(o *object, at path, p *corev1.ProjectedVolumeSource) {
	r.mode(o, at.with("defaultMode"), p.DefaultMode)
	for i, s := range p.Sources {
		here := at.with("sources").with(i)
		r.oneSource(o, here, s)
		if s.ConfigMap != nil {
			r.needed(o, here.with("configMap").with("name"), s.ConfigMap.Name)
			r.keys(o, here.with("configMap").with("items"), s.ConfigMap.Items)
		}
		if s.Secret != nil {
			r.needed(o, here.with("secret").with("name"), s.Secret.Name)
			r.keys(o, here.with("secret").with("items"), s.Secret.Items)
		}
	}
}

// keys checks which keys of a ConfigMap or Secret become which files.
func (r *ruling) keys(o *object, at path, items []corev1.KeyToPath) {
	for i, k := range items {
		r.needed(o, at.with(i).with("key"), k.Key)
		r.needed(o, at.with(i).with("path"), k.Path)
		r.below(o, at.with(i).with("path"), k.Path)
		r.mode(o, at.with(i).with("mode"), k.Mode)
	}
}

// mode checks the permissions of files, which YAML reads as octal after a 0.
func (r *ruling) mode(o *object, at path, mode *int32) {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		r.wrong(o, at, fmt.Sprintf("%d is out of range", *mode), "0 to 0777 with a 0 before it, such as 0440")
	}
}

// below demands a path within a volume.
func (r *ruling) below(o *object, at path, p string) {
	if strings.HasPrefix(p, "/") || slices.Contains(strings.Split(p, "/"), "..") {
		r.wrong(o, at, show(p)+" leads out of the volume", "write it relative to the volume, without ..")
	}
}
