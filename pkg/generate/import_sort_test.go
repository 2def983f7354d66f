package generate

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func serviceObject(name string, spec map[string]any) *unstructured.Unstructured {
	u := namedObject("v1", "Service", name, "shop")
	if spec["ports"] == nil {
		spec["ports"] = []any{map[string]any{"port": int64(6379)}}
	}
	u.Object["spec"] = spec
	return u
}

// Of several Services the tree is about the one that clients of the workload use,
// whatever stands first in a chart or a dump.
func TestImportTakesTheServiceOfClients(t *testing.T) {
	pods := map[string]any{"app": "redis"}
	workload := readObjects(t, live)[0]
	for name, test := range map[string]struct {
		services []*unstructured.Unstructured
		want     string
	}{
		"a headless one first": {[]*unstructured.Unstructured{
			serviceObject("redis-headless", map[string]any{"clusterIP": "None", "selector": pods}),
			serviceObject("redis-master", map[string]any{"selector": pods}),
		}, "redis-master"},
		"metrics first": {[]*unstructured.Unstructured{
			serviceObject("a-metrics", map[string]any{"selector": pods}),
			serviceObject("redis", map[string]any{"selector": pods}),
		}, "redis"},
		"somebody else's is exposed": {[]*unstructured.Unstructured{
			serviceObject("proxy", map[string]any{"type": "LoadBalancer", "selector": map[string]any{"app": "proxy"}}),
			serviceObject("mine", map[string]any{"type": "ClusterIP", "selector": pods}),
		}, "mine"},
		"exposed the furthest": {[]*unstructured.Unstructured{
			serviceObject("redis", map[string]any{"selector": pods}),
			serviceObject("redis-lb", map[string]any{"type": "NodePort", "selector": pods}),
		}, "redis-lb"},
		"only headless": {[]*unstructured.Unstructured{
			serviceObject("redis-headless", map[string]any{"clusterIP": "None", "selector": pods}),
		}, "redis-headless"},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := Import(append(test.services, workload), kustomizeBuild)
			if err != nil {
				t.Fatal(err)
			}
			if got := i.App.Spec.Service.Name; got != test.want {
				t.Errorf("the tree is about Service/%s, want %s", got, test.want)
			}
			if notes := strings.Join(i.Notes, "\n"); strings.Contains(notes, "does not lead") {
				t.Errorf("notes are %q", notes)
			}
		})
	}
}

// What a dump of a namespace has besides, the cluster makes again.
func TestImportLeavesOutWhatTheClusterMakes(t *testing.T) {
	owned := func(u *unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
		u.Object["metadata"].(map[string]any)["ownerReferences"] = []any{
			map[string]any{"apiVersion": "v1", "kind": kind, "name": name, "uid": "1", "controller": true},
		}
		return u
	}
	kubernetes := serviceObject("kubernetes", map[string]any{})
	kubernetes.SetLabels(map[string]string{"component": "apiserver", "provider": "kubernetes"})
	release := namedObject("v1", "Secret", "sh.helm.release.v1.redis.v1", "shop")
	release.Object["type"] = "helm.sh/release.v1"
	dump := append([]*unstructured.Unstructured{
		kubernetes, release,
		owned(namedObject("v1", "Pod", "redis-1-a", "shop"), "ReplicaSet", "redis-1"),
		owned(namedObject("apps/v1", "ReplicaSet", "redis-1", "shop"), "Deployment", "redis"),
		owned(namedObject("batch/v1", "Job", "chore-1", "shop"), "CronJob", "chore"),
		owned(namedObject("discovery.k8s.io/v1", "EndpointSlice", "redis-svc-x", "shop"), "Service", "redis-svc"),
		namedObject("v1", "Endpoints", "redis-svc", "shop"),
		namedObject("v1", "Event", "redis.1", "shop"),
		namedObject("v1", "ConfigMap", "kube-root-ca.crt", "shop"),
	}, readObjects(t, live)...)
	i, err := Import(dump, kustomizeBuild)
	if err != nil {
		t.Fatal(err)
	}
	const note = "left out: Service/kubernetes, Secret/sh.helm.release.v1.redis.v1, Pod/redis-1-a, ReplicaSet/redis-1, Job/chore-1, EndpointSlice/redis-svc-x, Endpoints/redis-svc, Event/redis.1, ConfigMap/kube-root-ca.crt (made by the cluster itself, or by Helm for itself)"
	if !slices.Contains(i.Notes, note) {
		t.Errorf("notes are %q", i.Notes)
	}
	alone, err := Import(readObjects(t, live), kustomizeBuild)
	if err != nil {
		t.Fatal(err)
	}
	if len(i.files) != len(alone.files) || i.App.Spec.Service.Name != "redis-svc" {
		t.Errorf("%d files about Service/%s, want %d about redis-svc", len(i.files), i.App.Spec.Service.Name, len(alone.files))
	}
}

func TestImportTellsOfAServiceThatLeadsElsewhere(t *testing.T) {
	for name, test := range map[string]struct {
		selector map[string]any
		want     string
	}{
		"another's":   {map[string]any{"app": "web"}, "Service/redis-svc selects app=web, and so does not lead to Deployment/redis, whose Pods have app=redis; import the Service that does, or mend base/service.yaml"},
		"no selector": {nil, "Service/redis-svc has no selector, and so does not lead to Deployment/redis, whose Pods have app=redis; import the Service that does, or mend base/service.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := map[string]any{}
			if test.selector != nil {
				spec["selector"] = test.selector
			}
			objs := []*unstructured.Unstructured{readObjects(t, live)[0], serviceObject("redis-svc", spec)}
			i, err := Import(objs, kustomizeBuild)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(i.Notes, test.want) {
				t.Errorf("notes are %q", i.Notes)
			}
		})
	}
	_, err := Import([]*unstructured.Unstructured{serviceObject("ext", map[string]any{})}, kustomizeBuild)
	if err == nil || !strings.Contains(err.Error(), "service/ext has no selector") {
		t.Errorf("error %v", err)
	}
}
