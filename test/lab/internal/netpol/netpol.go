// Package netpol enforces networking.k8s.io/v1 NetworkPolicy on one of the lab's nodes,
// with nftables in the node's network namespace.
//
// It expects Pods whose traffic is routed by the node, as with the ptp network plugin, so
// that every packet between Pods passes the forward hook, on one node too.
package netpol

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/knftables"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/netpol/attach"
)

// Config says what to enforce.
type Config struct {
	// Node is the name of the node whose network namespace Run runs in.
	Node string
	// Socket is where the network plugin svcx-netpol tells of new Pods; empty for none,
	// and then a Pod is open until the API tells of its addresses.
	Socket string
	// Applied is called each time that other rules have come into force; nil for none.
	Applied func()
}

// retryAfter is the pause after rules that could not be applied.
const retryAfter = time.Second

// Run keeps the node's rules in step with the cluster until ctx ends. The rules stay when
// it ends, as with a network plugin that is down.
func Run(ctx context.Context, cfg *rest.Config, c Config) error {
	if c.Node == "" {
		return errors.New("network policies: no node named")
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("network policies: %w", err)
	}
	nft, err := knftables.New(knftables.InetFamily, table)
	if err != nil {
		return fmt.Errorf("network policies: nftables cannot be used (is the package nftables installed?): %w", err)
	}
	return run(ctx, client, nft, c)
}

func run(ctx context.Context, client kubernetes.Interface, nft knftables.Interface, c Config) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	namespaces := factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()

	// One pending mark is enough: whatever happens while rules are computed is seen by
	// the next round.
	dirty := make(chan struct{}, 1)
	mark := func() {
		select {
		case dirty <- struct{}{}:
		default:
		}
	}
	handler := func(changed func(old, new any) bool) cache.ResourceEventHandler {
		return cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { mark() },
			UpdateFunc: func(old, new any) {
				if changed(old, new) {
					mark()
				}
			},
			DeleteFunc: func(any) { mark() },
		}
	}
	announced := &announcements{byPod: map[string]*announcement{}, notify: mark}
	for informer, changed := range map[cache.SharedIndexInformer]func(old, new any) bool{
		pods.Informer():       podChanged,
		namespaces.Informer(): namespaceChanged,
		policies.Informer():   policyChanged,
	} {
		if _, err := informer.AddEventHandler(handler(changed)); err != nil {
			return fmt.Errorf("network policies: %w", err)
		}
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	for _, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil // ctx has ended
		}
	}
	mark()
	listening := make(chan error, 1)
	if c.Socket != "" {
		go func() { listening <- attach.Serve(ctx, c.Socket, announced.enforce) }()
	}

	var last *ruleset
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-listening:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("network policies: listen for new Pods: %w", err)
		case <-dirty:
		}
		var applied func()
		next, err := func() (*ruleset, error) {
			allPods, err1 := pods.Lister().List(labels.Everything())
			allNamespaces, err2 := namespaces.Lister().List(labels.Everything())
			allPolicies, err3 := policies.Lister().List(labels.Everything())
			if err := errors.Join(err1, err2, err3); err != nil {
				return nil, err
			}
			allPods, applied = announced.amend(allPods)
			return compute(c.Node, allPods, allNamespaces, allPolicies)
		}()
		changed := err == nil && (last == nil || !reflect.DeepEqual(last, next))
		if changed {
			err = apply(ctx, nft, next)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			utilruntime.HandleErrorWithContext(ctx, err, "apply network policies", "node", c.Node)
			last = nil
			time.AfterFunc(retryAfter, mark)
			continue
		}
		last = next
		applied()
		if changed && c.Applied != nil {
			c.Applied()
		}
	}
}

// podChanged tells whether what policies look at has changed: a Pod's status is written
// far more often.
func podChanged(old, new any) bool {
	a, b := old.(*corev1.Pod), new.(*corev1.Pod)
	return a.UID != b.UID || selectable(a) != selectable(b) || a.Spec.NodeName != b.Spec.NodeName ||
		!apiequality.Semantic.DeepEqual(a.Labels, b.Labels) ||
		!apiequality.Semantic.DeepEqual(a.Status.PodIPs, b.Status.PodIPs)
}

func namespaceChanged(old, new any) bool {
	return !apiequality.Semantic.DeepEqual(old.(*corev1.Namespace).Labels, new.(*corev1.Namespace).Labels)
}

func policyChanged(old, new any) bool {
	return !apiequality.Semantic.DeepEqual(old.(*networkingv1.NetworkPolicy).Spec, new.(*networkingv1.NetworkPolicy).Spec)
}
