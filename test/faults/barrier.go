package main

import (
	"context"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A service proxy says nowhere what it has programmed. But it learns of
// Services, and of EndpointSlices, in the order of their changes: once it serves
// a Service made just now, it serves all that were made before. The canary is
// the Pod behind such Services.
const canary = "canary"

// startCanary makes the bench's own namespace and the Pod in it.
func (b *bench) startCanary(ctx context.Context) error {
	ns, err := b.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "svcx-faults-" + b.run, Labels: map[string]string{runLabel: b.run}}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	b.home = ns.Name
	nodes, err := b.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, n := range nodes.Items {
		for _, a := range n.Status.Addresses {
			if ip := net.ParseIP(a.Address); a.Type == corev1.NodeInternalIP && ip.To4() != nil {
				b.nodes = append(b.nodes, a.Address)
			}
		}
	}
	grace := int64(0)
	if _, err := b.kube.CoreV1().Pods(b.home).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: canary},
		Spec: corev1.PodSpec{TerminationGracePeriodSeconds: &grace, Containers: []corev1.Container{{
			Name: canary, Image: "kubectlsvcx/svcx-testserver", Args: []string{"--tcp=:9000"}}}},
	}, metav1.CreateOptions{}); err != nil {
		return err
	}
	seen := map[string]*unstructured.Unstructured{}
	return b.watched(ctx, resources["pods"], b.home, "", seen, func() bool {
		if p := seen[canary]; p != nil {
			b.canaryIP, _, _ = unstructured.NestedString(p.Object, "status", "podIP")
			phase, _, _ := unstructured.NestedString(p.Object, "status", "phase")
			return b.canaryIP != "" && phase == "Running"
		}
		return false
	})
}

// proxiesCurrent waits until every node's service proxy knows all Services and
// EndpointSlices of now.
func (b *bench) proxiesCurrent(ctx context.Context, name string) error {
	services := b.kube.CoreV1().Services(b.home)
	tcp, port, portName := corev1.ProtocolTCP, int32(9000), "tcp"
	slices := b.kube.DiscoveryV1().EndpointSlices(b.home)
	if _, err := slices.Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &portName, Protocol: &tcp, Port: &port}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{b.canaryIP}}},
	}, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	svc, err := services.Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Name: portName, Port: port}}}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	for _, node := range b.nodes {
		if err := answers(ctx, net.JoinHostPort(node, strconv.Itoa(int(svc.Spec.Ports[0].NodePort)))); err != nil {
			return fmt.Errorf("barrier: %w", err)
		}
	}
	if err := services.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return slices.Delete(ctx, name, metav1.DeleteOptions{})
}
