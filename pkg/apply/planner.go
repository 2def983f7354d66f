package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// PlanOptions say how objects are to be applied.
type PlanOptions struct {
	// Namespace is for objects that name none.
	Namespace string
	// EnforceNamespace refuses objects that name another namespace, as kubectl
	// does when -n is given.
	EnforceNamespace bool
	// CreateNamespace is the consent to create a namespace that does not exist.
	CreateNamespace bool
	// ForceConflicts takes over fields that other field managers own.
	ForceConflicts bool
}

// Interrupts tells whether clients lose a Service by applying the plan, for a
// moment or for good. The consent to it is the caller's matter.
func (p *Plan) Interrupts() bool {
	return slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Transition != nil && c.Transition.Interrupts })
}

// Plan asks the API server what applying objs would change, and changes
// nothing. The problems of all objects are reported together.
func (c *Client) Plan(ctx context.Context, objs []*unstructured.Unstructured, o PlanOptions) (*Plan, error) {
	desired, unserved, err := c.prepare(ctx, objs, o)
	if err != nil {
		return nil, err
	}
	missing, err := c.missingNamespaces(ctx, desired)
	if err != nil {
		return nil, err
	}
	p := &Plan{force: o.ForceConflicts}
	declared := map[string]bool{}
	for _, u := range desired {
		if u.GetKind() == "Namespace" {
			declared[u.GetName()] = true
		}
	}
	for ns, cause := range missing {
		if declared[ns] {
			continue
		}
		if !o.CreateNamespace {
			return nil, &NamespaceError{Namespace: ns, Err: cause}
		}
		p.newNamespaces = append(p.newNamespaces, ns)
	}
	slices.Sort(p.newNamespaces)
	p.CreatesNamespace = strings.Join(p.newNamespaces, ", ")
	for _, ns := range p.newNamespaces {
		if _, err := c.serverSideApply(ctx, namespaceObject(ns), true, o.ForceConflicts); err != nil {
			return nil, fmt.Errorf("planning Namespace/%s: %w", ns, err)
		}
	}

	p.Changes = make([]Change, len(desired))
	errs := make([]error, len(desired))
	notes := make([][]string, len(desired))
	each(len(desired), func(i int) {
		u := desired[i]
		if unserved[u.GroupVersionKind()] || missing[u.GetNamespace()] != nil {
			p.Changes[i], errs[i] = planUnseen(u)
			p.Changes[i].unserved = unserved[u.GroupVersionKind()]
			return
		}
		p.Changes[i], notes[i], errs[i] = c.planOne(ctx, u, desired, o)
	})
	if err := firstOrAll(errs); err != nil {
		return nil, err
	}
	for _, n := range notes {
		p.Notes = append(p.Notes, n...)
	}
	return p, nil
}

// each runs work for 0..n-1, a bounded number at once.
func each(n int, work func(i int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			work(i)
		})
	}
	wg.Wait()
}

// firstOrAll joins what the API server said of each object; what concerns the
// server itself (unreachable, unauthorised) is said once.
func firstOrAll(errs []error) error {
	for _, err := range errs {
		if err == nil {
			continue
		}
		var conflict *ConflictError
		if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) && !apierrors.IsForbidden(err) && !errors.As(err, &conflict) {
			return err
		}
	}
	return errors.Join(errs...)
}

// prepare copies the objects, gives them their namespace and sorts them. Unserved are
// the kinds that the server does not know before it has their definitions, which are
// among the objects.
func (c *Client) prepare(ctx context.Context, objs []*unstructured.Unstructured, o PlanOptions) (out []*unstructured.Unstructured, unserved map[schema.GroupVersionKind]bool, err error) {
	out = make([]*unstructured.Unstructured, 0, len(objs))
	declared := declaredKinds(objs)
	unserved = map[schema.GroupVersionKind]bool{}
	for _, u := range sorted(objs) {
		u = u.DeepCopy()
		ref := refOf(u)
		if u.GetName() == "" {
			return nil, nil, fmt.Errorf("%s in the manifests has no metadata.name", u.GetKind())
		}
		scope, isNew, err := c.scope(ctx, u.GroupVersionKind(), declared)
		if err != nil {
			return nil, nil, fmt.Errorf("planning %s: %w", ref, err)
		}
		if isNew {
			unserved[u.GroupVersionKind()] = true
		}
		switch {
		case scope == meta.RESTScopeNameRoot:
			if u.GetNamespace() != "" {
				u.SetNamespace("") // kustomize's namespace transformer knows no custom kinds
			}
		case u.GetNamespace() == "":
			if o.Namespace == "" {
				return nil, nil, fmt.Errorf("%s names no namespace; choose one with -n", ref)
			}
			u.SetNamespace(o.Namespace)
		case o.EnforceNamespace && u.GetNamespace() != o.Namespace:
			return nil, nil, fmt.Errorf("%s is for namespace %q, not %q; leave -n out, or change the manifest", ref, u.GetNamespace(), o.Namespace)
		}
		// What only a live object has; a manifest exported from one may hold it.
		for _, f := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"} {
			unstructured.RemoveNestedField(u.Object, "metadata", f)
		}
		unstructured.RemoveNestedField(u.Object, "status")
		out = append(out, u)
	}
	return out, unserved, errors.Join(duplicate(out), sharedNodePort(out))
}

// missingNamespaces returns the namespaces of objs that do not exist, each with
// the API server's answer. A namespace that may not be read is taken to exist:
// the dry run in it tells.
func (c *Client) missingNamespaces(ctx context.Context, objs []*unstructured.Unstructured) (map[string]error, error) {
	missing := map[string]error{}
	seen := map[string]bool{}
	for _, u := range objs {
		ns := u.GetNamespace()
		if ns == "" || seen[ns] {
			continue
		}
		seen[ns] = true
		ri, err := c.resource(ctx, namespaceObject(ns))
		if err != nil {
			return nil, err
		}
		live, err := again.Try(ctx, func() (*unstructured.Unstructured, error) { return ri.Get(ctx, ns, getOptions) })
		switch {
		case apierrors.IsNotFound(err):
			missing[ns] = err
		case apierrors.IsForbidden(err):
		case err != nil:
			return nil, fmt.Errorf("reading Namespace/%s: %w", ns, err)
		case live.GetDeletionTimestamp() != nil:
			return nil, fmt.Errorf("Namespace/%s is being deleted; %s", ns, shell.Advice("wait until it is gone", command("wait --for=delete", namespaceObject(ns))))
		}
	}
	return missing, nil
}

func namespaceObject(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}
}

// planUnseen plans an object whose namespace does not exist yet, or whose kind: the API
// server refuses even a dry run there (kubernetes#83562), so it is checked offline.
func planUnseen(u *unstructured.Unstructured) (Change, error) {
	ch := Change{Object: refOf(u), Action: ActionCreate, desired: u}
	if errs := checkStrict(u); len(errs) > 0 {
		return ch, fmt.Errorf("%s: %w", ch.Object, errors.Join(errs...))
	}
	return ch, nil
}

// planOne plans an object by a dry run of applying it.
func (c *Client) planOne(ctx context.Context, u *unstructured.Unstructured, all []*unstructured.Unstructured, o PlanOptions) (Change, []string, error) {
	ctx, warned := withWarnings(ctx)
	ch := Change{Object: refOf(u), desired: u}
	fail := func(err error) (Change, []string, error) {
		var conflict *ConflictError
		if errors.As(err, &conflict) {
			return ch, nil, err
		}
		return ch, nil, fmt.Errorf("planning %s: %w", ch.Object, advise(u, err))
	}
	live, err := c.get(ctx, u)
	if err != nil {
		return fail(err)
	}
	ch.live = live
	if live != nil && live.GetDeletionTimestamp() != nil {
		return fail(fmt.Errorf("it is being deleted; %s", shell.Advice("wait until it is gone", command("wait --for=delete", u))))
	}
	notes, err := c.checkNodePorts(ctx, live, u)
	if err != nil {
		return fail(err)
	}
	merged, err := c.serverSideApply(ctx, u, true, o.ForceConflicts)
	if live == nil {
		if gone := c.forgotten(ctx, u, err); gone != nil {
			if _, ok := declaredKinds(all)[u.GroupVersionKind()]; !ok {
				return fail(gone)
			}
			ch, err = planUnseen(u)
			ch.unserved = true
			return ch, nil, err
		}
		if apierrors.IsNotFound(err) && u.GetNamespace() != "" {
			return ch, nil, &NamespaceError{Namespace: u.GetNamespace(), Err: err}
		}
		if err != nil {
			return fail(err)
		}
		ch.Action, ch.Warnings = ActionCreate, warned.all()
		return ch, notes, nil
	}
	movers := migrants(live)
	if conflicts := conflictsOf(err); conflicts != nil {
		conflicts = slices.DeleteFunc(conflicts, func(f Conflict) bool { return movers.Has(f.Manager) })
		if len(conflicts) > 0 {
			return fail(&ConflictError{Object: ch.Object, Conflicts: conflicts, Err: err})
		}
	} else if err != nil && !apierrors.IsInvalid(err) {
		return fail(err)
	}

	sw, serr := switchOf(live, u)
	switch {
	case serr != nil:
		return fail(serr)
	case sw != nil:
		ch.Transition = sw.Transition
		if sw.Via != "" || err != nil || movers.Len() > 0 || len(sw.stale(merged)) > 0 {
			var more []string
			merged, more, err = c.rehearse(ctx, sw)
			notes = append(notes, more...)
		}
		if err != nil {
			return fail(err)
		}
		merged = sw.maskAllocated(merged)
	case movers.Len() > 0:
		merged, err = c.threeWay(ctx, live, u)
	}
	if err != nil {
		return fail(err)
	}
	if isService(u) && specType(u) == string(ExternalName) {
		notes = append(notes, c.leftBehind(ctx, live, u, all)...)
	}
	ch.Diffs = diffObjects(live, merged)
	ch.Warnings = warned.all()
	switch {
	case sw != nil && sw.Via != "":
		ch.Action = ActionTransition
	case sw != nil || len(ch.Diffs) > 0:
		ch.Action = ActionUpdate
	default:
		ch.Action = ActionUnchanged
		ch.settled = movers.Len() == 0 && ownedBy(live) != "" && ownedBy(live) == ownedBy(merged)
	}
	return ch, notes, nil
}

// ownedBy returns the fields that an object's last apply by us set.
func ownedBy(u *unstructured.Unstructured) string {
	for _, e := range u.GetManagedFields() {
		if e.Manager == FieldManager && e.Operation == "Apply" && e.Subresource == "" && e.FieldsV1 != nil {
			return string(e.FieldsV1.GetRawBytes())
		}
	}
	return ""
}

// command is what is to be copied about an object: "kubectl delete deployment/redis
// -n default".
func command(verb string, u *unstructured.Unstructured) string {
	object := strings.ToLower(u.GetKind()) + "/" + u.GetName()
	if ns := u.GetNamespace(); ns != "" {
		return shell.Kubectl(verb+" %s -n %s", object, ns)
	}
	return shell.Kubectl(verb+" %s", object)
}
