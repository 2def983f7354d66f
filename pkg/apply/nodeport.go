package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/again"
)

// sharedNodePort finds a node port that two Services of one list ask for. Only
// applying the second would tell, when the first is made already. Within one
// Service a number may serve TCP and UDP.
func sharedNodePort(objs []*unstructured.Unstructured) error {
	asked := map[int64]*unstructured.Unstructured{}
	for _, u := range objs {
		if !isService(u) {
			continue
		}
		for _, n := range slices.Sorted(maps.Keys(nodePorts(u))) {
			if n == 0 {
				continue
			}
			if other := asked[n]; other != nil {
				return fmt.Errorf("%s in namespace %s and %s in namespace %s both ask for node port %d; choose another for one, or leave nodePort out and one is allocated",
					refOf(other), other.GetNamespace(), refOf(u), u.GetNamespace(), n)
			}
			asked[n] = u
		}
	}
	return nil
}

// checkNodePorts looks at the node ports that a manifest asks for and the live
// Service does not have. A dry run checks neither that one is free nor that it
// is in range: the API server's allocator does nothing in a dry run
// (k8s.io/kubernetes pkg/registry/core/service/portallocator, operation.go).
func (c *Client) checkNodePorts(ctx context.Context, live, desired *unstructured.Unstructured) (notes []string, err error) {
	if !isService(desired) {
		return nil, nil
	}
	held := map[int64]bool{}
	if live != nil {
		held = nodePorts(live)
	}
	var asked []int64
	for n := range nodePorts(desired) {
		if n != 0 && !held[n] { // 0 asks for an allocated one
			asked = append(asked, n)
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	slices.Sort(asked)
	// A cluster may have another range, so what is outside the usual one is no error.
	const lowest, highest = 30000, 32767
	for _, n := range asked {
		if n < lowest || n > highest {
			notes = append(notes, fmt.Sprintf("%s: node port %d is outside the usual range %d-%d; unless this cluster has another, applying it is refused", refOf(desired), n, lowest, highest))
		}
	}
	m, err := c.mapping(ctx, desired.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	list, err := again.Try(ctx, func() (*unstructured.UnstructuredList, error) {
		return c.dynamic.Resource(m.Resource).List(ctx, metav1.ListOptions{})
	})
	if apierrors.IsForbidden(err) {
		return notes, nil // not allowed to see all Services: applying tells
	}
	if err != nil {
		return nil, fmt.Errorf("listing Services to see which node ports are taken: %w", err)
	}
	for i := range list.Items {
		other := &list.Items[i]
		if other.GetName() == desired.GetName() && other.GetNamespace() == desired.GetNamespace() {
			continue
		}
		taken := nodePorts(other)
		for _, n := range asked {
			if taken[n] {
				return nil, fmt.Errorf("node port %d is taken by Service/%s in namespace %s; choose another, or leave nodePort out and one is allocated", n, other.GetName(), other.GetNamespace())
			}
		}
	}
	return notes, nil
}
