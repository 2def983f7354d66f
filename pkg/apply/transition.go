package apply

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// interimName is the target a Service has while it is an alias for a moment.
// RFC 2606 keeps .invalid from ever resolving, so nobody else gets the traffic.
const interimName = "kubectl-svcx.invalid"

// TypeOf returns the type of a Service as a user names it.
func TypeOf(s *corev1.Service) ServiceType {
	switch {
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return ExternalName
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		return Headless
	case s.Spec.Type == "":
		return ClusterIP
	}
	return ServiceType(s.Spec.Type)
}

// TransitionOf explains how a live Service becomes one of another type; it is
// nil when the type stays. It is a pure function of both Services.
//
// Which changes take a detour follows from the API server's own rules: an
// update of a Service that has a cluster IP, "None" included, first fills an
// omitted clusterIP in again and then refuses to see it changed
// (k8s.io/kubernetes pkg/registry/core/service, patchAllocatedValues).
func TransitionOf(live, desired *corev1.Service) *Transition {
	from, to := TypeOf(live), TypeOf(desired)
	if from == to {
		return nil
	}
	t := &Transition{From: from, To: to}
	if (from == Headless || to == Headless) && from != ExternalName && to != ExternalName {
		t.Via = ExternalName
	}
	e := effects{Transition: t, live: live, desired: desired}
	e.detour()
	e.alias()
	e.clusterIP()
	e.nodePorts()
	e.loadBalancer()
	e.headless()
	return t
}

// effects gathers what a change of type does, one aspect a method.
type effects struct {
	*Transition
	live, desired *corev1.Service
}

func (e *effects) say(format string, args ...any) {
	e.Effects = append(e.Effects, fmt.Sprintf(format, args...))
}

// lose is say for what takes something away from clients.
func (e *effects) lose(format string, args ...any) {
	e.Interrupts = true
	e.say(format, args...)
}

func (e *effects) detour() {
	if e.Via == "" {
		return
	}
	why := "the API server refuses this change in one step"
	if e.From == Headless && e.To == ClusterIP {
		why = "the API server accepts this change in one step and does not make it"
	}
	e.lose("%s: the Service becomes an alias (%s) for a moment, in which its name resolves to nothing; it is not deleted and keeps its UID", why, ExternalName)
}

func (e *effects) alias() {
	switch {
	case e.From == ExternalName && e.live.Spec.ExternalName == interimName:
		e.say("a change of type that was cut short is finished")
	case e.From == ExternalName:
		e.say("the name is no longer an alias of %s", plain(e.live.Spec.ExternalName))
	case e.To == ExternalName:
		e.lose("the name becomes an alias of %s; Pods behind it get no more traffic through it", plain(e.desired.Spec.ExternalName))
	}
}

func (e *effects) clusterIP() {
	had := strings.Join(clusterIPs(e.live), " and ")
	has := e.To != ExternalName && e.To != Headless
	switch {
	case had != "" && has:
		e.say("the cluster IP stays %s", had)
	case had != "":
		e.lose("the cluster IP %s is released: clients that use it lose the Service, and coming back gives another", had)
	case has && e.desired.Spec.ClusterIP != "":
		e.say("the cluster IP becomes %s", plain(e.desired.Spec.ClusterIP))
	case has:
		e.say("a cluster IP is allocated when it is applied")
	}
}

// nodePorts compares port by port: a node port stays with the port's name, or
// with its number and protocol.
func (e *effects) nodePorts() {
	uses := func(t ServiceType) bool { return t == NodePort || t == LoadBalancer }
	if !uses(e.From) && !uses(e.To) {
		return
	}
	var kept, freed, changed []string
	fresh := 0
	taken := map[int32]bool{} // live node ports that a desired port goes on with
	if uses(e.To) && allocates(e.desired) {
		for _, d := range e.desired.Spec.Ports {
			l := livePort(e.live, d)
			switch {
			case l == nil || l.NodePort == 0:
				fresh++
				if d.NodePort != 0 {
					fresh--
					e.say("node port %d is asked for", d.NodePort)
				}
			case d.NodePort == 0 || d.NodePort == l.NodePort:
				taken[l.NodePort] = true
				kept = append(kept, strconv.Itoa(int(l.NodePort)))
			default:
				taken[l.NodePort] = true
				changed = append(changed, fmt.Sprintf("%d becomes %d", l.NodePort, d.NodePort))
			}
		}
	}
	for _, p := range e.live.Spec.Ports {
		if p.NodePort != 0 && !taken[p.NodePort] {
			freed = append(freed, strconv.Itoa(int(p.NodePort)))
		}
	}
	if len(kept) > 0 {
		e.say("%s %s", plural("node port", len(kept)), strings.Join(kept, ", ")+stay(len(kept)))
	}
	for _, c := range changed {
		e.lose("node port %s: clients that use the old one lose the Service", c)
	}
	if len(freed) > 0 {
		verb := " is released: clients that use it lose the Service"
		if len(freed) > 1 {
			verb = " are released: clients that use them lose the Service"
		}
		e.lose("%s %s%s", plural("node port", len(freed)), strings.Join(freed, ", "), verb)
	}
	switch {
	case fresh == 1:
		e.say("a node port is allocated when it is applied")
	case fresh > 1:
		e.say("%d node ports are allocated when it is applied", fresh)
	}
}

func (e *effects) loadBalancer() {
	switch {
	case e.From == LoadBalancer:
		var addresses []string
		for _, i := range e.live.Status.LoadBalancer.Ingress {
			addresses = append(addresses, plain(i.IP+i.Hostname))
		}
		switch len(addresses) {
		case 0:
			e.say("the load balancer is given up; it has no address yet")
		case 1:
			e.lose("the load balancer's address %s is released: clients that use it lose the Service", addresses[0])
		default:
			e.lose("the load balancer's addresses %s are released: clients that use them lose the Service", strings.Join(addresses, ", "))
		}
	case e.To == LoadBalancer:
		e.say("a load balancer is asked for; its address is known once a controller gives one")
	}
}

func (e *effects) headless() {
	switch {
	case e.To == Headless:
		e.say("the name resolves to the Pods' own addresses: clients reach targetPort directly, and no load is balanced")
	case e.From == Headless:
		e.lose("the name no longer resolves to the Pods' own addresses, nor do the Pods' names under it")
	}
}

// livePort finds the port of a live Service that keeps its node port for a
// desired one: the API server carries it over by port and protocol (the keys
// of server-side apply) or by name.
func livePort(live *corev1.Service, d corev1.ServicePort) *corev1.ServicePort {
	protocol := func(p corev1.ServicePort) corev1.Protocol {
		if p.Protocol == "" {
			return corev1.ProtocolTCP
		}
		return p.Protocol
	}
	byName := -1
	for i, p := range live.Spec.Ports {
		if p.Port == d.Port && protocol(p) == protocol(d) {
			return &live.Spec.Ports[i]
		}
		if p.Name == d.Name {
			byName = i
		}
	}
	if byName >= 0 {
		return &live.Spec.Ports[byName]
	}
	return nil
}

// allocates tells whether a Service gets node ports: a load balancer may do without.
func allocates(s *corev1.Service) bool {
	return s.Spec.Type != corev1.ServiceTypeLoadBalancer ||
		s.Spec.AllocateLoadBalancerNodePorts == nil || *s.Spec.AllocateLoadBalancerNodePorts
}

// clusterIPs lists the addresses of a Service that has any.
func clusterIPs(s *corev1.Service) []string {
	ips := s.Spec.ClusterIPs
	if len(ips) == 0 && s.Spec.ClusterIP != "" {
		ips = []string{s.Spec.ClusterIP}
	}
	return slices.DeleteFunc(slices.Clone(ips), func(ip string) bool { return ip == corev1.ClusterIPNone })
}

func plural(noun string, n int) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

func stay(n int) string {
	if n == 1 {
		return " stays"
	}
	return " stay"
}
