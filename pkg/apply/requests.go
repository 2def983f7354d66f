package apply

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// patchRequest is one PATCH of an object.
type patchRequest struct {
	object *unstructured.Unstructured
	kind   types.PatchType
	data   []byte
	dryRun bool
	force  bool
}

// serverSideApply applies an object as it is.
func (c *Client) serverSideApply(ctx context.Context, u *unstructured.Unstructured, dryRun, force bool) (*unstructured.Unstructured, error) {
	data, err := u.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return c.patch(ctx, patchRequest{object: u, kind: types.ApplyPatchType, data: data, dryRun: dryRun, force: force})
}

// lastApplied is the path of the annotation that client-side apply writes:
// whoever owns it has applied the object client-side.
var lastApplied = fieldpath.NewSet(fieldpath.MakePathOrDie(
	"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"))

// migrants names the managers whose ownership becomes ours before we apply, as
// kubectl does for its own: those that applied client-side, and our own direct
// patches of a Service's type.
func migrants(live *unstructured.Unstructured) sets.Set[string] {
	names := sets.New[string]()
	entries := live.GetManagedFields()
	for _, e := range csaupgrade.FindFieldsOwners(entries, metav1.ManagedFieldsOperationUpdate, lastApplied) {
		names.Insert(e.Manager)
	}
	for _, e := range entries {
		if e.Manager == FieldManager && e.Operation == metav1.ManagedFieldsOperationUpdate && e.Subresource == "" {
			names.Insert(FieldManager)
		}
	}
	return names
}

// migrate makes the fields of live's migrants ours, so that applying can change
// and remove them. It tries again when somebody else writes meanwhile.
func (c *Client) migrate(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	const tries = 5
	for i := 0; ; i++ {
		data, err := csaupgrade.UpgradeManagedFieldsPatch(live, migrants(live), FieldManager)
		if err != nil {
			return nil, fmt.Errorf("taking over the fields that were applied client-side: %w", err)
		}
		if data == nil {
			return live, nil
		}
		updated, err := c.patch(ctx, patchRequest{object: live, kind: types.JSONPatchType, data: data})
		switch {
		case err == nil:
			return updated, nil
		case !apierrors.IsConflict(err) || i == tries:
			return nil, fmt.Errorf("taking over the fields that were applied client-side: %w", err)
		}
		if live, err = c.get(ctx, live); err != nil {
			return nil, err
		}
		if live == nil {
			return nil, fmt.Errorf("the object was deleted meanwhile; run it again")
		}
	}
}

// conflictsOf reads the fields and their managers out of a refused apply; nil
// when err is something else.
func conflictsOf(err error) []Conflict {
	status, ok := err.(apierrors.APIStatus) //nolint:errorlint // straight from the client
	if !ok || !apierrors.IsConflict(err) || status.Status().Details == nil {
		return nil
	}
	var conflicts []Conflict
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		// conflict with "kubectl-edit" with subresource "scale" using apps/v1
		manager := cause.Message
		if _, after, ok := strings.Cut(cause.Message, `"`); ok {
			manager, _, _ = strings.Cut(after, `"`)
		}
		field := strings.ReplaceAll(strings.TrimPrefix(cause.Field, "."), `"`, "")
		conflicts = append(conflicts, Conflict{Field: plain(field), Manager: plain(manager)})
	}
	return conflicts
}
