package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/servicetype"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// serviceSwitch is a change of a live Service's type.
type serviceSwitch struct {
	*Transition
	live, desired *unstructured.Unstructured
}

// switchOf returns the change of type that applying desired to live is; nil
// when it is none.
func switchOf(live, desired *unstructured.Unstructured) (*serviceSwitch, error) {
	if live == nil || !isService(live) {
		return nil, nil
	}
	from, err := toService(live)
	if err != nil {
		return nil, err
	}
	to, err := toService(desired)
	if err != nil {
		return nil, err
	}
	t := TransitionOf(from, to)
	if t == nil {
		return nil, nil
	}
	return &serviceSwitch{Transition: t, live: live, desired: desired}, nil
}

func isService(u *unstructured.Unstructured) bool {
	return u.GetKind() == "Service" && u.GetAPIVersion() == "v1"
}

func toService(u *unstructured.Unstructured) (*corev1.Service, error) {
	s := &corev1.Service{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, s); err != nil {
		return nil, fmt.Errorf("reading Service/%s: %w", u.GetName(), err)
	}
	return s, nil
}

// stale lists the fields of u that the new type has no use for and the
// manifest does not ask for.
func (s *serviceSwitch) stale(u *unstructured.Unstructured) [][]string {
	return staleFields(u, s.desired, s.To)
}

// staleFields goes over the fields that only some types use. The API server drops some
// of them by itself, refuses others, and keeps the rest without a word, to be in force
// again on the way back (dropTypeDependentFields and ValidateService in
// k8s.io/kubernetes).
func staleFields(u, desired *unstructured.Unstructured, to ServiceType) [][]string {
	if u == nil {
		return nil
	}
	var found [][]string
	drop := func(path ...string) {
		_, has := nested(u, path...)
		if _, wanted := nested(desired, path...); has && !wanted {
			found = append(found, path)
		}
	}
	affinity, _ := nested(u, "spec", "sessionAffinity")
	for _, name := range servicetype.Fields() {
		keep := servicetype.Uses(to, name)
		switch name {
		case "externalTrafficPolicy":
			keep = keep || keepsExternalIPs(u, desired, to)
		case "internalTrafficPolicy", "trafficDistribution":
			keep = keep || to == Headless // the API server takes them there, and fills in the first
		case "sessionAffinity": // always there; what it is when nobody asks is None
			keep = keep || affinity != string(corev1.ServiceAffinityClientIP)
		}
		if !keep {
			drop("spec", name)
		}
	}
	if to != LoadBalancer {
		drop("metadata", "annotations", corev1.AnnotationLoadBalancerSourceRangesKey)
	}
	if to == ExternalName {
		drop("spec", "ports")
	}
	if to == NodePort || to == LoadBalancer {
		return found
	}
	ports, _ := nested(u, "spec", "ports")
	if list, ok := ports.([]any); ok && to != ExternalName {
		for i, p := range list {
			if m, ok := p.(map[string]any); ok && m["nodePort"] != nil {
				found = append(found, []string{"spec", "ports", fmt.Sprint(i), "nodePort"})
			}
		}
	}
	return found
}

// keepsExternalIPs says whether a Service of API type ClusterIP has external IPs still:
// then it has an externalTrafficPolicy too, which the API server would only fill in again.
func keepsExternalIPs(u, desired *unstructured.Unstructured, to ServiceType) bool {
	has, _ := nested(u, "spec", "externalIPs")
	ips, _ := has.([]any)
	_, wanted := nested(desired, "spec", "externalIPs")
	return len(ips) > 0 && (to == ClusterIP || to == Headless && wanted)
}

func nested(u *unstructured.Unstructured, path ...string) (any, bool) {
	v, ok, err := unstructured.NestedFieldNoCopy(u.Object, path...)
	return v, ok && err == nil
}

// op is one operation of a JSON patch.
type op struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// direct gives a live Service another type and takes away every field that this
// type has no use for, whoever owns it, in one request. Server-side apply could
// not: it leaves what others own, which the API server may then refuse.
func (c *Client) direct(ctx context.Context, live, desired *unstructured.Unstructured, to ServiceType) (*unstructured.Unstructured, error) {
	apiType := string(to)
	if to == Headless {
		apiType = string(ClusterIP)
	}
	ops := []op{
		{Op: "replace", Path: "/metadata/resourceVersion", Value: live.GetResourceVersion()},
		{Op: "replace", Path: "/spec/type", Value: apiType},
	}
	intended := desired
	if to == ExternalName {
		name, _ := nested(desired, "spec", "externalName")
		if t, _ := nested(desired, "spec", "type"); t != string(ExternalName) {
			// A stop on the way: it keeps nothing of what it goes on to but external IPs,
			// which an admission plugin (DenyServiceExternalIPs) may not let be put back.
			name = interimName
			intended = &unstructured.Unstructured{Object: map[string]any{}}
			if ips, ok := nested(live, "spec", "externalIPs"); ok {
				intended.Object["spec"] = map[string]any{"externalIPs": ips}
			}
		}
		ops = append(ops, op{Op: "add", Path: "/spec/externalName", Value: name})
	}
	for _, path := range staleFields(live, intended, to) {
		ops = append(ops, op{Op: "remove", Path: pointer(path)})
	}
	data, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	return c.patch(ctx, patchRequest{object: live, kind: types.JSONPatchType, data: data})
}

// afterCancel bounds what is still done when a change of type is cancelled in
// the middle, and how long it takes to undo one: to leave the Service as an alias
// of nothing would be worse.
const afterCancel = 15 * time.Second

// outlive returns a context that goes on for afterCancel when ctx has ended. As
// long as it has not, nothing bounds it: an apply may be slow.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	long, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(afterCancel, cancel)
		context.AfterFunc(long, func() { t.Stop() })
	})
	return long, func() { stop(); cancel() }
}

// applySwitch changes a live Service's type and makes sure that it changed.
func (c *Client) applySwitch(ctx context.Context, s *serviceSwitch, force bool) (*unstructured.Unstructured, error) {
	before, err := c.migrate(ctx, s.live)
	if err != nil {
		return nil, err
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	var got *unstructured.Unstructured
	if s.Via != "" {
		got, err = c.throughType(ctx, before, s, s.Via, force)
	} else {
		got, err = c.serverSideApply(ctx, s.desired, false, force)
		if apierrors.IsInvalid(err) {
			got, err = c.throughType(ctx, before, s, s.To, force)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(s.stale(got)) > 0 {
		if got, err = c.direct(ctx, got, s.desired, s.To); err != nil {
			return nil, fmt.Errorf("removing the fields of its old type: %w", err)
		}
		if _, err = c.migrate(ctx, got); err != nil {
			return nil, err
		}
		// What the removal made the API server fill in became ours: give it up.
		if got, err = c.serverSideApply(ctx, s.desired, false, force); err != nil {
			return nil, err
		}
	}
	return got, s.check(got)
}

// throughType makes a Service one of type to by a direct patch, then applies
// what is desired. When that is refused, the Service is put back as it was.
func (c *Client) throughType(ctx context.Context, before *unstructured.Unstructured, s *serviceSwitch, to ServiceType, force bool) (*unstructured.Unstructured, error) {
	interim, err := c.direct(ctx, before, s.desired, to)
	if err != nil {
		if interim, err = c.madeAfterAll(ctx, before, s, to, err); err != nil {
			return nil, err
		}
	}
	if _, err = c.migrate(ctx, interim); err == nil {
		var got *unstructured.Unstructured
		if got, err = c.serverSideApply(ctx, s.desired, false, force); err == nil {
			return got, nil
		}
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterCancel)
	defer cancel()
	return c.putBack(undo, before, s, to, err)
}

// madeAfterAll looks whether a direct patch that failed with cause was made all
// the same: the answer to the first try may be lost, and the second is refused as
// a conflict then. It returns the Service as the patch made it, else an error.
func (c *Client) madeAfterAll(ctx context.Context, before *unstructured.Unstructured, s *serviceSwitch, to ServiceType, cause error) (*unstructured.Unstructured, error) {
	if again.Answered(cause) && !apierrors.IsConflict(cause) {
		return nil, cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterCancel)
	defer cancel()
	live, err := again.Insist(ctx, func() (*unstructured.Unstructured, error) { return c.get(ctx, before) })
	if err != nil {
		return nil, &SwitchError{Object: refOf(before), From: s.From, Now: to, Err: cause, Undo: err, Unsure: true}
	}
	if live == nil || live.GetUID() != before.GetUID() {
		return nil, cause
	}
	if svc, err := toService(live); err != nil || TypeOf(svc) != to {
		return nil, cause //nolint:nilerr // what cannot be read was not made by us
	}
	return live, nil
}

// putBack gives a Service whose change of type failed with cause the spec and the
// annotations that it had. An apply whose answer was lost may have been made all
// the same: then there is nothing to put back.
func (c *Client) putBack(ctx context.Context, before *unstructured.Unstructured, s *serviceSwitch, to ServiceType, cause error) (*unstructured.Unstructured, error) {
	failed := &SwitchError{Object: refOf(before), From: s.From, Now: to, Err: cause}
	live, err := again.Insist(ctx, func() (*unstructured.Unstructured, error) { return c.get(ctx, before) })
	switch {
	case err != nil:
		failed.Undo = err
		return nil, failed
	case live == nil:
		return nil, fmt.Errorf("%w; it was deleted meanwhile", cause)
	}
	if svc, err := toService(live); err == nil && to != s.To && TypeOf(svc) == s.To && live.GetUID() == before.GetUID() {
		return live, nil
	}
	data, err := json.Marshal(restore(before, live))
	if err != nil {
		return nil, err
	}
	_, failed.Undo = again.Insist(ctx, func() (*unstructured.Unstructured, error) {
		return c.patch(ctx, patchRequest{object: live, kind: types.JSONPatchType, data: data})
	})
	return nil, failed
}

// restore is the patch that gives live the spec that it had before, and the
// annotation that the way to another type took from it.
func restore(before, live *unstructured.Unstructured) []op {
	ops := []op{{Op: "replace", Path: "/spec", Value: before.Object["spec"]}}
	const key = corev1.AnnotationLoadBalancerSourceRangesKey
	have := live.GetAnnotations()
	_, has := have[key]
	v, had := before.GetAnnotations()[key]
	switch {
	case has || !had:
	case len(have) == 0:
		ops = append(ops, op{Op: "add", Path: "/metadata/annotations", Value: map[string]string{key: v}})
	default:
		ops = append(ops, op{Op: "add", Path: pointer([]string{"metadata", "annotations", key}), Value: v})
	}
	return ops
}

// check is the proof that a change of type happened: the API server accepts
// some without making them (kubernetes#120937).
func (s *serviceSwitch) check(got *unstructured.Unstructured) error {
	svc, err := toService(got)
	if err != nil {
		return err
	}
	if is := TypeOf(svc); is != s.To {
		return fmt.Errorf("it is still %s, not %s: %w; %s", is, s.To, errSilent, shell.Advice("delete it and apply again", command("delete", got)))
	}
	if got.GetUID() != s.live.GetUID() {
		return errors.New("it was deleted and created anew by somebody else meanwhile; " + shell.Advice("look at it before going on", command("get", got)+" -o yaml"))
	}
	return nil
}

// pointer writes a path as a JSON pointer.
func pointer(path []string) string {
	var b []byte
	for _, p := range path {
		b = append(b, '/')
		for i := range len(p) {
			switch p[i] {
			case '~':
				b = append(b, "~0"...)
			case '/':
				b = append(b, "~1"...)
			default:
				b = append(b, p[i])
			}
		}
	}
	return string(b)
}
