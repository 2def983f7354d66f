package apply

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// allocated stands for a value that the API server chooses when it is asked in earnest.
const allocated = "(allocated when it is applied)"

// threeWay predicts an object whose client-side ownership has yet to be
// migrated, which no dry run of server-side apply can show: by kubectl's own
// three-way merge of what was last applied, what is desired and what is live.
func (c *Client) threeWay(ctx context.Context, live, desired *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	original := []byte(live.GetAnnotations()[corev1.LastAppliedConfigAnnotation])
	if len(original) == 0 {
		original = []byte("{}")
	}
	modified, err := desired.MarshalJSON()
	if err != nil {
		return nil, err
	}
	current, err := live.MarshalJSON()
	if err != nil {
		return nil, err
	}
	req := patchRequest{object: live, dryRun: true}
	if typed, nerr := scheme.Scheme.New(live.GroupVersionKind()); nerr == nil {
		req.kind = types.StrategicMergePatchType
		shape, perr := strategicpatch.NewPatchMetaFromStruct(typed)
		if perr != nil {
			return nil, perr
		}
		req.data, err = strategicpatch.CreateThreeWayMergePatch(original, modified, current, shape, true)
	} else {
		req.kind = types.MergePatchType
		req.data, err = jsonmergepatch.CreateThreeWayJSONMergePatch(original, modified, current)
	}
	if err != nil {
		return nil, fmt.Errorf("comparing with what was last applied: %w", err)
	}
	return c.patch(ctx, req)
}

// rehearse predicts a change of type that cannot be tried on the live Service
// without making it: by a dry run of creating a Service like the desired one
// under another name. Addresses and node ports that the live one holds are left
// out, since it holds them itself.
func (c *Client) rehearse(ctx context.Context, s *serviceSwitch) (*unstructured.Unstructured, []string, error) {
	const maxName = 63
	const suffix = "-svcx"
	u := s.desired.DeepCopy()
	name := u.GetName()
	stage := name[:min(len(name), maxName-len(suffix))] + suffix
	u.SetName(stage)
	for _, f := range []string{"clusterIP", "healthCheckNodePort"} {
		want, _ := nested(u, "spec", f)
		if have, ok := nested(s.live, "spec", f); ok && have == want && have != corev1.ClusterIPNone {
			unstructured.RemoveNestedField(u.Object, "spec", f)
		}
	}
	held := nodePorts(s.live)
	eachPort(u, func(p map[string]any) {
		if n, ok := p["nodePort"].(int64); ok && held[n] {
			delete(p, "nodePort")
		}
	})
	ri, err := c.resource(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	notes := []string{fmt.Sprintf("Service/%s: rehearsed on a copy, since the API server cannot try this change on the live Service; addresses and node ports are known once it is applied", name)}
	got, err := again.Try(ctx, func() (*unstructured.Unstructured, error) {
		return ri.Create(ctx, u, metav1.CreateOptions{
			DryRun: []string{metav1.DryRunAll}, FieldManager: FieldManager, FieldValidation: metav1.FieldValidationStrict})
	})
	switch {
	case apierrors.IsForbidden(err), apierrors.IsAlreadyExists(err):
		// A quota that is used up, or no permission to create: neither refuses
		// the change itself.
		got = s.desired.DeepCopy()
		notes = []string{fmt.Sprintf("Service/%s: this change of type was not rehearsed: %s", name, plain(err.Error()))}
	case err != nil:
		return nil, nil, renamed(err, stage, name)
	}
	// The identity and whatever others wrote there stay those of the live one.
	predicted := s.live.DeepCopy()
	predicted.Object["spec"] = got.Object["spec"]
	setAll := func(have, want map[string]string) map[string]string {
		if len(want) == 0 {
			return have
		}
		if have == nil {
			have = map[string]string{}
		}
		for k, v := range want {
			have[k] = v
		}
		return have
	}
	predicted.SetLabels(setAll(predicted.GetLabels(), s.desired.GetLabels()))
	predicted.SetAnnotations(setAll(predicted.GetAnnotations(), s.desired.GetAnnotations()))
	return predicted, notes, nil
}

// renamed gives an error about the rehearsed Service the name of the real one.
func renamed(err error, stage, name string) error {
	status, ok := err.(*apierrors.StatusError) //nolint:errorlint // straight from the client
	if !ok {
		return err
	}
	own := *status
	own.ErrStatus.Message = strings.ReplaceAll(own.ErrStatus.Message, stage, name)
	return &own
}

// maskAllocated replaces what a dry run made up by a word: the values it shows
// for addresses and node ports are not those that will be given.
func (s *serviceSwitch) maskAllocated(u *unstructured.Unstructured) *unstructured.Unstructured {
	u = u.DeepCopy()
	for _, f := range []string{"clusterIP", "healthCheckNodePort"} {
		got, ok := nested(u, "spec", f)
		live, _ := nested(s.live, "spec", f)
		_, asked := nested(s.desired, "spec", f)
		if ok && !asked && got != live && got != corev1.ClusterIPNone {
			_ = unstructured.SetNestedField(u.Object, allocated, "spec", f) // spec is a map: it was read from
			if f == "clusterIP" {
				_ = unstructured.SetNestedSlice(u.Object, []any{allocated}, "spec", "clusterIPs")
			}
		}
	}
	held, asked := nodePorts(s.live), nodePorts(s.desired)
	eachPort(u, func(p map[string]any) {
		if n, ok := p["nodePort"].(int64); ok && !held[n] && !asked[n] {
			p["nodePort"] = allocated
		}
	})
	return u
}

func eachPort(u *unstructured.Unstructured, do func(p map[string]any)) {
	ports, _ := nested(u, "spec", "ports")
	list, _ := ports.([]any)
	for _, p := range list {
		if m, ok := p.(map[string]any); ok {
			do(m)
		}
	}
}

func nodePorts(u *unstructured.Unstructured) map[int64]bool {
	held := map[int64]bool{}
	eachPort(u, func(p map[string]any) {
		if n, ok := p["nodePort"].(int64); ok {
			held[n] = true
		}
	})
	return held
}

// nameLabel is the label by which the parts of an app are known.
const nameLabel = "app.kubernetes.io/name"

// leftBehind notes the Deployments that a Service sends no traffic to because it
// is an alias: the manifests no longer hold them, and nothing deletes them. They
// are those that the live Service still selects, else those of the same app
// that we applied.
func (c *Client) leftBehind(ctx context.Context, live, desired *unstructured.Unstructured, all []*unstructured.Unstructured) []string {
	selector, _, err := unstructured.NestedStringMap(live.Object, "spec", "selector")
	if err != nil {
		return nil
	}
	ours := false
	if app := desired.GetLabels()[nameLabel]; len(selector) == 0 && app != "" {
		selector, ours = map[string]string{nameLabel: app}, true
	}
	m, err := c.mapping(ctx, schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"})
	if err != nil || len(selector) == 0 {
		return nil
	}
	// Not being allowed to look leaves the note out, no more.
	list, err := c.dynamic.Resource(m.Resource).Namespace(live.GetNamespace()).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	var notes []string
	for i := range list.Items {
		d := &list.Items[i]
		pods, _, _ := unstructured.NestedStringMap(d.Object, "spec", "template", "metadata", "labels")
		if !labels.SelectorFromSet(selector).Matches(labels.Set(pods)) || holds(all, d) || (ours && ownedBy(d) == "") {
			continue
		}
		notes = append(notes, fmt.Sprintf("Deployment/%s goes on running without traffic from Service/%s; %s",
			d.GetName(), live.GetName(), shell.Advice("delete it when nothing needs it", command("delete", d))))
	}
	return notes
}

func holds(all []*unstructured.Unstructured, u *unstructured.Unstructured) bool {
	for _, o := range all {
		if o.GroupVersionKind().GroupKind() == u.GroupVersionKind().GroupKind() && o.GetName() == u.GetName() && o.GetNamespace() == u.GetNamespace() {
			return true
		}
	}
	return false
}
