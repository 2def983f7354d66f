// Package generate turns a Spec into the files of a kustomize tree.
package generate

import (
	corev1 "k8s.io/api/core/v1"
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
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata names the app; Name is the Deployment's name.
type Metadata struct {
	Name string `json:"name"`
	// Namespace is written into every overlay's kustomization; empty leaves the
	// choice to whoever applies it.
	Namespace string `json:"namespace,omitempty"`
}

// Spec is what the app is made of.
type Spec struct {
	// Workload is nil for an app that is only an alias (an ExternalName Service).
	Workload *Workload `json:"workload,omitempty"`
	Service  Service   `json:"service"`
}

// Workload describes the Deployment.
type Workload struct {
	Image    string   `json:"image"`
	Replicas *int32   `json:"replicas,omitempty"` // nil means 1
	Command  []string `json:"command,omitempty"`
	Args     []string `json:"args,omitempty"`
}

// ServiceType is a Service's type as a user names it: the four of the API, and Headless.
type ServiceType string

// The five types.
const (
	ClusterIP    ServiceType = "ClusterIP"
	NodePort     ServiceType = "NodePort"
	LoadBalancer ServiceType = "LoadBalancer"
	ExternalName ServiceType = "ExternalName"
	Headless     ServiceType = "Headless" // spec.type ClusterIP with spec.clusterIP None
)

// Service describes the Service.
type Service struct {
	Name string `json:"name,omitempty"` // empty: the app's name
	// Type is the type asked for: whose overlay to apply when none is named. base/
	// itself stays a ClusterIP Service, from which every overlay departs.
	Type  ServiceType   `json:"type,omitempty"` // empty: ClusterIP; ExternalName without a workload
	Ports []ServicePort `json:"ports,omitempty"`
	// ExternalName is the target of the externalname overlay; empty: no such overlay.
	ExternalName string `json:"externalName,omitempty"`
}

// ServicePort is one port of the Service and of the container behind it.
type ServicePort struct {
	Name        string          `json:"name,omitempty"`
	Port        int32           `json:"port"`
	TargetPort  int32           `json:"targetPort,omitempty"` // the container's port; 0: Port
	Protocol    corev1.Protocol `json:"protocol,omitempty"`   // empty: TCP
	AppProtocol string          `json:"appProtocol,omitempty"`
}
