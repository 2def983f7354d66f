// Package loadbalancer is the lab's controller for Services of type LoadBalancer: it gives
// each an address of a small pool. kube-proxy then serves that address on every node, and
// enforces spec.loadBalancerSourceRanges, as with a real load balancer of layer 2.
package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// component names the controller in events.
const component = "svcx-lab-load-balancer"

// Config is what the controller serves.
type Config struct {
	// Pool holds the addresses to give out, IPv4 and IPv6. A small pool is there to be
	// exhausted.
	Pool []netip.Prefix
	// Class is the spec.loadBalancerClass served besides none; empty for none only.
	Class string
	// Nodes are the nodes' own addresses by their names. When set, traffic for each
	// address given out is routed, in the network namespace that Run runs in, to a node
	// that serves it.
	Nodes map[string][]netip.Addr
}

// Run serves the cluster's Services until ctx ends. Started again, it leaves every
// address where it was.
func Run(ctx context.Context, cfg *rest.Config, c Config) error {
	if len(c.Pool) == 0 {
		return errors.New("load balancer: the pool is empty")
	}
	if err := validateNodes(c.Nodes); err != nil {
		return err
	}
	var routes router
	if len(c.Nodes) > 0 {
		var err error
		if routes, err = newRouter(); err != nil {
			return err
		}
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("load balancer: %w", err)
	}
	events := record.NewBroadcaster(record.WithContext(ctx))
	defer events.Shutdown()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	return run(ctx, client, events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: component}), c, routes)
}

// controller gives addresses out, one Service at a time.
type controller struct {
	client   kubernetes.Interface
	recorder record.EventRecorder
	services corelisters.ServiceLister
	queue    workqueue.TypedRateLimitingInterface[string]
	config   Config

	// held says which Service has which address. It runs ahead of the lister, which
	// learns of an assignment only when the API server tells.
	held map[netip.Addr]string
	// failed is the last failure told of each Service, so that it is told once.
	failed map[string]string
}

func run(ctx context.Context, client kubernetes.Interface, recorder record.EventRecorder, config Config, routes router) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	informer := factory.Core().V1().Services()
	c := &controller{
		client:   client,
		recorder: recorder,
		services: informer.Lister(),
		queue:    workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
		config:   config,
		held:     map[netip.Addr]string{},
		failed:   map[string]string{},
	}
	enqueue := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			c.queue.Add(key)
		}
	}
	if _, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, object any) { enqueue(object) },
		DeleteFunc: enqueue,
	}); err != nil {
		return fmt.Errorf("load balancer: watch Services: %w", err)
	}
	synced := []cache.InformerSynced{informer.Informer().HasSynced}
	var announce *announcer
	if routes != nil {
		var more []cache.InformerSynced
		var err error
		if announce, more, err = newAnnouncer(factory, c.serves, config, routes); err != nil {
			return err
		}
		synced = append(synced, more...)
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil
	}
	if announce != nil {
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { announce.run(ctx) })
	}
	if err := c.adopt(); err != nil {
		return err
	}
	context.AfterFunc(ctx, c.queue.ShutDown)
	for c.next(ctx) {
	}
	return nil
}

// adopt takes over the addresses that Services have, before any is given out. Of two
// Services with one address the older keeps it.
func (c *controller) adopt() error {
	services, err := c.services.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("load balancer: list Services: %w", err)
	}
	slices.SortFunc(services, func(a, b *corev1.Service) int {
		if order := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); order != 0 {
			return order
		}
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	for _, service := range services {
		if !c.serves(service) {
			continue
		}
		for _, a := range addresses(service) {
			if _, taken := c.held[a]; !taken && pool(c.config.Pool).contains(a) {
				c.held[a] = service.Namespace + "/" + service.Name
			}
		}
	}
	return nil
}

// serves tells whether a Service is this controller's to serve. One that is being deleted
// still is: clients may use it until it is gone.
func (c *controller) serves(service *corev1.Service) bool {
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return false
	}
	class := service.Spec.LoadBalancerClass
	return class == nil || (*class == c.config.Class && c.config.Class != "")
}

// next handles one Service of the queue; false once the queue is shut down.
func (c *controller) next(ctx context.Context) bool {
	key, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(key)
	if err := c.sync(ctx, key); err != nil {
		if ctx.Err() == nil && !apierrors.IsConflict(err) {
			utilruntime.HandleErrorWithContext(ctx, err, "load balancer", "service", key)
		}
		c.queue.AddRateLimited(key)
		return true
	}
	c.queue.Forget(key)
	return true
}

// sync brings one Service's status to what it should be.
func (c *controller) sync(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	service, err := c.services.Services(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		delete(c.failed, key)
		c.release(key, nil)
		return nil
	}
	if err != nil {
		return err
	}
	if !c.serves(service) {
		return c.retire(ctx, key, service)
	}

	chosen, err := pool(c.config.Pool).allocate(key, service, c.held)
	if err != nil {
		return c.refuse(ctx, key, service, err)
	}
	delete(c.failed, key)
	news := !slices.Equal(chosen, addresses(service))
	for _, a := range chosen {
		c.held[a] = key
	}
	if err := c.setStatus(ctx, service, status(chosen)); err != nil {
		return err
	}
	c.release(key, chosen)
	if news {
		c.recorder.Eventf(service, corev1.EventTypeNormal, "IPAllocated", "Assigned IP %q", chosen)
	}
	return nil
}

// refuse tells why a Service gets no address, and takes away what it may not keep.
func (c *controller) refuse(ctx context.Context, key string, service *corev1.Service, reason error) error {
	if err := c.setStatus(ctx, service, corev1.LoadBalancerStatus{}); err != nil {
		return err
	}
	message := reason.Error()
	known := c.failed[key] == message
	delete(c.failed, key)
	c.release(key, nil)
	c.failed[key] = message
	if !known {
		c.recorder.Eventf(service, corev1.EventTypeWarning, "AllocationFailed", "Failed to allocate IP for %q: %s", key, message)
	}
	return nil
}

// retire frees what a Service held that is no longer a load balancer. The status is
// cleared only when it is of this pool: another controller's is not ours to touch.
func (c *controller) retire(ctx context.Context, key string, service *corev1.Service) error {
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer && slices.ContainsFunc(addresses(service), pool(c.config.Pool).contains) {
		if err := c.setStatus(ctx, service, corev1.LoadBalancerStatus{}); err != nil {
			return err
		}
	}
	delete(c.failed, key)
	c.release(key, nil)
	return nil
}

// setStatus writes the status if it differs.
func (c *controller) setStatus(ctx context.Context, service *corev1.Service, want corev1.LoadBalancerStatus) error {
	if apiequality.Semantic.DeepEqual(service.Status.LoadBalancer, want) {
		return nil
	}
	service = service.DeepCopy()
	service.Status.LoadBalancer = want
	_, err := c.client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, service, metav1.UpdateOptions{FieldManager: component})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("update the status of Service %s/%s: %w", service.Namespace, service.Name, err)
	}
	return nil
}

// release frees every address of a Service but those it keeps, and lets the Services that
// wait for one try again.
func (c *controller) release(key string, keep []netip.Addr) {
	freed := false
	for a, owner := range c.held {
		if owner == key && !slices.Contains(keep, a) {
			delete(c.held, a)
			freed = true
		}
	}
	if !freed {
		return
	}
	for waiting := range c.failed {
		c.queue.Add(waiting)
	}
}
