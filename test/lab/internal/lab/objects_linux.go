package lab

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/components"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
)

// connect returns an administrator's client of a lab's cluster.
func connect(lab layout.Lab) (*rest.Config, kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", lab.Kubeconfig())
	if err != nil {
		return nil, nil, err
	}
	config.Proxy = nil
	config.QPS = -1 // nobody else waits for this API server
	client, err := kubernetes.NewForConfig(config)
	return config, client, err
}

// createNodes registers the nodes before their kubelets do, with Pod ranges that match
// the routes between them.
func (r *runner) createNodes(ctx context.Context) error {
	for _, name := range layout.Nodes() {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
		if name == layout.ControlPlane {
			node.Labels["node-role.kubernetes.io/control-plane"] = ""
		}
		for _, cidr := range r.lab.PodCIDRs(name) {
			node.Spec.PodCIDRs = append(node.Spec.PodCIDRs, cidr.String())
		}
		node.Spec.PodCIDR = node.Spec.PodCIDRs[0]
		if _, err := r.kube.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create node/%s: %w", name, err)
		}
	}
	return nil
}

const dns = "kube-dns"

// createObjects makes the cluster DNS under the names that every cluster uses.
func (r *runner) createObjects(ctx context.Context) error {
	system := metav1.NamespaceSystem
	labels := map[string]string{"k8s-app": dns}
	meta := metav1.ObjectMeta{Name: "coredns", Namespace: system, Labels: labels}

	create := []func() error{
		func() error {
			_, err := r.kube.CoreV1().ServiceAccounts(system).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
			return err
		},
		func() error {
			_, err := r.kube.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
				ObjectMeta: metav1.ObjectMeta{Name: "system:coredns"},
				Rules: []rbacv1.PolicyRule{
					{APIGroups: []string{""}, Resources: []string{"endpoints", "services", "pods", "namespaces"}, Verbs: []string{"list", "watch"}},
					{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}},
				},
			}, metav1.CreateOptions{})
			return err
		},
		func() error {
			_, err := r.kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "system:coredns"},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:coredns"},
				Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "coredns", Namespace: system}},
			}, metav1.CreateOptions{})
			return err
		},
		func() error {
			_, err := r.kube.CoreV1().ConfigMaps(system).Create(ctx, &corev1.ConfigMap{
				ObjectMeta: meta, Data: map[string]string{"Corefile": corefile(r.lab)},
			}, metav1.CreateOptions{})
			return err
		},
		func() error {
			_, err := r.kube.CoreV1().Services(system).Create(ctx, dnsService(r.lab, labels), metav1.CreateOptions{})
			return err
		},
		func() error {
			_, err := r.kube.AppsV1().Deployments(system).Create(ctx, dnsDeployment(meta, r.timeout), metav1.CreateOptions{})
			return err
		},
	}
	for _, f := range create {
		err := r.until(ctx, "the cluster DNS to be created", func(context.Context) (bool, error) {
			switch err := f(); {
			case err == nil, apierrors.IsAlreadyExists(err):
				return true, nil
			case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), apierrors.IsTooManyRequests(err):
				return false, nil // a slow machine; what was created all the same exists by then
			default:
				return false, fmt.Errorf("cluster DNS: %w", err)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// corefile serves the cluster's names and the one host outside it; beyond, there is
// nothing to forward to, so every other name is known not to exist.
func corefile(lab layout.Lab) string {
	var hosts strings.Builder
	for _, addr := range lab.Addrs(layout.Outside) {
		fmt.Fprintf(&hosts, "        %s %s\n", addr, layout.ExternalHost)
	}
	return `.:53 {
    errors
    health {
        lameduck 1s
    }
    ready
    cache 2
    hosts {
` + hosts.String() + `        ttl 5
        fallthrough
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 2
    }
    nxdomain
}
`
}

func dnsService(lab layout.Lab, labels map[string]string) *corev1.Service {
	policy := corev1.IPFamilyPolicySingleStack
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: dns, Namespace: metav1.NamespaceSystem, Labels: map[string]string{
			"k8s-app": dns, "kubernetes.io/name": "CoreDNS",
		}},
		Spec: corev1.ServiceSpec{
			Selector:       labels,
			ClusterIP:      layout.ClusterDNS.String(),
			IPFamilyPolicy: &policy,
			Ports: []corev1.ServicePort{
				{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53, TargetPort: intstr.FromString("dns")},
				{Name: "dns-tcp", Protocol: corev1.ProtocolTCP, Port: 53, TargetPort: intstr.FromString("dns-tcp")},
			},
		},
	}
}

// dnsDeployment runs the CoreDNS that is in the components' program, which the node
// binds into the Pod: no image of 200 MB has to be pushed, pulled and unpacked for it. It
// has as long to start as is waited for it: on a slow machine the kubelet would otherwise
// end it again and again before it answers.
func dnsDeployment(meta metav1.ObjectMeta, timeout time.Duration) *appsv1.Deployment {
	replicas := int32(len(layout.Nodes()))
	hostFile := corev1.HostPathFile
	probe := func(path string, port int) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt(port)}},
			PeriodSeconds: 2, FailureThreshold: 5, TimeoutSeconds: 2,
		}
	}
	ready := probe("/ready", 8181)
	ready.PeriodSeconds, ready.FailureThreshold = 1, 2
	startup := probe("/health", 8080)
	startup.PeriodSeconds, startup.FailureThreshold = 1, int32(timeout/time.Second)
	return &appsv1.Deployment{
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: meta.Labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: meta.Labels},
				Spec: corev1.PodSpec{
					ServiceAccountName: meta.Name,
					PriorityClassName:  "system-cluster-critical",
					DNSPolicy:          corev1.DNSDefault,
					TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
						MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule,
						LabelSelector: &metav1.LabelSelector{MatchLabels: meta.Labels},
					}},
					Containers: []corev1.Container{{
						Name:    "coredns",
						Image:   "registry.k8s.io/pause:3.10",
						Command: []string{"/coredns", "coredns", "-conf", "/etc/coredns/Corefile"},
						Ports: []corev1.ContainerPort{
							{Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP},
							{Name: "dns-tcp", ContainerPort: 53, Protocol: corev1.ProtocolTCP},
						},
						Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
							corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("70Mi"),
						}},
						StartupProbe:   startup,
						ReadinessProbe: ready,
						LivenessProbe:  probe("/health", 8080),
						VolumeMounts: []corev1.VolumeMount{
							{Name: "config", MountPath: "/etc/coredns", ReadOnly: true},
							{Name: "program", MountPath: "/coredns", ReadOnly: true},
						},
					}},
					Volumes: []corev1.Volume{
						{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
							LocalObjectReference: corev1.LocalObjectReference{Name: meta.Name},
						}}},
						{Name: "program", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{
							Path: components.Binary, Type: &hostFile,
						}}},
					},
				},
			},
		},
	}
}

// waitNodes waits until every node says that it is Ready.
func (r *runner) waitNodes(ctx context.Context) error {
	return r.until(ctx, "both nodes to be Ready", func(ctx context.Context) (bool, error) {
		list, err := r.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, nil
		}
		ready := 0
		for i := range list.Items {
			if nodeReady(&list.Items[i]) {
				ready++
			}
		}
		return ready == len(layout.Nodes()), nil
	})
}

func nodeReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// waitDNS waits until every DNS Pod is a ready endpoint.
func (r *runner) waitDNS(ctx context.Context) error {
	return r.until(ctx, "the cluster DNS", func(ctx context.Context) (bool, error) {
		d, err := r.kube.AppsV1().Deployments(metav1.NamespaceSystem).Get(ctx, "coredns", metav1.GetOptions{})
		if err != nil {
			return false, nil
		}
		return d.Status.ReadyReplicas == *d.Spec.Replicas, nil
	})
}
