// Package verify answers whether a Service is reachable, with proof.
//
// It works in three steps that never mix: Observe reads the cluster into a
// Snapshot, PlanProbes derives from it the questions to ask of the network, and
// Judge turns Snapshot and Outcomes into a Verdict. PlanProbes and Judge are
// pure functions: a saved Snapshot can be judged again, offline.
package verify

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Snapshot is what was seen of a cluster at one moment: all that a judgement
// may rest on beside the outcomes of probes.
type Snapshot struct {
	APIVersion string      `json:"apiVersion"` // SnapshotAPIVersion
	Kind       string      `json:"kind"`       // "Snapshot"
	Taken      metav1.Time `json:"taken"`
	// Targets are the Services asked about, as namespace/name, in the order of the
	// report; one that is not among Services is in Expected only.
	Targets []string `json:"targets"`

	Services       []corev1.Service            `json:"services,omitempty"`
	EndpointSlices []discoveryv1.EndpointSlice `json:"endpointSlices,omitempty"`
	Pods           []corev1.Pod                `json:"pods,omitempty"`
	Nodes          []corev1.Node               `json:"nodes,omitempty"`
	Deployments    []appsv1.Deployment         `json:"deployments,omitempty"`
	ReplicaSets    []appsv1.ReplicaSet         `json:"replicaSets,omitempty"`
	StatefulSets   []appsv1.StatefulSet        `json:"statefulSets,omitempty"`
	DaemonSets     []appsv1.DaemonSet          `json:"daemonSets,omitempty"`
	// These are read only where a target selects no Pods, and kept where it would
	// select theirs.
	ReplicationControllers []corev1.ReplicationController `json:"replicationControllers,omitempty"`
	Jobs                   []batchv1.Job                  `json:"jobs,omitempty"`
	CronJobs               []batchv1.CronJob              `json:"cronJobs,omitempty"`

	NetworkPolicies []networkingv1.NetworkPolicy `json:"networkPolicies,omitempty"`
	Events          []corev1.Event               `json:"events,omitempty"`
	Namespaces      []corev1.Namespace           `json:"namespaces,omitempty"`
	// ServiceCIDRs are the ranges that cluster IPs are given from; read only where
	// the tree asks for what depends on them, or endpoints are written by hand.
	ServiceCIDRs []string `json:"serviceCIDRs,omitempty"`

	// Logs are the last words of containers of the targets that have ended.
	Logs []ContainerLog `json:"logs,omitempty"`
	// Expected is what the tree says that the cluster should hold; nil when
	// there is no tree.
	Expected *Expected `json:"expected,omitempty"`

	// Client is whom the questions from inside the cluster were asked as; nil: a
	// probe Pod in the namespace of each Service.
	Client *Client `json:"client,omitempty"`

	// Gaps says what is missing above and why; a judgement that would need it is "not proven".
	Gaps []Gap `json:"gaps,omitempty"`
}

// SnapshotAPIVersion versions the JSON form of a Snapshot.
const SnapshotAPIVersion = "svcx/v1alpha1"

// Gap is something that could not be seen.
type Gap struct {
	Resource  string `json:"resource"`            // plural, as in RBAC: "pods"
	Namespace string `json:"namespace,omitempty"` // empty: everywhere
	Reason    string `json:"reason"`              // the API server's words, shortened
}

// ContainerLog is the end of what a container wrote, as it wrote it: it is to
// be made printable before it is shown.
type ContainerLog struct {
	Pod       string `json:"pod"` // namespace/name
	Container string `json:"container"`
	Text      string `json:"text"`
}

// Expected holds the objects of a tree that decide where traffic goes. An
// object without a namespace is meant for that of the target.
type Expected struct {
	Services        []corev1.Service             `json:"services,omitempty"`
	Deployments     []appsv1.Deployment          `json:"deployments,omitempty"`
	StatefulSets    []appsv1.StatefulSet         `json:"statefulSets,omitempty"`
	DaemonSets      []appsv1.DaemonSet           `json:"daemonSets,omitempty"`
	NetworkPolicies []networkingv1.NetworkPolicy `json:"networkPolicies,omitempty"`
}
