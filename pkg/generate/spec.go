// Package generate turns a Spec into the files of a kustomize tree.
package generate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/servicetype"
)

// The identity of svcx.yaml.
const (
	APIVersion = "svcx/v1alpha1"
	Kind       = "App"
	// SpecFile is the name of the file at the root of a tree that holds its Spec.
	SpecFile = "svcx.yaml"
)

// App is the content of svcx.yaml: what was asked for, from which the rest of
// the tree is generated. Fields carry the Kubernetes API's own names wherever one exists.
type App struct {
	// APIVersion is svcx/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is App.
	Kind string `json:"kind"`
	// Metadata names the app.
	Metadata Metadata `json:"metadata"`
	// Spec is what the app is made of.
	Spec Spec `json:"spec"`
}

// Metadata names the app.
type Metadata struct {
	// Name is the workload's name, and the label by which its Pods are selected.
	Name string `json:"name"`
	// Namespace is written into every overlay's kustomization; empty leaves the
	// choice to whoever applies it.
	Namespace string `json:"namespace,omitempty"`
}

// Spec is what the app is made of.
type Spec struct {
	// Workload is what runs behind the Service; none for an app that is only an
	// alias (an ExternalName Service).
	Workload *Workload `json:"workload,omitempty"`
	// Service is how the app is reached.
	Service Service `json:"service"`
	// ConfigMaps are made by kustomize, which adds a hash of the content to their
	// names, so that a change of content rolls the Pods.
	ConfigMaps []ConfigMap `json:"configMaps,omitempty"`
	// Secrets are made by kustomize too. Keep values that are secret in a file
	// that is not committed (envs, files).
	Secrets []Secret `json:"secrets,omitempty"`
	// PodDisruptionBudget keeps Pods up while nodes are drained.
	PodDisruptionBudget *PodDisruptionBudget `json:"podDisruptionBudget,omitempty"`
	// HorizontalPodAutoscaler sets the number of Pods; replicas is left out then.
	HorizontalPodAutoscaler *HorizontalPodAutoscaler `json:"horizontalPodAutoscaler,omitempty"`
	// NetworkPolicy admits the clients it states to the app's ports, and nobody else.
	NetworkPolicy *NetworkPolicy `json:"networkPolicy,omitempty"`
	// Overlays are the environments, each with an overlay of its name beside those
	// of the Service types.
	Overlays []Environment `json:"overlays,omitempty"`
}

// ServiceType is a Service's type as a user names it: the four of the API, and Headless.
type ServiceType = servicetype.Type

// The five types.
const (
	ClusterIP    = servicetype.ClusterIP
	NodePort     = servicetype.NodePort
	LoadBalancer = servicetype.LoadBalancer
	ExternalName = servicetype.ExternalName
	Headless     = servicetype.Headless // spec.type ClusterIP with spec.clusterIP None
)

// Service describes the Service. A field reaches the overlays of those types only
// that have a use for it.
type Service struct {
	// Name is the Service's name; empty is the app's.
	Name string `json:"name,omitempty"`
	// Type is the type asked for: whose overlay to apply when none is named. base/
	// itself stays a ClusterIP Service, from which every overlay departs. Empty is
	// ClusterIP, or ExternalName without a workload.
	Type ServiceType `json:"type,omitempty"`
	// Ports are the Service's ports; empty is the one that a known image listens on.
	Ports []ServicePort `json:"ports,omitempty"`
	// ExternalName is the host that the externalname overlay stands for; empty is
	// no such overlay.
	ExternalName string `json:"externalName,omitempty"`

	// Labels are further labels of the Service.
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations are the Service's annotations, such as those that a cloud's load
	// balancers read.
	Annotations map[string]string `json:"annotations,omitempty"`

	// ExternalTrafficPolicy says to which nodes' Pods traffic from outside goes:
	// Cluster or Local. NodePort and LoadBalancer only.
	ExternalTrafficPolicy corev1.ServiceExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`
	// InternalTrafficPolicy says to which nodes' Pods traffic from inside goes:
	// Cluster or Local. Not Headless, whose traffic no proxy routes.
	InternalTrafficPolicy corev1.ServiceInternalTrafficPolicy `json:"internalTrafficPolicy,omitempty"`
	// TrafficDistribution prefers near Pods: PreferSameZone, PreferSameNode or
	// PreferClose. Not Headless.
	TrafficDistribution string `json:"trafficDistribution,omitempty"`
	// SessionAffinity sends a client to the same Pod: None or ClientIP. Not Headless.
	SessionAffinity corev1.ServiceAffinity `json:"sessionAffinity,omitempty"`
	// SessionAffinityConfig says for how long: clientIP.timeoutSeconds, up to 86400.
	SessionAffinityConfig *corev1.SessionAffinityConfig `json:"sessionAffinityConfig,omitempty"`
	// IPFamilies are the families of the cluster IPs, the first one first: IPv4, IPv6.
	IPFamilies []corev1.IPFamily `json:"ipFamilies,omitempty"`
	// IPFamilyPolicy is SingleStack, PreferDualStack or RequireDualStack.
	IPFamilyPolicy corev1.IPFamilyPolicy `json:"ipFamilyPolicy,omitempty"`
	// LoadBalancerClass names the controller that serves it; it never changes once
	// applied. LoadBalancer only.
	LoadBalancerClass string `json:"loadBalancerClass,omitempty"`
	// LoadBalancerSourceRanges are the only clients admitted, as CIDRs. LoadBalancer only.
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`
	// AllocateLoadBalancerNodePorts false makes a load balancer without node ports.
	// LoadBalancer only.
	AllocateLoadBalancerNodePorts *bool `json:"allocateLoadBalancerNodePorts,omitempty"`
	// HealthCheckNodePort pins the port that load balancers ask which nodes have
	// Pods. LoadBalancer with externalTrafficPolicy Local only.
	HealthCheckNodePort int32 `json:"healthCheckNodePort,omitempty"`
	// ExternalIPs are addresses that somebody else routes to the nodes. Whoever may
	// set them can take over other people's traffic (CVE-2020-8554), and many
	// clusters refuse them. Not Headless.
	ExternalIPs []string `json:"externalIPs,omitempty"`
	// PublishNotReadyAddresses sends traffic to Pods that are not ready; for peers
	// that must find each other first.
	PublishNotReadyAddresses bool `json:"publishNotReadyAddresses,omitempty"`
}

// ServicePort is one port of the Service and of the container behind it.
type ServicePort struct {
	// Name names the port; empty is what is spoken there. It is the container port's
	// name too, where that may be called so: up to 15 letters, one of them no digit.
	Name string `json:"name,omitempty"`
	// Port is the Service's port, 1 to 65535.
	Port int32 `json:"port"`
	// TargetPort is the container's port: its number, or the name of a port of the
	// workload. Empty is the Service's.
	TargetPort intstr.IntOrString `json:"targetPort,omitzero"`
	// Protocol is TCP, UDP or SCTP; empty is TCP.
	Protocol corev1.Protocol `json:"protocol,omitempty"`
	// AppProtocol is what is spoken there, such as http, redis or kubernetes.io/h2c.
	AppProtocol string `json:"appProtocol,omitempty"`
	// NodePort pins the port on every node; empty lets the cluster choose one.
	// NodePort and LoadBalancer only.
	NodePort int32 `json:"nodePort,omitempty"`
}

// Environment is an overlay of its own: what is different there. A field that is
// left out is as in the rest of the Spec.
type Environment struct {
	// Name is the overlay's folder: overlays/NAME.
	Name string `json:"name"`
	// Type is the Service's type there.
	Type ServiceType `json:"type,omitempty"`
	// Namespace is where it is applied.
	Namespace string `json:"namespace,omitempty"`
	// Replicas is how many Pods run there.
	Replicas *int32 `json:"replicas,omitempty"`
	// Image is the image that runs there.
	Image string `json:"image,omitempty"`
	// ExternalName is the host that the Service stands for there; type ExternalName only.
	ExternalName string `json:"externalName,omitempty"`
}
