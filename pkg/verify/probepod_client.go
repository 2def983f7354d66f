package verify

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
)

// From says as whom, or from where, questions are asked inside the cluster.
type From struct {
	// Nodes asks from every node; nothing else is set then.
	Nodes bool
	// Namespace, Kind and Name are those of a client: a Pod, or a workload. An
	// empty namespace is that of the Services asked about.
	Namespace, Kind, Name string
	// Ephemeral asks from an ephemeral container in the client's Pod (of a
	// workload: one of its Pods), not from a Pod like it. Nobody can remove it
	// again: it ends with the run, and stays in the Pod's spec until the Pod goes.
	Ephemeral bool
}

// clientKinds are the kinds that a client can be, by what people write for them.
var clientKinds = map[string]string{
	"pod": "Pod", "pods": "Pod", "po": "Pod",
	"deployment": "Deployment", "deployments": "Deployment", "deploy": "Deployment",
	"statefulset": "StatefulSet", "statefulsets": "StatefulSet", "sts": "StatefulSet",
	"daemonset": "DaemonSet", "daemonsets": "DaemonSet", "ds": "DaemonSet",
}

// ParseFrom reads "nodes", "pod/NAME", "deploy/NAME" or, for a client in another
// namespace, "NAMESPACE/deploy/NAME".
func ParseFrom(s string) (*From, error) {
	if strings.EqualFold(s, "nodes") {
		return &From{Nodes: true}, nil
	}
	parts := strings.Split(s, "/")
	f := &From{}
	if len(parts) == 3 {
		f.Namespace, parts = parts[0], parts[1:]
	}
	if len(parts) == 2 {
		kind, _, _ := strings.Cut(strings.ToLower(parts[0]), ".")
		f.Kind, f.Name = clientKinds[kind], parts[1]
	}
	if f.Kind == "" || f.Name == "" || len(parts) != 2 {
		return nil, fmt.Errorf("%q is no client; say nodes, pod/NAME, deploy/NAME, sts/NAME, ds/NAME, or one of another namespace as NAMESPACE/deploy/NAME", s)
	}
	return f, nil
}

// Client is whom probe Pods stand for: as far as the network can tell, they are it.
type Client struct {
	ObjectRef
	// Labels are those that network policies see.
	Labels map[string]string `json:"labels,omitempty"`
	// Node is where it runs, when it is one Pod.
	Node string `json:"node,omitempty"`
	// ShortNames are the targets of other namespaces (namespace/name) that it is
	// told by their bare names.
	ShortNames map[string]ShortName `json:"shortNames,omitempty"`
	// OtherPorts are the targets (namespace/name) that it is told with a port that they
	// do not have.
	OtherPorts map[string]OtherPort `json:"otherPorts,omitempty"`
	// Container is where its commands run, as NAMESPACE/POD/CONTAINER; empty: nowhere.
	Container string `json:"container,omitempty"`
	// Ephemeral says that the questions came out of its own Pod, which has these
	// addresses, and not out of a Pod like it.
	Ephemeral bool     `json:"ephemeral,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	// DNSPolicy and HostNetwork, those of its spec, say whose DNS it asks; with the
	// policy None OtherDNS says that none of the servers it names is the cluster's.
	DNSPolicy   corev1.DNSPolicy `json:"dnsPolicy,omitempty"`
	HostNetwork bool             `json:"hostNetwork,omitempty"`
	OtherDNS    bool             `json:"otherDNS,omitempty"`
	// Unsearched says that with the policy None it names no domain to search in that
	// makes a Service's name a whole one.
	Unsearched bool `json:"unsearched,omitempty"`
	// HostAliases, those of its spec, are names that it asks no DNS for.
	HostAliases []corev1.HostAlias `json:"hostAliases,omitempty"`
}

// asksClusterDNS reports whether its containers ask the cluster's DNS, as far as is
// known (kubernetes: pkg/kubelet/network/dns, getPodDNSType).
func (cl *Client) asksClusterDNS() bool {
	switch cl.DNSPolicy {
	case corev1.DNSDefault:
		return false
	case corev1.DNSNone:
		return !cl.OtherDNS
	case corev1.DNSClusterFirst:
		return !cl.HostNetwork
	}
	return true
}

// otherDNS reports whether none of the DNS servers that a Pod names is the cluster's,
// nor the cache of it that nodes have at an address of their own link.
func otherDNS(ctx context.Context, c *clients, spec *corev1.PodSpec) bool {
	if spec.DNSPolicy != corev1.DNSNone || spec.DNSConfig == nil {
		return false
	}
	svc, err := again.Try(ctx, func() (*corev1.Service, error) {
		return c.core.Services(dnsService.Namespace).Get(ctx, dnsService.Name, metav1.GetOptions{})
	})
	for _, s := range spec.DNSConfig.Nameservers {
		ip := net.ParseIP(s)
		if ip == nil || !ip.IsLoopback() && (err != nil || ip.IsLinkLocalUnicast() || slices.ContainsFunc(clusterIPs(svc), func(c string) bool { return sameIP(c, s) })) {
			return false
		}
	}
	return true
}

// unsearched reports whether a Pod with a DNS of its own naming completes no name of a
// Service as it is written from anywhere in the cluster, redis.demo.svc: that takes the
// zone itself among the domains to search, not only domains within it.
func unsearched(spec *corev1.PodSpec) bool {
	return spec.DNSPolicy == corev1.DNSNone && (spec.DNSConfig == nil || !slices.ContainsFunc(spec.DNSConfig.Searches, func(s string) bool {
		return !strings.HasPrefix(s, "svc.") && !strings.Contains(s, ".svc.")
	}))
}

// client is a Client with what its probe Pod needs.
type client struct {
	Client
	apiVersion string
	uid        types.UID
	spec       corev1.PodSpec
	selector   *metav1.LabelSelector // of a workload
	pod        *corev1.Pod           // the one that is asked from, or in; nil: none
}

// volatileLabels name one Pod or one revision, and are what controllers find
// the Pods of theirs by.
var volatileLabels = []string{
	"pod-template-hash", "controller-revision-hash", "pod-template-generation",
	"statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
	"controller-uid", "batch.kubernetes.io/controller-uid",
}

// findClient reads the client that questions are asked as. commands says that
// some of them are commands, which need a Pod of it that runs.
func findClient(ctx context.Context, c *clients, f From, namespace string, commands bool) (*client, error) {
	if f.Namespace != "" {
		namespace = f.Namespace
	}
	if namespace == "" {
		return nil, fmt.Errorf("the client %s/%s: say its namespace, as NAMESPACE/%s/%s", f.Kind, f.Name, strings.ToLower(f.Kind), f.Name)
	}
	out := &client{Client: Client{ObjectRef: ObjectRef{Kind: f.Kind, Namespace: namespace, Name: f.Name}}}
	var err error
	if f.Kind == "Pod" {
		var p *corev1.Pod
		if p, err = c.core.Pods(namespace).Get(ctx, f.Name, metav1.GetOptions{}); err == nil {
			out.apiVersion, out.uid, out.spec, out.Labels, out.Node, out.pod = "v1", p.UID, p.Spec, p.Labels, p.Spec.NodeName, p
		}
	} else {
		err = out.fromWorkload(ctx, c)
	}
	if apierrors.IsNotFound(err) {
		return nil, &NotFoundError{Kind: f.Kind, Namespace: namespace, Name: f.Name}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the client %s in namespace %s: %w", out.ObjectRef, namespace, err)
	}
	if commands || f.Ephemeral {
		if err := out.live(ctx, c); err != nil {
			return nil, fmt.Errorf("the client %s in namespace %s: %w", out.ObjectRef, namespace, err)
		}
		out.Container = namespace + "/" + out.pod.Name + "/" + mainContainer(out.pod)
	}
	out.Labels = maps.Clone(out.Labels)
	out.DNSPolicy, out.HostNetwork, out.OtherDNS = out.spec.DNSPolicy, out.spec.HostNetwork, otherDNS(ctx, c, &out.spec)
	out.Unsearched = unsearched(&out.spec)
	out.HostAliases = slices.Clone(out.spec.HostAliases)
	if f.Ephemeral {
		out.Ephemeral, out.Labels, out.Node, out.Addresses = true, out.pod.Labels, out.pod.Spec.NodeName, partyOf(out.pod).addresses
		return out, nil
	}
	for _, key := range volatileLabels {
		delete(out.Labels, key)
	}
	return out, out.standIn(ctx, c)
}

// live finds a Pod of the client that runs, the Ready ones first.
func (t *client) live(ctx context.Context, c *clients) error {
	if t.Kind == "Pod" && t.selector == nil {
		if t.pod.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("the Pod does not run (it is %s); name one that does", t.pod.Status.Phase)
		}
		return nil
	}
	pods, err := t.pods(ctx, c)
	if err != nil {
		return err
	}
	for i := range pods {
		p := &pods[i]
		if p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil && (t.pod == nil || podReady(p) && !podReady(t.pod)) {
			t.pod = p
		}
	}
	if t.pod == nil {
		return fmt.Errorf("none of its Pods runs; name a client that does")
	}
	return nil
}

// pods lists the Pods of a workload, without probe Pods, which may look like them.
func (t *client) pods(ctx context.Context, c *clients) ([]corev1.Pod, error) {
	sel, err := metav1.LabelSelectorAsSelector(t.selector)
	if err != nil {
		return nil, err
	}
	list, err := c.core.Pods(t.Namespace).List(ctx, metav1.ListOptions{LabelSelector: sel.String(), Limit: pageSize})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.Labels[LabelProbe] != "" }), nil
}

// fromWorkload reads what the Pods of a workload are like. The probe Pod is to
// be owned by something that does not take it for one of its own: a Deployment,
// which owns no Pods itself, or else one of the workload's Pods.
func (t *client) fromWorkload(ctx context.Context, c *clients) error {
	var template corev1.PodTemplateSpec
	switch t.Kind {
	case "Deployment":
		d, err := c.apps.Deployments(t.Namespace).Get(ctx, t.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		t.apiVersion, t.uid, t.spec, t.Labels, t.selector = "apps/v1", d.UID, d.Spec.Template.Spec, d.Spec.Template.Labels, d.Spec.Selector
		return nil
	case "StatefulSet":
		s, err := c.apps.StatefulSets(t.Namespace).Get(ctx, t.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		template, t.selector, t.uid = s.Spec.Template, s.Spec.Selector, s.UID
	case "DaemonSet":
		d, err := c.apps.DaemonSets(t.Namespace).Get(ctx, t.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		template, t.selector, t.uid = d.Spec.Template, d.Spec.Selector, d.UID
	}
	pods, err := t.pods(ctx, c)
	if err != nil {
		return err
	}
	for i := range pods {
		p := &pods[i]
		if o := metav1.GetControllerOf(p); o != nil && o.UID == t.uid {
			t.ObjectRef = ObjectRef{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}
			t.apiVersion, t.uid, t.spec, t.Labels = "v1", p.UID, template.Spec, template.Labels
			return nil
		}
	}
	return fmt.Errorf("it has no Pods; name a Deployment or a Pod")
}

// standIn reports why no Pod may stand for this client, or nil.
func (t *client) standIn(ctx context.Context, c *clients) error {
	if t.spec.HostNetwork {
		return fmt.Errorf("the client %s uses the network of its node, which a probe Pod may not; ask from the nodes (--from nodes), or from another client", t.ObjectRef)
	}
	// The probe Pod is never Ready, so that no Service sends it traffic, but for
	// those that want Pods that are not Ready as well.
	services, err := listAll(ctx, c.core.Services(t.Namespace).List, func(l *corev1.ServiceList) []corev1.Service { return l.Items })
	if err != nil {
		return fmt.Errorf("the client %s: whether a Service would send traffic to a Pod like it was not seen: %w; ask for the verb list on services in namespace %s",
			t.ObjectRef, err, t.Namespace)
	}
	for i := range services {
		if s := &services[i]; s.Spec.PublishNotReadyAddresses && selects(s, t.Labels) {
			return fmt.Errorf("the client %s: Service/%s publishes Pods that are not Ready, and would take a probe Pod with these labels for one of its own; ask from another client",
				t.ObjectRef, s.Name)
		}
	}
	return nil
}

// notReady is a condition that nobody sets.
const notReady = "svcx/never-ready"

// dress makes a probe Pod look like the client to the network: its labels, its
// namespace, its way to resolve names. It must not become one of the client's:
//   - a readiness gate keeps it out of the endpoints of Services;
//   - an owner that is its controller keeps ReplicaSets and the like from
//     adopting it (kubernetes: pkg/controller/controller_ref_manager.go), and has
//     it removed with the client; where there can be one, it is its lifeline;
//   - labels that name a revision are left out.
//
// An ephemeral container in the client is nearer still, and can never be removed
// again: it is made only where From.Ephemeral asks for it.
func (t *client) dress(pod *corev1.Pod) {
	own := pod.Labels[LabelProbe]
	pod.Labels = maps.Clone(t.Labels)
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[LabelProbe] = own
	// Istio's label counts more than its annotation.
	if _, set := pod.Labels[labelIstioInject]; set {
		pod.Labels[labelIstioInject] = "false"
	}
	yes := true
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: t.apiVersion, Kind: t.Kind, Name: t.Name, UID: t.uid, Controller: &yes}}
	pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: notReady}}
	pod.Spec.DNSPolicy, pod.Spec.DNSConfig, pod.Spec.HostAliases = t.spec.DNSPolicy, t.spec.DNSConfig, slices.Clone(t.spec.HostAliases)
}

const labelIstioInject = "sidecar.istio.io/inject"
