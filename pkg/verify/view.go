package verify

import (
	"fmt"
	"slices"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// PortKey names a Service port: by its name, or as "6379/TCP" where it has none.
func PortKey(p corev1.ServicePort) string {
	if p.Name != "" {
		return p.Name
	}
	return fmt.Sprintf("%d/%s", p.Port, protocolOf(p.Protocol))
}

func protocolOf(p corev1.Protocol) corev1.Protocol {
	if p == "" {
		return corev1.ProtocolTCP
	}
	return p
}

// view is a Snapshot with indexes, built once for a run.
type view struct {
	s        *Snapshot
	services map[string]*corev1.Service
	pods     map[string]*corev1.Pod
	byNS     map[string][]*corev1.Pod
	slices   map[string][]*discoveryv1.EndpointSlice // by namespace/service
	workload []workload
	// readyOnly leaves out what a service proxy falls back to where nothing is ready.
	readyOnly bool
}

func newView(s *Snapshot) *view {
	v := &view{s: s, services: map[string]*corev1.Service{}, pods: map[string]*corev1.Pod{},
		byNS: map[string][]*corev1.Pod{}, slices: map[string][]*discoveryv1.EndpointSlice{}}
	for i := range s.Services {
		v.services[s.Services[i].Namespace+"/"+s.Services[i].Name] = &s.Services[i]
	}
	for i := range s.Pods {
		p := &s.Pods[i]
		v.pods[p.Namespace+"/"+p.Name] = p
		v.byNS[p.Namespace] = append(v.byNS[p.Namespace], p)
	}
	for i := range s.EndpointSlices {
		e := &s.EndpointSlices[i]
		if name := e.Labels[discoveryv1.LabelServiceName]; name != "" {
			v.slices[e.Namespace+"/"+name] = append(v.slices[e.Namespace+"/"+name], e)
		}
	}
	v.workload = workloads(s)
	return v
}

func (v *view) service(key string) *corev1.Service     { return v.services[key] }
func (v *view) pod(namespace, name string) *corev1.Pod { return v.pods[namespace+"/"+name] }

// gap returns what was recorded about a kind that could not be listed, or nil.
func (v *view) gap(resource, namespace string) *Gap {
	for i := range v.s.Gaps {
		if g := &v.s.Gaps[i]; g.Resource == resource && (g.Namespace == "" || g.Namespace == namespace) {
			return g
		}
	}
	return nil
}

// selected returns the Pods that a Service's selector matches, without those
// that have run to their end: no endpoint is made of them.
func (v *view) selected(svc *corev1.Service) []*corev1.Pod {
	pods, _ := v.matching(svc)
	return pods
}

// matching returns the Pods that carry the labels of a Service's selector: those of
// selected, and those that have ended.
func (v *view) matching(svc *corev1.Service) (pods, over []*corev1.Pod) {
	for _, p := range v.byNS[svc.Namespace] {
		switch {
		case !selects(svc, p.Labels):
		case ended(p):
			over = append(over, p)
		default:
			pods = append(pods, p)
		}
	}
	for _, list := range [][]*corev1.Pod{pods, over} {
		sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	}
	return pods, over
}

// hasService reports whether a Service of a Pod's own namespace selects it.
func (v *view) hasService(p *corev1.Pod) bool {
	return slices.ContainsFunc(v.s.Services, func(svc corev1.Service) bool { return svc.Namespace == p.Namespace && selects(&svc, p.Labels) })
}

// ended reports whether a Pod has run to its end, well or not: it never serves again.
func ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// workload is anything that makes Pods from a template.
type workload struct {
	ref         ObjectRef
	labels      map[string]string // of the template
	matchLabels map[string]string
	replicas    *int32
	template    *corev1.PodTemplateSpec
	created     time.Time
	changed     time.Time // in anything but its status
	start       int       // the number of a StatefulSet's first Pod
	// suspended says that a Job or CronJob was told to make no Pods, and idle that it
	// makes none now, be it that it has ended, or waits for its time.
	suspended, idle bool
	// unseen says that its controller has not looked at it since it was last changed,
	// and ignored that it never has.
	unseen, ignored bool
}

func workloads(s *Snapshot) []workload {
	var out []workload
	add := func(kind string, m metav1.ObjectMeta, observed int64, sel *metav1.LabelSelector, replicas *int32, t *corev1.PodTemplateSpec) {
		w := workload{ref: ObjectRef{Kind: kind, Namespace: m.Namespace, Name: m.Name}, labels: t.Labels, replicas: replicas, template: t,
			created: m.CreationTimestamp.Time, changed: lastKept(&m), unseen: m.Generation > observed, ignored: m.Generation > 0 && observed == 0}
		if sel != nil {
			w.matchLabels = sel.MatchLabels
		}
		out = append(out, w)
	}
	for i := range s.Deployments {
		d := &s.Deployments[i]
		add("Deployment", d.ObjectMeta, d.Status.ObservedGeneration, d.Spec.Selector, d.Spec.Replicas, &d.Spec.Template)
	}
	for i := range s.StatefulSets {
		d := &s.StatefulSets[i]
		add("StatefulSet", d.ObjectMeta, d.Status.ObservedGeneration, d.Spec.Selector, d.Spec.Replicas, &d.Spec.Template)
		if d.Spec.Ordinals != nil {
			out[len(out)-1].start = int(d.Spec.Ordinals.Start)
		}
	}
	for i := range s.DaemonSets {
		d := &s.DaemonSets[i]
		add("DaemonSet", d.ObjectMeta, d.Status.ObservedGeneration, d.Spec.Selector, nil, &d.Spec.Template)
	}
	for i := range s.ReplicaSets {
		d := &s.ReplicaSets[i]
		if metav1.GetControllerOf(d) == nil {
			add("ReplicaSet", d.ObjectMeta, d.Status.ObservedGeneration, d.Spec.Selector, d.Spec.Replicas, &d.Spec.Template)
		}
	}
	for i := range s.ReplicationControllers {
		if d := &s.ReplicationControllers[i]; d.Spec.Template != nil {
			add("ReplicationController", d.ObjectMeta, d.Status.ObservedGeneration, &metav1.LabelSelector{MatchLabels: d.Spec.Selector}, d.Spec.Replicas, d.Spec.Template)
		}
	}
	// Jobs and CronJobs do not say which generation their controller has seen.
	for i := range s.Jobs {
		d := &s.Jobs[i]
		add("Job", d.ObjectMeta, d.Generation, d.Spec.Selector, nil, &d.Spec.Template)
		w := &out[len(out)-1]
		w.suspended = d.Spec.Suspend != nil && *d.Spec.Suspend && !jobOver(d)
		w.idle = w.suspended || jobOver(d)
	}
	for i := range s.CronJobs {
		d := &s.CronJobs[i]
		add("CronJob", d.ObjectMeta, d.Generation, nil, nil, &d.Spec.JobTemplate.Spec.Template)
		w := &out[len(out)-1]
		w.suspended, w.idle = d.Spec.Suspend != nil && *d.Spec.Suspend, true
	}
	return out
}

// ownerOf names the workload that a Pod belongs to: a ReplicaSet's Deployment,
// or the Pod itself when it has no controller.
func (v *view) ownerOf(p *corev1.Pod) ObjectRef {
	owner := metav1.GetControllerOf(p)
	if owner == nil {
		return ObjectRef{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}
	}
	if owner.Kind == "ReplicaSet" {
		for i := range v.s.ReplicaSets {
			rs := &v.s.ReplicaSets[i]
			if rs.UID == owner.UID {
				if up := metav1.GetControllerOf(rs); up != nil {
					return ObjectRef{Kind: up.Kind, Namespace: p.Namespace, Name: up.Name}
				}
			}
		}
	}
	return ObjectRef{Kind: owner.Kind, Namespace: p.Namespace, Name: owner.Name}
}

// endpoint is one address behind a Service port.
type endpoint struct {
	address     string
	port        int32       // 0 where the slice has no such port
	pod         *corev1.Pod // nil when it is no Pod, or not seen
	podName     string      // namespace/name, also when the Pod was not seen
	node        string
	ready       bool
	serving     bool
	terminating bool
}

// portView is one port of a Service with all that the EndpointSlices say of it.
type portView struct {
	key   string
	index int // in spec.ports
	port  corev1.ServicePort
	check probe.Check
	// guess is by what the check was told.
	guess guess
	// command, when set, is run in place of the check where a container can.
	command []string

	// unknown says that the EndpointSlices could not be read: usable then holds
	// what the ready Pods suggest, and no conclusion may rest on its being empty.
	unknown bool
	usable  []endpoint // the service proxy sends traffic there
	unready []endpoint // it does not
	noPort  []endpoint // ready, but in a slice without this port
}

// ports returns a view of every port of a Service.
func (v *view) ports(svc *corev1.Service, asked Checks) []portView {
	var out []portView
	for i, p := range svc.Spec.Ports {
		out = append(out, v.port(svc, i, p, asked))
	}
	return out
}

func (v *view) port(svc *corev1.Service, index int, p corev1.ServicePort, asked Checks) portView {
	pv := portView{key: PortKey(p), index: index, port: p, command: asked.of(p).Command}
	pv.check, pv.guess = chooseCheck(asked.of(p).Check, p)
	if v.gap("endpointslices", svc.Namespace) != nil {
		pv.unknown = true
		pv.usable = v.fromPods(svc, p)
		return pv
	}
	var draining []endpoint
	for _, slice := range v.slices[svc.Namespace+"/"+svc.Name] {
		if unserved(svc, slice) {
			continue
		}
		number := slicePort(slice, p)
		for i := range slice.Endpoints {
			e := v.endpoint(slice, &slice.Endpoints[i], number)
			switch {
			case e.address == "":
			case e.ready && number == 0:
				pv.noPort = append(pv.noPort, e)
			case e.ready:
				pv.usable = append(pv.usable, e)
			case e.serving && e.terminating && number != 0:
				draining = append(draining, e)
			default:
				pv.unready = append(pv.unready, e)
			}
		}
	}
	// The service proxy falls back to endpoints that are terminating but still
	// serve when there is no other (KEP-1669). None stands before a headless
	// Service, whose name has the addresses that are ready, and no other.
	if len(pv.usable) == 0 && !headless(svc) && !v.readyOnly {
		pv.usable = draining
	} else {
		pv.unready = append(pv.unready, draining...)
	}
	for _, l := range [][]endpoint{pv.usable, pv.unready, pv.noPort} {
		sort.Slice(l, func(i, j int) bool { return l[i].podName+l[i].address < l[j].podName+l[j].address })
	}
	return pv
}

// unserved reports whether no service proxy uses a slice: one of names, or of a family of
// which the Service has no cluster IP. The name of a headless Service has all addresses.
func unserved(svc *corev1.Service, slice *discoveryv1.EndpointSlice) bool {
	if slice.AddressType == discoveryv1.AddressTypeFQDN {
		return true
	}
	families := svc.Spec.IPFamilies
	return !headless(svc) && len(families) > 0 && !slices.Contains(families, corev1.IPFamily(slice.AddressType))
}

// fromPods makes of the ready Pods of a Service what its EndpointSlices would say.
func (v *view) fromPods(svc *corev1.Service, p corev1.ServicePort) []endpoint {
	var out []endpoint
	for _, pod := range v.selected(svc) {
		if n := targetNumber(pod, p); n != 0 && podReady(pod) && pod.Status.PodIP != "" {
			out = append(out, endpoint{address: pod.Status.PodIP, port: n, pod: pod, podName: pod.Namespace + "/" + pod.Name,
				node: pod.Spec.NodeName, ready: true, serving: true})
		}
	}
	return out
}

// podReady reports a Pod's Ready condition.
func podReady(p *corev1.Pod) bool {
	c := podCondition(p, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

// podCondition returns a condition of a Pod, or nil where it has none of the type.
func podCondition(p *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	i := slices.IndexFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == t })
	if i < 0 {
		return nil
	}
	return &p.Status.Conditions[i]
}

// running reports whether any container of a Pod runs, so that something could answer.
func running(p *corev1.Pod) bool {
	for _, cs := range servedStatuses(p) {
		if cs.State.Running != nil {
			return true
		}
	}
	return false
}

// slicePort finds the number behind a Service port in a slice; 0 when the
// slice has none, as for a named target port that its Pods do not declare.
func slicePort(slice *discoveryv1.EndpointSlice, p corev1.ServicePort) int32 {
	for _, sp := range slice.Ports {
		name, proto := "", corev1.ProtocolTCP
		if sp.Name != nil {
			name = *sp.Name
		}
		if sp.Protocol != nil {
			proto = *sp.Protocol
		}
		if name == p.Name && proto == protocolOf(p.Protocol) && sp.Port != nil {
			return *sp.Port
		}
	}
	return 0
}

func (v *view) endpoint(slice *discoveryv1.EndpointSlice, e *discoveryv1.Endpoint, port int32) endpoint {
	out := endpoint{port: port}
	if len(e.Addresses) > 0 {
		out.address = e.Addresses[0]
	}
	// A nil condition is to be read as true (discovery/v1, EndpointConditions),
	// except terminating; a nil serving follows ready.
	out.ready = e.Conditions.Ready == nil || *e.Conditions.Ready
	out.serving = out.ready
	if e.Conditions.Serving != nil {
		out.serving = *e.Conditions.Serving
	}
	out.terminating = e.Conditions.Terminating != nil && *e.Conditions.Terminating
	if e.NodeName != nil {
		out.node = *e.NodeName
	}
	if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
		ns := e.TargetRef.Namespace
		if ns == "" {
			ns = slice.Namespace
		}
		out.podName = ns + "/" + e.TargetRef.Name
		out.pod = v.pods[out.podName]
	}
	return out
}

// targetNumber resolves a target port on one Pod; 0 when it declares no such name.
func targetNumber(p *corev1.Pod, sp corev1.ServicePort) int32 {
	if sp.TargetPort.Type == intstr.Int {
		if n := sp.TargetPort.IntVal; n != 0 {
			return n
		}
		return sp.Port
	}
	for _, ctr := range served(p) {
		for _, cp := range ctr.Ports {
			if cp.Name == sp.TargetPort.StrVal && protocolOf(cp.Protocol) == protocolOf(sp.Protocol) {
				return cp.ContainerPort
			}
		}
	}
	return 0
}
