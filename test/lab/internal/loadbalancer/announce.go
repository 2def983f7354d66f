package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// router keeps the way to each address: which node gets its traffic. A real load
// balancer of layer 2 answers ARP from that node; the lab sets a route instead.
type router interface {
	// routes lists the ways set, address → node address.
	routes() (map[netip.Addr]netip.Addr, error)
	set(addr, via netip.Addr) error
	remove(addr netip.Addr) error
}

// announcer sends each Service's addresses to a node that serves them.
type announcer struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	nodes    corelisters.NodeLister
	serves   func(*corev1.Service) bool
	config   Config
	router   router
	dirty    chan struct{}
}

// retryAfter is the pause after routes that could not be set.
const retryAfter = time.Second

// newAnnouncer watches what the choice of nodes depends on.
func newAnnouncer(factory informers.SharedInformerFactory, serves func(*corev1.Service) bool, config Config, r router) (*announcer, []cache.InformerSynced, error) {
	services, endpoints, nodes := factory.Core().V1().Services(), factory.Discovery().V1().EndpointSlices(), factory.Core().V1().Nodes()
	a := &announcer{
		services: services.Lister(), slices: endpoints.Lister(), nodes: nodes.Lister(),
		serves: serves, config: config, router: r, dirty: make(chan struct{}, 1),
	}
	var synced []cache.InformerSynced
	for _, informer := range []cache.SharedIndexInformer{services.Informer(), endpoints.Informer(), nodes.Informer()} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { a.mark() },
			UpdateFunc: func(_, _ any) { a.mark() },
			DeleteFunc: func(any) { a.mark() },
		}); err != nil {
			return nil, nil, fmt.Errorf("load balancer: %w", err)
		}
		synced = append(synced, informer.HasSynced)
	}
	return a, synced, nil
}

// mark asks for another round; one pending mark is enough.
func (a *announcer) mark() {
	select {
	case a.dirty <- struct{}{}:
	default:
	}
}

// run keeps the routes in step until ctx ends. They stay then, so that the addresses work
// while the controller is down.
func (a *announcer) run(ctx context.Context) {
	a.mark()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.dirty:
		}
		if err := a.round(); err != nil {
			utilruntime.HandleErrorWithContext(ctx, err, "announce load-balancer addresses")
			time.AfterFunc(retryAfter, a.mark)
		}
	}
}

// round sets the routes that differ.
func (a *announcer) round() error {
	services, err1 := a.services.List(labels.Everything())
	endpoints, err2 := a.slices.List(labels.Everything())
	nodes, err3 := a.nodes.List(labels.Everything())
	have, err4 := a.router.routes()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	services = slices.DeleteFunc(slices.Clone(services), func(s *corev1.Service) bool { return !a.serves(s) })
	want := announcements(a.config, services, endpoints, nodes)
	var errs []error
	for addr, via := range want {
		if have[addr] != via {
			errs = append(errs, a.router.set(addr, via))
		}
	}
	for addr := range have {
		if _, ok := want[addr]; !ok {
			errs = append(errs, a.router.remove(addr))
		}
	}
	return errors.Join(errs...)
}

// announcements chooses a node for each address of the Services: any that is ready, and
// with externalTrafficPolicy Local one that has a ready endpoint. It is pure, and the
// choice is the same every time.
func announcements(config Config, services []*corev1.Service, endpoints []*discoveryv1.EndpointSlice, nodes []*corev1.Node) map[netip.Addr]netip.Addr {
	var ready []string
	for _, node := range nodes {
		if _, known := config.Nodes[node.Name]; known && takesTraffic(node) {
			ready = append(ready, node.Name)
		}
	}
	slices.Sort(ready)
	out := map[netip.Addr]netip.Addr{}
	for _, service := range services {
		for _, addr := range addresses(service) {
			if !pool(config.Pool).contains(addr) {
				continue
			}
			candidates := ready
			if service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
				local := localNodes(service, addr.Is6(), endpoints)
				candidates = slices.DeleteFunc(slices.Clone(ready), func(name string) bool { return !local[name] })
			}
			for _, name := range candidates {
				via := config.Nodes[name]
				if i := slices.IndexFunc(via, func(v netip.Addr) bool { return v.Is6() == addr.Is6() }); i >= 0 {
					out[addr] = via[i]
					break
				}
			}
		}
	}
	return out
}

// takesTraffic tells whether a node is ready and not kept out of load balancing.
func takesTraffic(node *corev1.Node) bool {
	if _, excluded := node.Labels[corev1.LabelNodeExcludeBalancers]; excluded {
		return false
	}
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// localNodes are the nodes with a ready endpoint of a Service in one address family.
func localNodes(service *corev1.Service, ipv6 bool, endpoints []*discoveryv1.EndpointSlice) map[string]bool {
	family := discoveryv1.AddressTypeIPv4
	if ipv6 {
		family = discoveryv1.AddressTypeIPv6
	}
	out := map[string]bool{}
	for _, slice := range endpoints {
		if slice.Namespace != service.Namespace || slice.Labels[discoveryv1.LabelServiceName] != service.Name || slice.AddressType != family {
			continue
		}
		for _, e := range slice.Endpoints {
			// Unset means ready.
			if e.NodeName != nil && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				out[*e.NodeName] = true
			}
		}
	}
	return out
}

// validateNodes checks the nodes named in the configuration.
func validateNodes(nodes map[string][]netip.Addr) error {
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		if len(nodes[name]) == 0 {
			return fmt.Errorf("load balancer: node %s has no address", name)
		}
	}
	return nil
}
