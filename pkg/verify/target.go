package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// Target says which Services to verify.
type Target struct {
	Namespace string
	// Names lists Services by name. Without Names and Workloads all are meant that
	// the rest selects.
	Names []string
	// LabelSelector selects Services by their labels, in kubectl's syntax.
	LabelSelector string
	AllNamespaces bool
	// Workloads stand for the Services that select their Pods.
	Workloads []Workload
}

// Workload names an object whose Pods are to be reached.
type Workload struct {
	Kind string // Deployment, StatefulSet, DaemonSet, ReplicaSet or Pod; any case
	Name string
}

// NotFoundError says that a Service, or a workload given for one, does not exist.
type NotFoundError struct {
	Kind      string // "Service" when empty
	Namespace string
	Name      string
	Near      []string // names alike in the same namespace, nearest first
	Elsewhere []string // other namespaces that have one of this name
}

// Error names the object and the next step.
func (e *NotFoundError) Error() string {
	kind := e.Kind
	if kind == "" {
		kind = "Service"
	}
	msg := fmt.Sprintf("%s/%s does not exist in namespace %s", kind, e.Name, e.Namespace)
	var hints []string
	if len(e.Near) > 0 {
		hints = append(hints, "did you mean "+strings.Join(e.Near, " or ")+"?")
	}
	if len(e.Elsewhere) > 0 {
		hints = append(hints, "namespace "+strings.Join(e.Elsewhere, ", ")+" has one of that name (-n "+e.Elsewhere[0]+")")
	}
	if len(hints) == 0 {
		hints = append(hints, shell.Advice("see what there is", shell.Kubectl("get %s -n %s", strings.ToLower(kind), e.Namespace)))
	}
	return msg + "; " + strings.Join(hints, "; ")
}

// NoNamespaceError says that the namespace asked about does not exist.
type NoNamespaceError struct {
	Namespace string
	Near      []string // names alike, nearest first
	// Elsewhere are other namespaces that have a Service of the name asked about.
	Elsewhere []string
}

// Error names the namespace and the next step.
func (e *NoNamespaceError) Error() string {
	msg := fmt.Sprintf("namespace %s does not exist", e.Namespace)
	switch {
	case len(e.Near) > 0:
		return msg + "; did you mean " + strings.Join(e.Near, " or ") + "?"
	case len(e.Elsewhere) > 0:
		return msg + "; namespace " + strings.Join(e.Elsewhere, ", ") + " has a Service of that name (-n " + e.Elsewhere[0] + ")"
	}
	return msg + "; " + shell.Advice("see what there is", shell.Kubectl("get namespaces"))
}

// noNamespace is the error of a namespace that does not exist; nil where it does, or
// where that may not be known.
func noNamespace(ctx context.Context, c *clients, s *Snapshot, name string, elsewhere []string) error {
	if name == metav1.NamespaceAll || len(s.Services)+len(s.Pods) > 0 { // all that was read is of it
		return nil
	}
	if _, err := c.core.Namespaces().Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return nil
	}
	e := &NoNamespaceError{Namespace: name, Elsewhere: elsewhere}
	var names []string
	list, err := c.core.Namespaces().List(ctx, metav1.ListOptions{Limit: pageSize})
	if err != nil {
		return e // not permitted to look; the error stands without the hint
	}
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	e.Near = near(name, names)
	return e
}

// NoServicesError says that nothing was selected.
type NoServicesError struct{ Where string }

// Error names what was searched.
func (e *NoServicesError) Error() string {
	return "no Service found " + e.Where + "; see what there is: kubectl get services -A"
}

// findTargets returns the keys (namespace/name) of the Services asked about.
func findTargets(ctx context.Context, c *clients, s *Snapshot, t Target) ([]string, error) {
	if len(t.Names) > 0 || len(t.Workloads) > 0 {
		return namedTargets(ctx, c, s, t)
	}
	sel := labels.Everything()
	where := "in namespace " + t.Namespace
	if t.AllNamespaces {
		where = "in any namespace"
	}
	if t.LabelSelector != "" {
		var err error
		if sel, err = labels.Parse(t.LabelSelector); err != nil {
			return nil, fmt.Errorf("the label selector %q: %w", t.LabelSelector, err)
		}
		where += " with labels " + t.LabelSelector
	}
	var keys []string
	for i := range s.Services {
		if sel.Matches(labels.Set(s.Services[i].Labels)) {
			keys = append(keys, s.Services[i].Namespace+"/"+s.Services[i].Name)
		}
	}
	if len(keys) == 0 {
		if !t.AllNamespaces {
			if err := noNamespace(ctx, c, s, t.Namespace, nil); err != nil {
				return nil, err
			}
		}
		return nil, &NoServicesError{Where: where}
	}
	sort.Strings(keys)
	return keys, nil
}

// namedTargets finds the Services that are named, and those that workloads stand for,
// each once.
func namedTargets(ctx context.Context, c *clients, s *Snapshot, t Target) ([]string, error) {
	var keys []string
	add := func(key string) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, name := range t.Names {
		found := false
		for i := range s.Services {
			svc := &s.Services[i]
			if svc.Name == name && (t.AllNamespaces || svc.Namespace == t.Namespace) {
				add(svc.Namespace + "/" + name)
				found = true
			}
		}
		if key := t.Namespace + "/" + name; !found && !t.AllNamespaces && s.absent(key) != nil {
			add(key)
			found = true
		}
		if !found {
			return nil, notFound(ctx, c, s, t.Namespace, name)
		}
	}
	for _, w := range t.Workloads {
		of, err := workloadTargets(s, t.Namespace, w)
		var missing *NotFoundError
		if errors.As(err, &missing) {
			if err := noNamespace(ctx, c, s, t.Namespace, nil); err != nil {
				return nil, err
			}
		}
		if err != nil {
			return nil, err
		}
		for _, key := range of {
			add(key)
		}
	}
	return keys, nil
}

// notFound builds the error for a missing Service, looking for its name elsewhere.
func notFound(ctx context.Context, c *clients, s *Snapshot, ns, name string) error {
	e := &NotFoundError{Namespace: ns, Name: name}
	var names []string
	for i := range s.Services {
		if s.Services[i].Namespace == ns {
			names = append(names, s.Services[i].Name)
		}
	}
	e.Near = near(name, names)
	list, err := c.core.Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name, Limit: 20})
	if err != nil {
		return e // not permitted to look; the error stands without the hint
	}
	for _, svc := range list.Items {
		if svc.Namespace != ns {
			e.Elsewhere = append(e.Elsewhere, svc.Namespace)
		}
	}
	sort.Strings(e.Elsewhere)
	if err := noNamespace(ctx, c, s, ns, e.Elsewhere); err != nil {
		return err
	}
	return e
}

// near returns up to three of names that are alike, the nearest first.
func near(name string, names []string) []string {
	type scored struct {
		name  string
		score int
	}
	var out []scored
	for _, n := range names {
		d := nearest.Distance(name, n)
		if strings.HasPrefix(n, name+"-") || strings.HasPrefix(name, n+"-") {
			d = min(d, 2)
		}
		if d <= max(2, len(name)/3) {
			out = append(out, scored{n, d})
		}
	}
	slices.SortFunc(out, func(a, b scored) int {
		if a.score != b.score {
			return a.score - b.score
		}
		return compareStrings(a.name, b.name)
	})
	var res []string
	for _, o := range out[:min(3, len(out))] {
		res = append(res, o.name)
	}
	return res
}

// workloadTargets finds the Services whose selector takes in a workload's Pods.
func workloadTargets(s *Snapshot, namespace string, w Workload) ([]string, error) {
	set, kind, ok := workloadLabels(s, namespace, w)
	if !ok {
		return nil, &NotFoundError{Kind: kind, Namespace: namespace, Name: w.Name, Near: near(w.Name, workloadNames(s, namespace, kind))}
	}
	var keys []string
	for i := range s.Services {
		svc := &s.Services[i]
		if svc.Namespace == namespace && selects(svc, set) {
			keys = append(keys, svc.Namespace+"/"+svc.Name)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no Service in namespace %s selects the Pods of %s/%s; %s", namespace, kind, w.Name,
			shell.Advice("make one", shell.Kubectl("expose %s %s -n %s --port=PORT", strings.ToLower(kind), w.Name, namespace)))
	}
	return keys, nil
}

// workloadLabels returns the labels of a workload's Pods and its kind in proper case.
func workloadLabels(s *Snapshot, ns string, w Workload) (map[string]string, string, bool) {
	name := w.Name
	switch strings.ToLower(w.Kind) {
	case "deployment", "deployments", "deploy":
		if d := objectOf(s.Deployments, ns, name); d != nil {
			return d.Spec.Template.Labels, "Deployment", true
		}
		return nil, "Deployment", false
	case "statefulset", "statefulsets", "sts":
		if d := objectOf(s.StatefulSets, ns, name); d != nil {
			return d.Spec.Template.Labels, "StatefulSet", true
		}
		return nil, "StatefulSet", false
	case "daemonset", "daemonsets", "ds":
		if d := objectOf(s.DaemonSets, ns, name); d != nil {
			return d.Spec.Template.Labels, "DaemonSet", true
		}
		return nil, "DaemonSet", false
	case "replicaset", "replicasets", "rs":
		if d := objectOf(s.ReplicaSets, ns, name); d != nil {
			return d.Spec.Template.Labels, "ReplicaSet", true
		}
		return nil, "ReplicaSet", false
	case "pod", "pods", "po":
		if p := objectOf(s.Pods, ns, name); p != nil {
			return p.Labels, "Pod", true
		}
		return nil, "Pod", false
	}
	return nil, w.Kind, false
}

// workloadNames lists the names of a namespace's workloads of one kind.
func workloadNames(s *Snapshot, ns, kind string) []string {
	var out []string
	add := func(m *metav1.ObjectMeta) {
		if m.Namespace == ns {
			out = append(out, m.Name)
		}
	}
	switch kind {
	case "Deployment":
		for i := range s.Deployments {
			add(&s.Deployments[i].ObjectMeta)
		}
	case "StatefulSet":
		for i := range s.StatefulSets {
			add(&s.StatefulSets[i].ObjectMeta)
		}
	case "DaemonSet":
		for i := range s.DaemonSets {
			add(&s.DaemonSets[i].ObjectMeta)
		}
	case "ReplicaSet":
		for i := range s.ReplicaSets {
			add(&s.ReplicaSets[i].ObjectMeta)
		}
	case "Pod":
		for i := range s.Pods {
			add(&s.Pods[i].ObjectMeta)
		}
	}
	return out
}

// selects reports whether a Service's selector takes in Pods of these labels.
// No selector selects nothing; an ExternalName's is ignored by Kubernetes.
func selects(svc *corev1.Service, set map[string]string) bool {
	if len(svc.Spec.Selector) == 0 || svc.Spec.Type == corev1.ServiceTypeExternalName {
		return false
	}
	for k, v := range svc.Spec.Selector {
		if got, ok := set[k]; !ok || got != v {
			return false
		}
	}
	return true
}
