package generate

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// WorkloadKind is the kind of object that runs the Pods.
type WorkloadKind string

// The kinds of workload.
const (
	Deployment  WorkloadKind = "Deployment"
	StatefulSet WorkloadKind = "StatefulSet"
)

// Workload describes what runs: one container in each Pod. What is left out is
// what is known of the image, and satisfies the restricted Pod Security standard.
type Workload struct {
	// Kind is Deployment, or StatefulSet for peers that know each other by name: it
	// gets a headless Service of its own, NAME-peers. Empty is Deployment.
	Kind WorkloadKind `json:"kind,omitempty"`
	// Image is the container's image, with a tag or a digest.
	Image string `json:"image"`
	// ImagePullPolicy is Always, IfNotPresent or Never.
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// ImagePullSecrets name the Secrets with which a private image is pulled.
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// Replicas is how many Pods run; empty is 1, or what an autoscaler says.
	Replicas *int32 `json:"replicas,omitempty"`
	// Command takes the place of the image's entry point.
	Command []string `json:"command,omitempty"`
	// Args take the place of the image's arguments.
	Args []string `json:"args,omitempty"`
	// Ports names ports of the container; those that the Service's ports lead to by
	// number need not be here.
	Ports []corev1.ContainerPort `json:"ports,omitempty"`
	// Env are environment variables.
	Env []corev1.EnvVar `json:"env,omitempty"`
	// EnvFrom takes every key of a ConfigMap or Secret as an environment variable.
	EnvFrom []corev1.EnvFromSource `json:"envFrom,omitempty"`
	// Resources are the requests and limits of the container.
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// Check is what the readiness probe asks, in short.
	Check *Check `json:"check,omitempty"`
	// ReadinessProbe says when a Pod gets traffic; in full, instead of check.
	ReadinessProbe *corev1.Probe `json:"readinessProbe,omitempty"`
	// LivenessProbe says when the container is restarted.
	LivenessProbe *corev1.Probe `json:"livenessProbe,omitempty"`
	// StartupProbe holds the other two back until it succeeds.
	StartupProbe *corev1.Probe `json:"startupProbe,omitempty"`

	// SecurityContext is the container's; what it leaves out stays restricted, as far as
	// the rest allows.
	SecurityContext *corev1.SecurityContext `json:"securityContext,omitempty"`
	// PodSecurityContext is the Pod's; what it leaves out stays restricted, as far as the
	// rest allows.
	PodSecurityContext *corev1.PodSecurityContext `json:"podSecurityContext,omitempty"`
	// ServiceAccountName is the account that the Pods run as.
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// AutomountServiceAccountToken true gives the Pods a token for the API.
	AutomountServiceAccountToken *bool `json:"automountServiceAccountToken,omitempty"`
	// EnableServiceLinks true gives the Pods variables for every Service.
	EnableServiceLinks *bool `json:"enableServiceLinks,omitempty"`

	// Volumes are further volumes of the Pod; one of the name that a known image's
	// has takes its place.
	Volumes []corev1.Volume `json:"volumes,omitempty"`
	// VolumeMounts are further mounts; one at the path that a known image's has
	// takes its place.
	VolumeMounts []corev1.VolumeMount `json:"volumeMounts,omitempty"`
	// VolumeClaimTemplates are the claims that each Pod of a StatefulSet gets. A
	// claim of the name that a known image's volume has takes its place.
	VolumeClaimTemplates []VolumeClaim `json:"volumeClaimTemplates,omitempty"`

	// NodeSelector names labels that a node must have.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Affinity draws Pods to nodes or to each other, or keeps them apart.
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// TopologySpreadConstraints spread the Pods; without a labelSelector they count
	// the app's own.
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// Tolerations admit Pods to nodes with taints.
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// PriorityClassName is the Pods' priority.
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// TerminationGracePeriodSeconds is how long a Pod may take to end.
	TerminationGracePeriodSeconds *int64 `json:"terminationGracePeriodSeconds,omitempty"`
	// Lifecycle are the container's hooks.
	Lifecycle *corev1.Lifecycle `json:"lifecycle,omitempty"`

	// Strategy is how a Deployment replaces its Pods.
	Strategy *appsv1.DeploymentStrategy `json:"strategy,omitempty"`
	// UpdateStrategy is how a StatefulSet replaces its Pods.
	UpdateStrategy *appsv1.StatefulSetUpdateStrategy `json:"updateStrategy,omitempty"`
	// PodManagementPolicy is OrderedReady or Parallel; StatefulSet only.
	PodManagementPolicy appsv1.PodManagementPolicyType `json:"podManagementPolicy,omitempty"`
	// MinReadySeconds is how long a Pod is ready before it counts.
	MinReadySeconds int32 `json:"minReadySeconds,omitempty"`

	// PodLabels are further labels of the Pods.
	PodLabels map[string]string `json:"podLabels,omitempty"`
	// PodAnnotations are annotations of the Pods.
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`
}

// Check is a readiness probe in short.
type Check struct {
	// Type is none, tcp, http, https, grpc or exec.
	Type string `json:"type"`
	// Port is the container's port to ask, by number or name; empty is the one that
	// speaks what the image does, else the first TCP port.
	Port intstr.IntOrString `json:"port,omitzero"`
	// Path is what http and https ask for; empty is /.
	Path string `json:"path,omitempty"`
	// Service is what grpc asks for; empty is the server as a whole.
	Service string `json:"service,omitempty"`
	// Command is what exec runs in the container; it is well when it ends with 0.
	Command []string `json:"command,omitempty"`
}

// VolumeClaim is a claim that each Pod of a StatefulSet gets.
type VolumeClaim struct {
	// Name is the volume's name in the Pod.
	Name string `json:"name"`
	// MountPath is where the container sees it; empty when volumeMounts or a known
	// image's own volume of that name says it.
	MountPath string `json:"mountPath,omitempty"`
	// Storage is how much is asked for, such as 10Gi.
	Storage string `json:"storage"`
	// StorageClassName is who provides it; empty is the cluster's default.
	StorageClassName string `json:"storageClassName,omitempty"`
	// AccessModes is ReadWriteOnce when empty.
	AccessModes []corev1.PersistentVolumeAccessMode `json:"accessModes,omitempty"`
}

// ConfigMap is a ConfigMap that kustomize makes.
type ConfigMap struct {
	// Name is what the workload refers to; kustomize adds a hash to it everywhere.
	Name string `json:"name"`
	// Data are the keys and their values.
	Data map[string]string `json:"data,omitempty"`
	// Files are files of base/, each a value, its key the file's name: FILE or KEY=FILE.
	Files []string `json:"files,omitempty"`
	// Envs are files of base/ with a KEY=VALUE a line.
	Envs []string `json:"envs,omitempty"`
}

// Secret is a Secret that kustomize makes.
type Secret struct {
	// Name is what the workload refers to; kustomize adds a hash to it everywhere.
	Name string `json:"name"`
	// Type is the Secret's type; empty is Opaque.
	Type corev1.SecretType `json:"type,omitempty"`
	// StringData are the keys and their values, for everyone who reads the tree to see.
	StringData map[string]string `json:"stringData,omitempty"`
	// Files are files of base/, each a value, its key the file's name: FILE or KEY=FILE.
	Files []string `json:"files,omitempty"`
	// Envs are files of base/ with a KEY=VALUE a line.
	Envs []string `json:"envs,omitempty"`
}

// PodDisruptionBudget says how many Pods an eviction must leave; one of the two.
type PodDisruptionBudget struct {
	// MinAvailable is how many must stay, as a number or a percentage.
	MinAvailable *intstr.IntOrString `json:"minAvailable,omitempty"`
	// MaxUnavailable is how many may be missing, as a number or a percentage.
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
	// UnhealthyPodEvictionPolicy is IfHealthyBudget or AlwaysAllow.
	UnhealthyPodEvictionPolicy *policyv1.UnhealthyPodEvictionPolicyType `json:"unhealthyPodEvictionPolicy,omitempty"`
}

// HorizontalPodAutoscaler sets the number of Pods by what they use.
type HorizontalPodAutoscaler struct {
	// MinReplicas is the least; empty is 1.
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// MaxReplicas is the most.
	MaxReplicas int32 `json:"maxReplicas"`
	// Metrics are what is measured; empty is 80 % of the CPU that is requested.
	Metrics []autoscalingv2.MetricSpec `json:"metrics,omitempty"`
	// Behavior says how fast it may go up and down.
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
}

// NetworkPolicy admits clients to the app's ports.
type NetworkPolicy struct {
	// From are the clients; [] is everybody. A podSelector alone means Pods of the
	// app's namespace; traffic through node ports and load balancers comes from nodes,
	// which only an ipBlock admits.
	From []networkingv1.NetworkPolicyPeer `json:"from"`
}
