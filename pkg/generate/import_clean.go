package generate

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// serverAnnotations are written by clients and controllers for themselves.
var serverAnnotations = []string{
	"kubectl.kubernetes.io/last-applied-configuration",
	"kubectl.kubernetes.io/restartedAt",
	"deployment.kubernetes.io/revision",
	"deployment.kubernetes.io/desired-replicas",
	"deployment.kubernetes.io/max-replicas",
	"deprecated.daemonset.template.generation",
	"meta.helm.sh/release-name",
	"meta.helm.sh/release-namespace",
	"endpoints.kubernetes.io/last-change-trigger-time",
}

// apiDefault is what the API server writes where a field is left out (see
// pkg/apis/{core,apps}/*/defaults.go of Kubernetes). In the path, * is every item.
// Defaults within what server-side apply takes as one value (fieldRef, the sources
// of a projected volume, volumeClaimTemplates) stay: without them the value is
// another one, and conflicts with whoever owns it.
type apiDefault struct {
	path  string
	value any
}

var podDefaults = []apiDefault{
	{"dnsPolicy", "ClusterFirst"},
	{"restartPolicy", "Always"},
	{"schedulerName", "default-scheduler"},
	{"terminationGracePeriodSeconds", 30},
	{"enableServiceLinks", true},
	{"securityContext", map[string]any{}},
	{"volumes.*.configMap.defaultMode", 420},
	{"volumes.*.secret.defaultMode", 420},
	{"volumes.*.projected.defaultMode", 420},
	{"volumes.*.downwardAPI.defaultMode", 420},
	{"volumes.*.hostPath.type", ""},
}

var containerDefaults = []apiDefault{
	{"terminationMessagePath", "/dev/termination-log"},
	{"terminationMessagePolicy", "File"},
	{"resources", map[string]any{}},
	{"securityContext", map[string]any{}},
}

var probeDefaults = []apiDefault{
	{"failureThreshold", 3}, {"periodSeconds", 10}, {"successThreshold", 1}, {"timeoutSeconds", 1},
	{"httpGet.scheme", "HTTP"}, {"grpc.service", ""},
}

var deploymentDefaults = []apiDefault{
	{"spec.progressDeadlineSeconds", 600},
	{"spec.revisionHistoryLimit", 10},
	{"spec.strategy.rollingUpdate", map[string]any{"maxSurge": "25%", "maxUnavailable": "25%"}},
	{"spec.strategy", map[string]any{"type": "RollingUpdate"}},
	{"spec.strategy", map[string]any{}},
}

var statefulSetDefaults = []apiDefault{
	{"spec.podManagementPolicy", "OrderedReady"},
	{"spec.revisionHistoryLimit", 10},
	{"spec.updateStrategy.rollingUpdate.partition", 0},
	{"spec.updateStrategy.rollingUpdate.maxUnavailable", 1},
	{"spec.updateStrategy.rollingUpdate", map[string]any{}},
	{"spec.updateStrategy", map[string]any{"type": "RollingUpdate"}},
	{"spec.updateStrategy", map[string]any{}},
	{"spec.persistentVolumeClaimRetentionPolicy", map[string]any{"whenDeleted": "Retain", "whenScaled": "Retain"}},
}

var serviceDefaults = []apiDefault{
	{"spec.sessionAffinity", "None"},
	{"spec.sessionAffinityConfig", map[string]any{"clientIP": map[string]any{"timeoutSeconds": 10800}}},
	{"spec.internalTrafficPolicy", "Cluster"},
	{"spec.externalTrafficPolicy", "Cluster"},
	{"spec.allocateLoadBalancerNodePorts", true},
	{"spec.publishNotReadyAddresses", false},
	{"spec.ports", []any{}},
}

// clean takes out of an object what a server, a controller or a client wrote for
// itself: status, identity, defaults, allocated addresses and ports. The object
// given stays as it is.
func clean(u *unstructured.Unstructured) map[string]any {
	return cleaned(u, marked(u))
}

// marked tells that Helm's marks on an object are for itself. What was applied
// client-side is taken over whole, and what is left out of it then goes: there, they
// are the manifest's own.
func marked(u *unstructured.Unstructured) bool { return lastApplied(u) == nil }

// cleaned is clean, with Helm's marks taken out or left in.
func cleaned(u *unstructured.Unstructured, helm bool) map[string]any {
	live := isLive(u)
	pinned := pinnedNodePorts(u)
	o := u.DeepCopy().Object
	delete(o, "status")
	meta, _ := o["metadata"].(map[string]any)
	for k := range meta {
		if !slices.Contains([]string{"name", "namespace", "labels", "annotations"}, k) {
			delete(meta, k)
		}
	}
	cleanMarks(meta, true, helm)
	switch u.GetKind() {
	case "Service":
		cleanService(o, live, pinned)
	case "Deployment":
		drop(o, deploymentDefaults)
	case "StatefulSet":
		drop(o, statefulSetDefaults)
	}
	if template, ok := nested(o, "spec", "template"); ok {
		if meta, ok := template["metadata"].(map[string]any); ok {
			delete(meta, "creationTimestamp")
			cleanMarks(meta, false, helm)
		}
		if spec, ok := template["spec"].(map[string]any); ok {
			cleanPod(spec)
		}
	}
	for _, m := range u.GetManagedFields() {
		// Somebody scales it through the scale subresource, as autoscalers do.
		if m.Subresource == "scale" && strings.Contains(string(rawFields(m.FieldsV1)), "f:replicas") {
			leaveReplicas(u, o)
		}
	}
	return withoutNulls(o).(map[string]any)
}

// isLive tells that an object comes from a cluster.
func isLive(u *unstructured.Unstructured) bool {
	return u.GetUID() != "" || u.GetResourceVersion() != ""
}

// leaveReplicas leaves the number of Pods to whoever scales them; not where it was
// applied client-side, as there what is no longer applied goes back to its default.
func leaveReplicas(u *unstructured.Unstructured, o map[string]any) {
	if spec, ok := nested(lastApplied(u), "spec"); ok && spec["replicas"] != nil {
		return
	}
	if spec, ok := nested(o, "spec"); ok {
		delete(spec, "replicas")
	}
}

// cleanMarks takes out the annotations of clients, and of an object the labels
// by which another tool marks it as its own.
func cleanMarks(meta map[string]any, object, helm bool) {
	if annotations, ok := meta["annotations"].(map[string]any); ok {
		for _, a := range serverAnnotations {
			if helm || !strings.HasPrefix(a, "meta.helm.sh/") {
				delete(annotations, a)
			}
		}
		if len(annotations) == 0 {
			delete(meta, "annotations")
		}
	}
	if labels, ok := meta["labels"].(map[string]any); ok && object && helm {
		delete(labels, "helm.sh/chart")
		if labels["app.kubernetes.io/managed-by"] == "Helm" {
			delete(labels, "app.kubernetes.io/managed-by")
		}
		if len(labels) == 0 {
			delete(meta, "labels")
		}
	}
}

func cleanPod(spec map[string]any) {
	if spec["serviceAccount"] == spec["serviceAccountName"] {
		delete(spec, "serviceAccount") // the old name of the same field
	}
	drop(spec, podDefaults)
	for _, c := range slices.Concat(items(spec, "initContainers"), items(spec, "containers")) {
		drop(c, containerDefaults)
		for _, p := range items(c, "ports") {
			if p["protocol"] == nil {
				p["protocol"] = string(defaultProtocol) // said always: list items are told apart by it
			}
		}
		image, _ := c["image"].(string)
		img, _ := parseImage(image)
		pull := "IfNotPresent"
		if !strings.Contains(image, "@") && (img.tag == "" || img.tag == "latest") {
			pull = "Always"
		}
		if c["imagePullPolicy"] == pull {
			delete(c, "imagePullPolicy")
		}
		probes := []string{"readinessProbe", "livenessProbe", "startupProbe"}
		for _, name := range probes {
			if p, ok := c[name].(map[string]any); ok {
				drop(p, probeDefaults)
			}
		}
	}
}

func cleanService(o map[string]any, live bool, pinned map[string]bool) {
	spec, ok := nested(o, "spec")
	if !ok {
		return
	}
	drop(o, serviceDefaults)
	for _, p := range items(spec, "ports") {
		if p["protocol"] == nil {
			p["protocol"] = string(defaultProtocol)
		}
		if live && !pinned[fmt.Sprintf("%v/%v", p["port"], p["protocol"])] {
			delete(p, "nodePort")
		}
	}
	if !live {
		return
	}
	if spec["clusterIP"] != "None" {
		delete(spec, "clusterIP")
	}
	delete(spec, "clusterIPs")
	if policy := spec["ipFamilyPolicy"]; policy == "SingleStack" || policy == nil {
		delete(spec, "ipFamilyPolicy")
		delete(spec, "ipFamilies")
	}
	if !pinned["healthCheckNodePort"] {
		delete(spec, "healthCheckNodePort")
	}
}

// pinnedNodePorts are the node ports that somebody asked for: those that a field
// manager owns. What the server allocates, nobody owns.
func pinnedNodePorts(u *unstructured.Unstructured) map[string]bool {
	out := map[string]bool{}
	if applied := lastApplied(u); applied != nil {
		for _, p := range items(applied, "spec", "ports") {
			protocol := p["protocol"]
			if protocol == nil {
				protocol = string(defaultProtocol)
			}
			if p["nodePort"] != nil {
				out[fmt.Sprintf("%v/%v", p["port"], protocol)] = true
			}
		}
	}
	for _, m := range u.GetManagedFields() {
		var fields struct {
			Spec struct {
				HealthCheckNodePort *struct{}                             `json:"f:healthCheckNodePort"`
				Ports               map[string]map[string]json.RawMessage `json:"f:ports"`
			} `json:"f:spec"`
		}
		if m.Subresource != "" || json.Unmarshal(rawFields(m.FieldsV1), &fields) != nil {
			continue
		}
		if fields.Spec.HealthCheckNodePort != nil {
			out["healthCheckNodePort"] = true
		}
		for key, owned := range fields.Spec.Ports {
			var id struct {
				Port     int    `json:"port"`
				Protocol string `json:"protocol"`
			}
			if _, ok := owned["f:nodePort"]; ok && json.Unmarshal([]byte(strings.TrimPrefix(key, "k:")), &id) == nil {
				out[fmt.Sprintf("%d/%s", id.Port, id.Protocol)] = true
			}
		}
	}
	return out
}

// lastApplied is the manifest that kubectl apply keeps with an object; nil when
// the object was not applied client-side.
func lastApplied(u *unstructured.Unstructured) map[string]any {
	var out map[string]any
	text := u.GetAnnotations()["kubectl.kubernetes.io/last-applied-configuration"]
	if text == "" || json.Unmarshal([]byte(text), &out) != nil || len(out) == 0 {
		return nil
	}
	return out
}

// drop takes out the fields that have the value they would get anyway.
func drop(o map[string]any, defaults []apiDefault) {
	for _, d := range defaults {
		dropAt(o, strings.Split(d.path, "."), d.value)
	}
}

func dropAt(value any, path []string, is any) {
	if path[0] == "*" {
		list, _ := value.([]any)
		for _, item := range list {
			dropAt(item, path[1:], is)
		}
		return
	}
	m, ok := value.(map[string]any)
	if !ok {
		return
	}
	there, has := m[path[0]]
	if !has {
		return
	}
	if len(path) > 1 {
		dropAt(there, path[1:], is)
	} else if alike(there, is) {
		delete(m, path[0])
	}
}

// alike compares values whose numbers may have different Go types.
func alike(x, y any) bool {
	a, err1 := json.Marshal(x)
	b, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && string(a) == string(b) || reflect.DeepEqual(x, y)
}

func nested(o map[string]any, path ...string) (map[string]any, bool) {
	for _, name := range path {
		next, ok := o[name].(map[string]any)
		if !ok {
			return nil, false
		}
		o = next
	}
	return o, true
}

// items are the maps in a list.
func items(o map[string]any, path ...string) []map[string]any {
	parent, ok := nested(o, path[:len(path)-1]...)
	if !ok {
		return nil
	}
	list, _ := parent[path[len(path)-1]].([]any)
	var out []map[string]any
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// withoutNulls leaves out fields without a value.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, value := range v {
			if value != nil {
				out[k] = withoutNulls(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutNulls(v[i])
		}
		return out
	}
	return v
}
