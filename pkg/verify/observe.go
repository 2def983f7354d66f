package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	networkingclient "k8s.io/client-go/kubernetes/typed/networking/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/skew"
)

const (
	// pageSize bounds one answer of the API server.
	pageSize = 500
	// maxElsewhere bounds the searches for the Pods of Services whose selector
	// matches none in its own namespace: one LIST each.
	maxElsewhere = 8
	// maxReason bounds the text of a Gap, in bytes.
	maxReason = 300
)

// clients are the parts of the API that are read, and the Pods that probe.
type clients struct {
	cfg        *rest.Config // as it was given, for what needs connections of its own
	core       coreclient.CoreV1Interface
	apps       appsclient.AppsV1Interface
	batch      batchclient.BatchV1Interface
	discovery  discoveryclient.DiscoveryV1Interface
	networking networkingclient.NetworkingV1Interface
	skew       *skew.Skew
}

// now is the time by the cluster's clock, which wrote all that is read.
func (c *clients) now() time.Time { return time.Now().Add(c.skew.Get()) }

// newClients makes the clients of one run; cfg is not changed.
func newClients(cfg *rest.Config) (*clients, error) {
	c := rest.CopyConfig(cfg)
	// All LISTs of a run start at once; the default of 5 a second would make a
	// queue of them.
	c.QPS, c.Burst = 50, 100
	c.ContentType = "application/vnd.kubernetes.protobuf"
	c.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	ahead := skew.New(time.Now)
	c.Wrap(ahead.Wrap)
	http, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to the API server: %w", err)
	}
	out := &clients{cfg: cfg, skew: ahead}
	if out.core, err = coreclient.NewForConfigAndClient(c, http); err != nil {
		return nil, fmt.Errorf("preparing the connection to the API server: %w", err)
	}
	if out.apps, err = appsclient.NewForConfigAndClient(c, http); err != nil {
		return nil, fmt.Errorf("preparing the connection to the API server: %w", err)
	}
	if out.batch, err = batchclient.NewForConfigAndClient(c, http); err != nil {
		return nil, fmt.Errorf("preparing the connection to the API server: %w", err)
	}
	if out.discovery, err = discoveryclient.NewForConfigAndClient(c, http); err != nil {
		return nil, fmt.Errorf("preparing the connection to the API server: %w", err)
	}
	if out.networking, err = networkingclient.NewForConfigAndClient(c, http); err != nil {
		return nil, fmt.Errorf("preparing the connection to the API server: %w", err)
	}
	return out, nil
}

// Observe reads what a judgement of the targets may rest on: one LIST a kind,
// in pages, however many Services there are. A kind that may not be listed
// becomes a Gap. An error means that the targets themselves could not be found.
func Observe(ctx context.Context, cfg *rest.Config, t Target) (*Snapshot, error) {
	c, err := newClients(cfg)
	if err != nil {
		return nil, err
	}
	return observe(ctx, c, t, nil)
}

// observe is Observe for a tree as well; nil: none.
func observe(ctx context.Context, c *clients, t Target, tree *Expected) (*Snapshot, error) {
	ns := t.Namespace
	if t.AllNamespaces {
		ns = metav1.NamespaceAll
	}
	s := &Snapshot{APIVersion: SnapshotAPIVersion, Kind: "Snapshot", Expected: tree}
	began := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var servicesErr error
	note := func(resource, namespace string, err error) {
		if err == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if resource == "services" {
			servicesErr = err
			return
		}
		s.Gaps = append(s.Gaps, Gap{Resource: resource, Namespace: namespace, Reason: probe.Printable(err.Error(), maxReason)})
	}
	wg.Go(func() { var err error; s.Services, err = readServices(ctx, c, t, ns); note("services", ns, err) })
	wg.Go(func() {
		var err error
		s.EndpointSlices, err = listAll(ctx, c.discovery.EndpointSlices(ns).List, func(l *discoveryv1.EndpointSliceList) []discoveryv1.EndpointSlice { return l.Items })
		note("endpointslices", ns, err)
	})
	wg.Go(func() {
		var err error
		s.Pods, err = listAll(ctx, c.core.Pods(ns).List, func(l *corev1.PodList) []corev1.Pod { return l.Items })
		note("pods", ns, err)
	})
	wg.Go(func() {
		var err error
		s.Nodes, err = listAll(ctx, c.core.Nodes().List, func(l *corev1.NodeList) []corev1.Node { return l.Items })
		note("nodes", "", err)
	})
	wg.Go(func() {
		var err error
		s.Deployments, err = listAll(ctx, c.apps.Deployments(ns).List, func(l *appsv1.DeploymentList) []appsv1.Deployment { return l.Items })
		note("deployments", ns, err)
	})
	wg.Go(func() {
		var err error
		s.ReplicaSets, err = listAll(ctx, c.apps.ReplicaSets(ns).List, func(l *appsv1.ReplicaSetList) []appsv1.ReplicaSet { return l.Items })
		note("replicasets", ns, err)
	})
	wg.Go(func() {
		var err error
		s.StatefulSets, err = listAll(ctx, c.apps.StatefulSets(ns).List, func(l *appsv1.StatefulSetList) []appsv1.StatefulSet { return l.Items })
		note("statefulsets", ns, err)
	})
	wg.Go(func() {
		var err error
		s.DaemonSets, err = listAll(ctx, c.apps.DaemonSets(ns).List, func(l *appsv1.DaemonSetList) []appsv1.DaemonSet { return l.Items })
		note("daemonsets", ns, err)
	})
	wg.Go(func() {
		var err error
		s.NetworkPolicies, err = readPolicies(ctx, c, ns)
		note("networkpolicies", ns, err)
	})
	wg.Go(func() {
		var err error
		s.Events, err = listAll(ctx, c.core.Events(ns).List, func(l *corev1.EventList) []corev1.Event { return l.Items })
		note("events", ns, err)
	})
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading the cluster: %w", err)
	}
	if servicesErr != nil {
		return nil, servicesErr
	}
	// The answers have said by then what the cluster's clock says.
	s.Taken = metav1.NewTime(began.Add(c.skew.Get()))
	slices.SortFunc(s.Gaps, func(a, b Gap) int { return compareStrings(a.Resource, b.Resource) })
	s.Pods = slices.DeleteFunc(s.Pods, func(p corev1.Pod) bool { return p.Labels[LabelProbe] != "" })
	slim(s)
	targets, err := findTargets(ctx, c, s, t)
	if err != nil {
		return nil, err
	}
	s.Targets = targets
	var more sync.WaitGroup
	var ranges []string
	var holders []corev1.Service
	var noHolders error
	var homes []corev1.Service
	var noHomes error
	more.Go(func() { readNamespaces(ctx, c, s) })
	more.Go(func() { ranges, holders, noHolders = readRefusers(ctx, c, s, ns) })
	more.Go(func() {
		readMakers(ctx, c, s, ns)
		if ns != metav1.NamespaceAll { // else the Pods of all are there
			homes, noHomes = searchElsewhere(ctx, c, s)
		}
		readLogs(ctx, c, s)
		if ns != metav1.NamespaceAll {
			readNeighbours(ctx, c, s)
		}
	})
	more.Wait()
	s.ServiceCIDRs = ranges
	s.Services = append(s.Services, holders...)
	for i := range homes {
		if s.service(homes[i].Namespace+"/"+homes[i].Name) == nil {
			s.Services = append(s.Services, homes[i])
		}
	}
	note(gapHolders, "", cmp.Or(noHolders, noHomes))
	return s, nil
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// listOf is what every list type of the API offers beside its items.
type listOf interface{ GetContinue() string }

// listAll reads all pages of one kind. When a page is asked for after the API
// server has forgotten the list it belongs to (410 Gone), it starts over, and
// then asks for all at once.
func listAll[L listOf, T any](ctx context.Context, list func(context.Context, metav1.ListOptions) (L, error), items func(L) []T) ([]T, error) {
	var all []T
	opts := metav1.ListOptions{Limit: pageSize}
	for restarts := 0; ; {
		l, err := again.Try(ctx, func() (L, error) { return list(ctx, opts) })
		if apierrors.IsResourceExpired(err) && restarts < 2 && opts.Continue != "" {
			restarts++
			all, opts = nil, metav1.ListOptions{}
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, items(l)...)
		if opts.Continue = l.GetContinue(); opts.Continue == "" {
			return all, nil
		}
	}
}

// readServices lists the Services of a namespace. A user who may get the
// Services named but not list them is served too.
func readServices(ctx context.Context, c *clients, t Target, ns string) ([]corev1.Service, error) {
	all, err := listAll(ctx, c.core.Services(ns).List, func(l *corev1.ServiceList) []corev1.Service { return l.Items })
	if err == nil {
		return all, nil
	}
	if !apierrors.IsForbidden(err) || len(t.Names) == 0 || len(t.Workloads) > 0 || ns == "" {
		return nil, readError("services", ns, err)
	}
	for _, name := range t.Names {
		svc, err := again.Try(ctx, func() (*corev1.Service, error) { return c.core.Services(ns).Get(ctx, name, metav1.GetOptions{}) })
		if apierrors.IsNotFound(err) {
			return nil, &NotFoundError{Namespace: ns, Name: name}
		}
		if err != nil {
			return nil, readError("services", ns, err)
		}
		all = append(all, *svc)
	}
	return all, nil
}

// readError words a failure to read the very thing that was asked about.
func readError(resource, ns string, err error) error {
	where := "namespace " + ns
	if ns == "" {
		where = "all namespaces"
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("reading %s in %s: %w", resource, where, err)
	}
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("reading %s in %s: %w; ask for the verbs get and list on %s there", resource, where, err, resource)
	}
	return fmt.Errorf("reading %s in %s: %w", resource, where, err)
}

// slim drops what no rule reads and what should not be kept.
func slim(s *Snapshot) {
	for i := range s.Services {
		s.Services[i].ManagedFields = balancerTimes(&s.Services[i])
	}
	for i := range s.EndpointSlices {
		s.EndpointSlices[i].ManagedFields = nil
	}
	for i := range s.Pods {
		s.Pods[i].ManagedFields = nil
	}
	keepImages(s)
	for i := range s.Nodes {
		s.Nodes[i].ManagedFields = nil
	}
	for i := range s.Deployments {
		keepChanges(&s.Deployments[i].ObjectMeta)
	}
	for i := range s.ReplicaSets {
		keepChanges(&s.ReplicaSets[i].ObjectMeta)
	}
	for i := range s.StatefulSets {
		keepChanges(&s.StatefulSets[i].ObjectMeta)
	}
	for i := range s.DaemonSets {
		keepChanges(&s.DaemonSets[i].ObjectMeta)
	}
	for i := range s.Events {
		s.Events[i].ManagedFields = nil
	}
}

// keepChanges keeps of an object's managed fields when anything but its status was
// set: nothing else tells when it was last changed.
func keepChanges(m *metav1.ObjectMeta) {
	var out []metav1.ManagedFieldsEntry
	for _, e := range m.ManagedFields {
		if e.Time != nil && e.Subresource != "status" {
			out = append(out, metav1.ManagedFieldsEntry{Time: e.Time})
		}
	}
	m.ManagedFields = out
}

// lastKept is the newest of the times that slim has kept, or else when the object
// was created.
func lastKept(m *metav1.ObjectMeta) time.Time {
	last := m.CreationTimestamp.Time
	for _, e := range m.ManagedFields {
		if e.Time != nil && e.Time.After(last) {
			last = e.Time.Time
		}
	}
	return last
}

// searchElsewhere looks in all namespaces for the Pods of Services whose
// selector matches none in their own, and returns the Services that these Pods have
// where they are.
func searchElsewhere(ctx context.Context, c *clients, s *Snapshot) (homes []corev1.Service, err error) {
	v := newView(s)
	var left []string
	var found []corev1.Pod
	for i, svc := range v.bareTargets() {
		if i >= maxElsewhere {
			left = append(left, svc.Namespace+"/"+svc.Name)
			continue
		}
		selector := labels.SelectorFromSet(svc.Spec.Selector).String()
		list, err := again.Try(ctx, func() (*corev1.PodList, error) {
			return c.core.Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: 50})
		})
		if err != nil {
			s.Gaps = append(s.Gaps, Gap{Resource: gapElsewhere, Reason: probe.Printable(err.Error(), maxReason)})
			return nil, nil
		}
		for _, p := range list.Items {
			if p.Namespace != svc.Namespace && p.Labels[LabelProbe] == "" && v.pod(p.Namespace, p.Name) == nil {
				p.ManagedFields = nil
				found = append(found, p)
			}
		}
	}
	if len(left) > 0 {
		s.Gaps = append(s.Gaps, Gap{Resource: gapElsewhere, Reason: probe.Printable(
			fmt.Sprintf("those of %d Services were looked for, not those of %s; verify these alone", maxElsewhere, shortList(left, 3)), maxReason)})
	}
	s.Pods = append(s.Pods, found...)
	if len(found) == 0 {
		return nil, nil
	}
	homes, err = listAll(ctx, c.core.Services(metav1.NamespaceAll).List, func(l *corev1.ServiceList) []corev1.Service { return l.Items })
	homes = slices.DeleteFunc(homes, func(svc corev1.Service) bool {
		return !slices.ContainsFunc(found, func(p corev1.Pod) bool { return p.Namespace == svc.Namespace && selects(&svc, p.Labels) })
	})
	for i := range homes {
		homes[i].ManagedFields = nil
	}
	return homes, err
}

// gapElsewhere marks in Snapshot.Gaps that other namespaces' Pods could not be seen.
const gapElsewhere = "pods in other namespaces"
