package verify

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

const (
	// maxLogs bounds how many containers' last words are read, one request each.
	maxLogs = 8
	// maxLog bounds what is kept of one, in bytes, and logLines in lines.
	maxLog   = 4096
	logLines = 20
)

// readNamespaces reads the labels of namespaces when a policy selects by them.
// Without permission those policies are judged by what is known.
func readNamespaces(ctx context.Context, c *clients, s *Snapshot) {
	if !slices.ContainsFunc(s.NetworkPolicies, selectsNamespaces) {
		return
	}
	list, err := listAll(ctx, c.core.Namespaces().List, func(l *corev1.NamespaceList) []corev1.Namespace { return l.Items })
	if err != nil {
		return
	}
	for i := range list {
		list[i].ManagedFields = nil
	}
	s.Namespaces = list
}

// readPolicies lists the NetworkPolicies of a namespace, without what no rule reads.
func readPolicies(ctx context.Context, c *clients, ns string) ([]networkingv1.NetworkPolicy, error) {
	policies, err := listAll(ctx, c.networking.NetworkPolicies(ns).List, func(l *networkingv1.NetworkPolicyList) []networkingv1.NetworkPolicy { return l.Items })
	for i := range policies {
		policies[i].ManagedFields = nil
	}
	return policies, err
}

// readClientPolicies reads the policies that a client of another namespace stands
// under: they say where it may send.
func readClientPolicies(ctx context.Context, c *clients, s *Snapshot, t Target) {
	ns := s.Client.Namespace
	if t.AllNamespaces || t.Namespace == ns || t.Namespace == metav1.NamespaceAll {
		return
	}
	policies, err := readPolicies(ctx, c, ns)
	if err != nil {
		s.Gaps = append(s.Gaps, Gap{Resource: "networkpolicies", Namespace: ns, Reason: probe.Printable(err.Error(), maxReason)})
		return
	}
	s.NetworkPolicies = append(s.NetworkPolicies, policies...)
	if s.Namespaces == nil {
		readNamespaces(ctx, c, s)
	}
}

// selectsNamespaces reports whether a policy has a rule whose answer depends on
// labels of a namespace other than its name.
func selectsNamespaces(np networkingv1.NetworkPolicy) bool {
	depends := func(peers []networkingv1.NetworkPolicyPeer) bool {
		return slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
			sel := p.NamespaceSelector
			if sel == nil {
				return false
			}
			for k := range sel.MatchLabels {
				if k != corev1.LabelMetadataName {
					return true
				}
			}
			return slices.ContainsFunc(sel.MatchExpressions, func(e metav1.LabelSelectorRequirement) bool { return e.Key != corev1.LabelMetadataName })
		})
	}
	return slices.ContainsFunc(np.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool { return depends(r.From) }) ||
		slices.ContainsFunc(np.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool { return depends(r.To) })
}

// gapHolders marks in Snapshot.Gaps that other namespaces' Services could not be seen.
const gapHolders = "services in other namespaces"

// readRefusers reads that for which the API server may refuse what the tree
// wants: the ranges of cluster IPs, and the Services of other namespaces that
// have a node port or an address it asks for. Nothing is read where the tree
// asks for none of these, or has them already; but the ranges are where somebody
// has written endpoints. Those that cannot be read (they are an API since
// Kubernetes 1.33, and are not everybody's) are not known.
func readRefusers(ctx context.Context, c *clients, s *Snapshot, seen string) (ranges []string, holders []corev1.Service, err error) {
	ports, addresses, ranged := map[int32]bool{}, map[string]bool{}, false
	for _, key := range s.Targets {
		want, live := s.absent(key), s.service(key)
		// Which may be addresses of Services.
		ranged = ranged || live != nil && !headless(live) && slices.ContainsFunc(s.EndpointSlices, func(e discoveryv1.EndpointSlice) bool {
			return e.Namespace == live.Namespace && e.Labels[discoveryv1.LabelServiceName] == live.Name &&
				slices.ContainsFunc(e.Endpoints, func(p discoveryv1.Endpoint) bool { return p.TargetRef == nil })
		})
		if want == nil || want.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		ranged = ranged || len(want.Spec.IPFamilies) > 0 || want.Spec.IPFamilyPolicy != nil
		for _, p := range want.Spec.Ports {
			if p.NodePort != 0 && !hasNodePort(live, p) {
				ports[p.NodePort] = true
			}
		}
		for _, ip := range clusterIPs(want) {
			if live == nil || !slices.Contains(clusterIPs(live), ip) {
				addresses[ip] = true
			}
		}
	}
	if ranged || len(addresses) > 0 {
		if list, err := listAll(ctx, c.networking.ServiceCIDRs().List, func(l *networkingv1.ServiceCIDRList) []networkingv1.ServiceCIDR { return l.Items }); err == nil {
			for i := range list {
				ranges = append(ranges, list[i].Spec.CIDRs...)
			}
		}
	}
	if len(ports)+len(addresses) == 0 || seen == metav1.NamespaceAll {
		return ranges, nil, nil
	}
	all, err := listAll(ctx, c.core.Services(metav1.NamespaceAll).List, func(l *corev1.ServiceList) []corev1.Service { return l.Items })
	for i := range all {
		svc := &all[i]
		if svc.Namespace != seen && (ports[svc.Spec.HealthCheckNodePort] ||
			slices.ContainsFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool { return ports[p.NodePort] }) ||
			slices.ContainsFunc(clusterIPs(svc), func(ip string) bool { return addresses[ip] })) {
			svc.ManagedFields = nil
			holders = append(holders, *svc)
		}
	}
	return ranges, holders, err
}

// readLogs reads the last words of crashed containers of the targets, one Pod
// for each workload and container.
func readLogs(ctx context.Context, c *clients, s *Snapshot) {
	v := newView(s)
	type key struct {
		owner     ObjectRef
		container string
	}
	seen := map[key]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed error
	for _, target := range s.Targets {
		svc := v.service(target)
		if svc == nil {
			continue
		}
		for _, p := range v.selected(svc) {
			for _, cs := range statuses(p) {
				k := key{v.ownerOf(p), cs.Name}
				last := crashed(p, cs, s.Taken.Time)
				if last == nil || last.Reason == startError || seen[k] || len(seen) >= maxLogs {
					continue
				}
				seen[k] = true
				// The end of the run before, unless the container lies ended.
				previous := cs.State.Terminated == nil
				wg.Go(func() {
					text, err := lastLog(ctx, c, p, cs.Name, previous)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						failed = err
						return
					}
					s.Logs = append(s.Logs, ContainerLog{Pod: p.Namespace + "/" + p.Name, Container: cs.Name, Text: text})
				})
			}
		}
	}
	wg.Wait()
	if failed != nil && len(s.Logs) == 0 {
		s.Gaps = append(s.Gaps, Gap{Resource: "pods/log", Reason: probe.Printable(failed.Error(), maxReason)})
	}
	slices.SortFunc(s.Logs, func(a, b ContainerLog) int { return compareStrings(a.Pod+a.Container, b.Pod+b.Container) })
}

// readNeighbours reads the Pods of other namespaces that are on a node's network, where
// a Pod of the targets that is there too does not get its port. Who may not see them
// is not told which it is.
func readNeighbours(ctx context.Context, c *clients, s *Snapshot) {
	v := newView(s)
	nodes := map[string]bool{}
	for _, l := range s.Logs {
		if p := v.pods[l.Pod]; p != nil && p.Spec.HostNetwork && inUse.MatchString(l.Text) {
			nodes[p.Spec.NodeName] = true
		}
	}
	for node := range nodes {
		list, err := c.core.Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node, Limit: pageSize})
		if err != nil {
			return
		}
		for _, p := range list.Items {
			if p.Spec.HostNetwork && v.pod(p.Namespace, p.Name) == nil {
				p.ManagedFields = nil
				s.Pods = append(s.Pods, p)
			}
		}
	}
}

// lastLog reads the end of a container's log. The kubelet removes the log of one
// run when the next has ended, and says so, or nothing, in the place of a log; by then
// there is a newer one, of this run or of the one before.
func lastLog(ctx context.Context, c *clients, p *corev1.Pod, container string, previous bool) (string, error) {
	for try := range maxLogReads {
		removed := false
		for _, which := range []bool{previous, !previous} {
			text, err := logOf(ctx, c, p, container, which)
			switch {
			case err != nil && which == previous:
				return "", err
			case strings.HasPrefix(text, logRemoved):
				removed = true
			case text != "":
				return text, nil
			}
		}
		if !removed && try >= maxEmptyReads {
			return "", nil // it writes nothing
		}
		select {
		case <-time.After(logPause):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "", nil
}

const (
	logRemoved = "unable to retrieve container logs for "
	// For that the kubelet may need a second or two: it looks at its containers so often.
	maxLogReads = 20
	// An empty log is read again so often.
	maxEmptyReads = 3
	logPause      = 200 * time.Millisecond
)

func logOf(ctx context.Context, c *clients, p *corev1.Pod, container string, previous bool) (string, error) {
	lines, limit := int64(logLines), int64(64<<10)
	stream, err := c.core.Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{Container: container, Previous: previous, TailLines: &lines, LimitBytes: &limit}).Stream(ctx)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	data, err := io.ReadAll(io.LimitReader(stream, limit))
	if err != nil {
		return "", err
	}
	if len(data) > maxLog {
		data = data[len(data)-maxLog:]
	}
	return string(data), nil
}
