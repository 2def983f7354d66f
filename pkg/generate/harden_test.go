package generate

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// What a new App of a known image is given can be seen and taken back in svcx.yaml; what
// it says stays, and of an unknown image nothing is stated.
func TestHarden(t *testing.T) {
	half := intstr.FromString("50%")
	shop := []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.0/24"}}}
	said := &App{Spec: Spec{
		Workload:            &Workload{Image: "redis", ImagePullPolicy: corev1.PullNever},
		PodDisruptionBudget: &PodDisruptionBudget{MinAvailable: &half},
		NetworkPolicy:       &NetworkPolicy{From: shop},
	}}
	for name, app := range map[string]*App{
		"said":    said,
		"unknown": {Spec: Spec{Workload: &Workload{Image: "example/redis"}}},
		"no Pods": {Spec: Spec{Service: Service{ExternalName: "db.example.com"}}},
	} {
		before, err := encode(app)
		if err != nil {
			t.Fatal(err)
		}
		app.Harden()
		after, err := encode(app)
		if err != nil {
			t.Fatal(err)
		}
		if string(before) != string(after) {
			t.Errorf("%s: was\n%s\nand is\n%s", name, before, after)
		}
	}

	app := &App{Metadata: Metadata{Name: "cache"}, Spec: Spec{Workload: &Workload{Image: "registry.example.com/library/redis:8"}}}
	app.Harden()
	app.Complete()
	if err := app.Validate(); err != nil {
		t.Error(err)
	}
	if w := app.Warnings(); len(w) > 0 {
		t.Errorf("warns of what was stated for the user: %v", w)
	}
	body, err := encode(app)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"imagePullPolicy: Always", "maxUnavailable: 1", "from: []"} {
		if !strings.Contains(string(body), line) {
			t.Errorf("%q is not in\n%s", line, body)
		}
	}
	for _, set := range []string{"workload.imagePullPolicy=", "podDisruptionBudget=", "networkPolicy="} {
		if err := app.Set(set); err != nil {
			t.Errorf("--set=%s: %v", set, err)
		}
	}
	if app.Spec.Workload.ImagePullPolicy != "" || app.Spec.PodDisruptionBudget != nil || app.Spec.NetworkPolicy != nil {
		t.Errorf("not all could be taken back: %+v", app.Spec)
	}
}

// Of what was set nothing else is stated, and what it leaves open is.
func TestHardenBesideSet(t *testing.T) {
	const all = "imagePullPolicy: Always maxUnavailable: 1 from: []"
	for set, want := range map[string]string{
		"workload.env[0]={name: A, value: b}":                        all,
		"workload.imagePullPolicy=":                                  "maxUnavailable: 1 from: []",
		"workload={image: redis}":                                    "maxUnavailable: 1 from: []",
		"podDisruptionBudget=":                                       "imagePullPolicy: Always from: []",
		"podDisruptionBudget.minAvailable=1":                         "imagePullPolicy: Always minAvailable: 1 from: []",
		"podDisruptionBudget.unhealthyPodEvictionPolicy=AlwaysAllow": all,
		"spec.networkPolicy=":                                        "imagePullPolicy: Always maxUnavailable: 1",
		"networkPolicy.from[0].ipBlock.cidr=192.0.2.0/24":            "imagePullPolicy: Always maxUnavailable: 1 cidr: 192.0.2.0/24",
	} {
		app := &App{Metadata: Metadata{Name: "cache"}, Spec: Spec{Workload: &Workload{Image: "redis"}}}
		if err := app.Set(set); err != nil {
			t.Errorf("--set=%s: %v", set, err)
			continue
		}
		field, _, _ := strings.Cut(set, "=")
		app.Harden(field)
		app.Complete()
		if err := app.Validate(); err != nil {
			t.Errorf("--set=%s: %v", set, err)
		}
		body, err := encode(app)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range strings.Split(string(body), "\n") {
			line = strings.TrimSpace(line)
			for _, field := range []string{"imagePullPolicy", "minAvailable", "maxUnavailable", "from: [", "cidr"} {
				if strings.HasPrefix(line, field) {
					got = append(got, line)
				}
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("--set=%s: says %q, want %q", set, got, want)
		}
	}
}

// A Pod may use of its node's disk what its volumes may hold and its logs, unless one of
// them, or the container's own files, has no bound.
func TestScratch(t *testing.T) {
	disk := func(change func(*Workload)) (string, bool) {
		w := &Workload{Image: "redis"}
		change(w)
		app := &App{Metadata: Metadata{Name: "redis"}, Spec: Spec{Workload: w}}
		app.Complete()
		r := app.deployment().Spec.Template.Spec.Containers[0].Resources
		limit, is := r.Limits[corev1.ResourceEphemeralStorage]
		if request, asked := r.Requests[corev1.ResourceEphemeralStorage]; is && (!asked || !request.IsZero()) {
			t.Errorf("a Pod that requests %s of the disk finds no node without such a count", request.String())
		}
		return limit.String(), is
	}
	memory := func(w *Workload) {
		w.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}}}
	}
	for _, test := range []struct {
		name   string
		change func(*Workload)
		want   string
	}{
		{"its data", func(*Workload) {}, "1280Mi"},
		{"in memory", memory, "256Mi"},
		{"in a claim", func(w *Workload) {
			w.Kind = StatefulSet
			w.VolumeClaimTemplates = []VolumeClaim{{Name: "data", MountPath: "/data", Storage: "10Gi"}}
		}, "256Mi"},
		{"without a bound", func(w *Workload) {
			memory(w)
			w.Volumes[0].EmptyDir.Medium = ""
		}, ""},
		{"without a bound to a kubelet", func(w *Workload) {
			memory(w)
			zero := resource.MustParse("0")
			w.Volumes[0].EmptyDir = &corev1.EmptyDirVolumeSource{SizeLimit: &zero}
		}, ""},
		{"files of its own", func(w *Workload) {
			no := false
			w.SecurityContext = &corev1.SecurityContext{ReadOnlyRootFilesystem: &no}
		}, ""},
		{"said", func(w *Workload) { w.Resources = &corev1.ResourceRequirements{} }, ""},
	} {
		got, is := disk(test.change)
		if is != (test.want != "") || is && got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// With one Pod only a budget that lets it never go is worth a word.
func TestBlocks(t *testing.T) {
	for budget, want := range map[string]bool{
		"maxUnavailable=0": true, "maxUnavailable=0%": true, "minAvailable=1": true, "minAvailable=1%": true,
		"maxUnavailable=1": false, "maxUnavailable=1%": false, "minAvailable=0": false, "minAvailable=0%": false,
	} {
		app := redisApp()
		app.Spec.Workload.Replicas = nil
		if err := app.Set("podDisruptionBudget." + budget); err != nil {
			t.Fatal(err)
		}
		app.Complete()
		warned := slices.ContainsFunc(app.Warnings(), func(p Problem) bool { return p.Field == "spec.podDisruptionBudget" })
		if warned != want {
			t.Errorf("%s: warned %v, want %v", budget, warned, want)
		}
	}
}
