package apply

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
)

// servedWithin is how long an API server is given to serve a kind that it was just told of.
const servedWithin = 30 * time.Second

// declaredKinds are the kinds that CustomResourceDefinitions among objs bring, each with
// the scope of its objects.
func declaredKinds(objs []*unstructured.Unstructured) map[schema.GroupVersionKind]meta.RESTScopeName {
	kinds := map[schema.GroupVersionKind]meta.RESTScopeName{}
	for _, u := range objs {
		if u.GroupVersionKind().GroupKind() != (schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}) {
			continue
		}
		group, _, _ := unstructured.NestedString(u.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(u.Object, "spec", "names", "kind")
		scope, _, _ := unstructured.NestedString(u.Object, "spec", "scope")
		versions, _, _ := unstructured.NestedSlice(u.Object, "spec", "versions")
		for _, v := range versions {
			version, _ := v.(map[string]any)
			name, _ := version["name"].(string)
			if served, _ := version["served"].(bool); !served || name == "" {
				continue
			}
			of := meta.RESTScopeNameNamespace
			if scope == "Cluster" {
				of = meta.RESTScopeNameRoot
			}
			kinds[schema.GroupVersionKind{Group: group, Version: name, Kind: kind}] = of
		}
	}
	return kinds
}

// scope says whether objects of a kind are in namespaces; declared are the kinds that
// come with it. A kind that the server does not serve yet is new.
func (c *Client) scope(ctx context.Context, gvk schema.GroupVersionKind, declared map[schema.GroupVersionKind]meta.RESTScopeName) (scope meta.RESTScopeName, isNew bool, err error) {
	m, err := c.mapping(ctx, gvk)
	if of, ok := declared[gvk]; ok && (err == nil || meta.IsNoMatchError(err)) {
		return of, err != nil, nil // what was remembered may be of a definition that is gone
	}
	if err != nil {
		return "", false, err
	}
	return m.Scope.Name(), false, nil
}

// forgotten is the error for a kind that is served no more, where that is why an object
// was not found: what a server serves is remembered for hours.
func (c *Client) forgotten(ctx context.Context, u *unstructured.Unstructured, err error) error {
	if !apierrors.IsNotFound(err) || scheme.Scheme.Recognizes(u.GroupVersionKind()) {
		return nil
	}
	meta.MaybeResetRESTMapper(c.mapper)
	if _, err := c.mapping(ctx, u.GroupVersionKind()); meta.IsNoMatchError(err) {
		return err
	}
	return nil
}

// served waits until the API server serves a kind whose definition it was just given.
func (c *Client) served(ctx context.Context, gvk schema.GroupVersionKind) error {
	short, cancel := context.WithTimeout(ctx, servedWithin)
	defer cancel()
	for try := 1; ; try++ {
		_, err := c.mapping(short, gvk)
		if !meta.IsNoMatchError(err) && short.Err() == nil {
			return err
		}
		if !again.Pause(short, try) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("the cluster has its CustomResourceDefinition and does not serve it after %v; look at the definition's conditions, and apply again", servedWithin)
		}
		meta.MaybeResetRESTMapper(c.mapper) // which remembers what it was told before
	}
}
