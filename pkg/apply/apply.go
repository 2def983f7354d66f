package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Apply applies a plan, one object after the other in the plan's order. The
// consent to what the plan interrupts is the caller's matter. A cancelled ctx
// stops it between two objects; the error then says what was applied.
func (c *Client) Apply(ctx context.Context, p *Plan, progress func(Event)) error {
	p.began = c.clock.Now()
	var todo []step
	for _, ns := range p.newNamespaces {
		todo = append(todo, step{Change: &Change{Object: refOf(namespaceObject(ns)), Action: ActionCreate, desired: namespaceObject(ns)}})
	}
	for i := range p.Changes {
		todo = append(todo, step{Change: &p.Changes[i], planned: true})
	}
	var applied []Ref
	for i, s := range todo {
		message, err := "", ctx.Err()
		if err == nil {
			message, err = c.applyOne(ctx, s, p.force)
		}
		if err != nil {
			e := &IncompleteError{Object: s.Object, Applied: applied, Err: err}
			for _, rest := range todo[i:] {
				e.Pending = append(e.Pending, rest.Object)
			}
			return e
		}
		applied = append(applied, s.Object)
		if progress != nil {
			progress(Event{Phase: PhaseApply, Object: s.Object, Message: message, Done: true})
		}
	}
	return nil
}

// step is one object to apply; planned ones stand in the plan.
type step struct {
	*Change
	planned bool
}

// applyOne applies one object and says what that did, in kubectl's words.
func (c *Client) applyOne(ctx context.Context, s step, force bool) (string, error) {
	if s.Action == ActionUnchanged && s.settled {
		return "unchanged", nil
	}
	ctx, warned := withWarnings(ctx)
	if s.unserved {
		if err := c.served(ctx, s.desired.GroupVersionKind()); err != nil {
			return "", err
		}
	}
	got, live, err := c.send(ctx, s, force)
	if err != nil {
		return "", err
	}
	s.generation = got.GetGeneration()
	if s.planned {
		for _, w := range warned.all() {
			s.warn(w)
		}
	}
	if t := s.Transition; t != nil && live != nil {
		return fmt.Sprintf("configured: %s → %s", t.From, t.To), nil
	}
	switch {
	case live == nil:
		return "created", nil
	case got.GetResourceVersion() == live.GetResourceVersion(), s.Action == ActionUnchanged:
		return "unchanged", nil
	}
	return "configured", nil
}

// warn keeps a warning that the dry run did not already give.
func (ch *Change) warn(text string) {
	for _, have := range ch.Warnings {
		if have == text {
			return
		}
	}
	ch.Warnings = append(ch.Warnings, text)
}

// send makes the change. The live object is read again where the way to change
// it depends on what it is, since consent was given to what the plan says.
func (c *Client) send(ctx context.Context, s step, force bool) (got, live *unstructured.Unstructured, err error) {
	live = s.live
	if live == nil && !isService(s.desired) {
		got, err = c.serverSideApply(ctx, s.desired, false, force)
		return got, nil, asConflict(s.Object, err)
	}
	if live == nil || s.Transition != nil || isService(s.desired) || migrants(live).Len() > 0 {
		if live, err = c.get(ctx, s.desired); err != nil {
			return nil, nil, err
		}
	}
	sw, err := switchOf(live, s.desired)
	if err != nil {
		return nil, nil, err
	}
	if sw != nil {
		if sw.Interrupts && (s.Transition == nil || s.Transition.From != sw.From) {
			return nil, nil, fmt.Errorf("it became %s since the plan was made, and changing it to %s interrupts it; plan again", sw.From, sw.To)
		}
		got, err = c.applySwitch(ctx, sw, force)
		return got, live, asConflict(s.Object, err)
	}
	if live != nil {
		if live, err = c.migrate(ctx, live); err != nil {
			return nil, nil, err
		}
	}
	got, err = c.serverSideApply(ctx, s.desired, false, force)
	if err == nil && isService(got) {
		err = isType(got, s.desired)
	}
	return got, live, asConflict(s.Object, err)
}

// isType makes sure that a Service is of the type asked for.
func isType(got, desired *unstructured.Unstructured) error {
	is, err := toService(got)
	if err != nil {
		return err
	}
	want, err := toService(desired)
	if err != nil {
		return err
	}
	if TypeOf(is) != TypeOf(want) {
		return fmt.Errorf("it is %s, not %s: %w; apply it again", TypeOf(is), TypeOf(want), errSilent)
	}
	return nil
}

// asConflict explains a conflict that came up since the plan was made.
func asConflict(ref Ref, err error) error {
	if apierrors.IsConflict(err) {
		if conflicts := conflictsOf(err); conflicts != nil {
			return &ConflictError{Object: ref, Conflicts: conflicts, Err: err}
		}
	}
	return err
}
