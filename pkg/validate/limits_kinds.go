package validate

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// workloadLimits checks what is around the template of a workload.
func (r *ruling) workloadLimits(o *object) {
	spec := path{"spec"}
	least(r, o, spec.with("replicas"), o.workload.replicas, 0)
	switch o.kind {
	case "Deployment":
		if d := as[appsv1.Deployment](o); d != nil {
			r.deployment(o, &d.Spec)
		}
	case "StatefulSet":
		if s := as[appsv1.StatefulSet](o); s != nil {
			r.statefulSet(o, &s.Spec)
		}
	case "DaemonSet":
		if d := as[appsv1.DaemonSet](o); d != nil && d.Spec.UpdateStrategy.RollingUpdate != nil {
			u := d.Spec.UpdateStrategy.RollingUpdate
			r.rolling(o, spec.with("updateStrategy").with("rollingUpdate"), u.MaxUnavailable, u.MaxSurge)
		}
	case "Job":
		if j := as[batchv1.Job](o); j != nil {
			for name, n := range map[string]*int32{"parallelism": j.Spec.Parallelism, "completions": j.Spec.Completions, "backoffLimit": j.Spec.BackoffLimit, "ttlSecondsAfterFinished": j.Spec.TTLSecondsAfterFinished} {
				least(r, o, spec.with(name), n, 0)
			}
		}
	}
}

// progressDeadline is how long a rollout may make no progress, where that is not said.
const progressDeadline = 600

func (r *ruling) deployment(o *object, d *appsv1.DeploymentSpec) {
	spec := path{"spec"}
	least(r, o, spec.with("minReadySeconds"), &d.MinReadySeconds, 0)
	least(r, o, spec.with("revisionHistoryLimit"), d.RevisionHistoryLimit, 0)
	deadline := int32(progressDeadline)
	if d.ProgressDeadlineSeconds != nil {
		deadline = *d.ProgressDeadlineSeconds
	}
	if deadline <= d.MinReadySeconds {
		r.wrong(o, spec.with("progressDeadlineSeconds"), fmt.Sprintf("%d is not more than minReadySeconds, %d", deadline, d.MinReadySeconds), "make it longer than a Pod takes to count")
	}
	at := spec.with("strategy").with("rollingUpdate")
	u := d.Strategy.RollingUpdate
	if u == nil {
		return
	}
	if d.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		r.wrong(o, at, "is refused with type Recreate", "remove one; in a patch, set it to null")
		return
	}
	r.rolling(o, at, u.MaxUnavailable, u.MaxSurge)
}

// rolling checks how many Pods an update may take or add at a time.
func (r *ruling) rolling(o *object, at path, unavailable, surge *intstr.IntOrString) {
	fewer, more := r.share(o, at.with("maxUnavailable"), unavailable, 100), r.share(o, at.with("maxSurge"), surge, 0)
	if fewer == 0 && more == 0 {
		r.wrong(o, at.with("maxUnavailable"), "and maxSurge are both 0, so that no Pod could ever be replaced", "give one of them 1 or more")
	}
}

func (r *ruling) statefulSet(o *object, s *appsv1.StatefulSetSpec) {
	spec := path{"spec"}
	least(r, o, spec.with("minReadySeconds"), &s.MinReadySeconds, 0)
	least(r, o, spec.with("revisionHistoryLimit"), s.RevisionHistoryLimit, 0)
	if u := s.UpdateStrategy.RollingUpdate; u != nil {
		at := spec.with("updateStrategy").with("rollingUpdate")
		if s.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
			r.wrong(o, at, "is refused with type OnDelete", "remove one")
		}
		least(r, o, at.with("partition"), u.Partition, 0)
	}
	for i := range s.VolumeClaimTemplates {
		at := spec.with("volumeClaimTemplates").with(i)
		r.bad(o, at.with("metadata").with("name"), s.VolumeClaimTemplates[i].Name, "volume's name", validation.IsDNS1123Label(s.VolumeClaimTemplates[i].Name))
	}
}

// claim checks what is asked of storage.
func (r *ruling) claim(o *object, c *corev1.PersistentVolumeClaimSpec) {
	spec := path{"spec"}
	if len(c.AccessModes) == 0 {
		r.wrong(o, spec.with("accessModes"), "is missing", "such as [ReadWriteOnce]")
	}
	if storage, ok := c.Resources.Requests[corev1.ResourceStorage]; !ok {
		r.wrong(o, spec.with("resources").with("requests").with("storage"), "is missing", "such as 1Gi")
	} else if storage.Sign() <= 0 {
		r.wrong(o, spec.with("resources").with("requests").with("storage"), storage.String()+" is no amount", "such as 1Gi")
	}
	r.selects(o, spec.with("selector"), c.Selector)
}

// kindLimits checks the kinds that stand beside a workload and its Services.
func (r *ruling) kindLimits(o *object) {
	group, _, _ := strings.Cut(o.apiVersion, "/")
	switch group + "/" + o.kind {
	case "v1/ConfigMap":
		if c := as[corev1.ConfigMap](o); c != nil {
			r.data(o, "data", c.Data)
			r.data(o, "binaryData", c.BinaryData)
			for key := range c.BinaryData {
				if _, twice := c.Data[key]; twice {
					r.wrong(o, path{"binaryData", key}, "is a key of data too", "remove one")
				}
			}
		}
	case "v1/Secret":
		if s := as[corev1.Secret](o); s != nil {
			r.data(o, "data", s.Data)
			r.data(o, "stringData", s.StringData)
			r.secretKeys(o, s)
		}
	case "v1/PersistentVolumeClaim":
		if c := as[corev1.PersistentVolumeClaim](o); c != nil {
			r.claim(o, &c.Spec)
		}
	case "policy/PodDisruptionBudget":
		if p := as[policyv1.PodDisruptionBudget](o); p != nil {
			if p.Spec.MinAvailable != nil && p.Spec.MaxUnavailable != nil {
				r.wrong(o, path{"spec", "maxUnavailable"}, "is there, and minAvailable too", "remove one")
			}
			r.share(o, path{"spec", "minAvailable"}, p.Spec.MinAvailable, 100)
			r.share(o, path{"spec", "maxUnavailable"}, p.Spec.MaxUnavailable, 100)
			r.selects(o, path{"spec", "selector"}, p.Spec.Selector)
		}
	case "autoscaling/HorizontalPodAutoscaler":
		if h := as[autoscalingv2.HorizontalPodAutoscaler](o); h != nil {
			r.autoscalerLimits(o, &h.Spec)
		}
	case "networking.k8s.io/NetworkPolicy":
		if p := as[networkingv1.NetworkPolicy](o); p != nil {
			r.policy(o, &p.Spec)
		}
	case "networking.k8s.io/Ingress":
		if i := as[networkingv1.Ingress](o); i != nil {
			r.ingress(o, &i.Spec)
		}
	}
}

// maxData is what a ConfigMap or Secret may hold.
const maxData = 1 << 20

// data checks the keys of a ConfigMap or Secret, and how much it holds.
func (r *ruling) data(o *object, field string, data any) {
	size := 0
	check := func(key string, n int) {
		size += n
		r.bad(o, path{field, key}, key, "key", validation.IsConfigMapKey(key))
	}
	switch data := data.(type) {
	case map[string]string:
		for k, v := range data {
			check(k, len(v))
		}
	case map[string][]byte:
		for k, v := range data {
			check(k, len(v))
		}
	}
	if size > maxData {
		r.wrong(o, path{field}, fmt.Sprintf("holds %d bytes in all; %d is the most", size, maxData), "")
	}
}

// secretKeys checks that a Secret has what its type promises.
func (r *ruling) secretKeys(o *object, s *corev1.Secret) {
	for _, key := range map[corev1.SecretType][]string{
		corev1.SecretTypeTLS: {corev1.TLSCertKey, corev1.TLSPrivateKeyKey}, corev1.SecretTypeDockerConfigJson: {corev1.DockerConfigJsonKey},
		corev1.SecretTypeDockercfg: {corev1.DockerConfigKey}, corev1.SecretTypeSSHAuth: {corev1.SSHAuthPrivateKey},
	}[s.Type] {
		_, inData := s.Data[key]
		_, inText := s.StringData[key]
		if !inData && !inText {
			r.wrong(o, path{"data", key}, "is missing, which a Secret of type "+string(s.Type)+" has", "")
		}
	}
}

func (r *ruling) autoscalerLimits(o *object, h *autoscalingv2.HorizontalPodAutoscalerSpec) {
	spec := path{"spec"}
	fewest := int32(1)
	if h.MinReplicas != nil {
		fewest = *h.MinReplicas
	}
	least(r, o, spec.with("minReplicas"), h.MinReplicas, 1)
	if h.MaxReplicas < max(fewest, 1) {
		r.wrong(o, spec.with("maxReplicas"), fmt.Sprintf("%d is less than minReplicas, %d", h.MaxReplicas, fewest), "give at least as many")
	}
}

func (r *ruling) policy(o *object, p *networkingv1.NetworkPolicySpec) {
	spec := path{"spec"}
	r.selects(o, spec.with("podSelector"), &p.PodSelector)
	rule := func(at path, field string, ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer) {
		for i, port := range ports {
			here := at.with("ports").with(i)
			if port.Port != nil {
				r.portOrName(o, here.with("port"), *port.Port)
			}
			if port.EndPort != nil && (port.Port == nil || port.Port.Type == intstr.String || *port.EndPort < port.Port.IntVal) {
				r.wrong(o, here.with("endPort"), fmt.Sprintf("%d ends no range: port is to be a number, and not larger", *port.EndPort), "")
			}
		}
		for i, peer := range peers {
			here := at.with(field).with(i)
			switch {
			case peer.IPBlock != nil && (peer.PodSelector != nil || peer.NamespaceSelector != nil):
				r.wrong(o, here.with("ipBlock"), "is there, and a selector too", "make two of it")
			case peer.IPBlock == nil && peer.PodSelector == nil && peer.NamespaceSelector == nil:
				r.wrong(o, here, "says nobody", "one of podSelector, namespaceSelector, ipBlock")
			case peer.IPBlock != nil:
				r.cidr(o, here.with("ipBlock").with("cidr"), peer.IPBlock.CIDR)
				for j, except := range peer.IPBlock.Except {
					r.cidr(o, here.with("ipBlock").with("except").with(j), except)
				}
			}
			r.selects(o, here.with("podSelector"), peer.PodSelector)
			r.selects(o, here.with("namespaceSelector"), peer.NamespaceSelector)
		}
	}
	for i, in := range p.Ingress {
		rule(spec.with("ingress").with(i), "from", in.Ports, in.From)
	}
	for i, out := range p.Egress {
		rule(spec.with("egress").with(i), "to", out.Ports, out.To)
	}
	for i, t := range p.PolicyTypes {
		if !slices.Contains([]networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}, t) {
			r.wrong(o, spec.with("policyTypes").with(i), show(string(t))+" is not a value of this field", "one of Ingress, Egress")
		}
	}
}

func (r *ruling) ingress(o *object, s *networkingv1.IngressSpec) {
	spec := path{"spec"}
	if s.DefaultBackend == nil && len(s.Rules) == 0 {
		r.wrong(o, spec.with("rules"), "is missing, and defaultBackend too", "")
	}
	if s.DefaultBackend != nil {
		r.backend(o, spec.with("defaultBackend"), s.DefaultBackend)
	}
	for i, rule := range s.Rules {
		at := spec.with("rules").with(i)
		if host := rule.Host; host != "" && len(validation.IsDNS1123Subdomain(host)) > 0 && len(validation.IsWildcardDNS1123Subdomain(host)) > 0 {
			r.wrong(o, at.with("host"), show(host)+" is no host name", "such as www.example.com or *.example.com")
		}
		if rule.HTTP == nil {
			continue
		}
		for j := range rule.HTTP.Paths {
			p := &rule.HTTP.Paths[j]
			here := at.with("http").with("paths").with(j)
			if exact := p.PathType == nil || *p.PathType != networkingv1.PathTypeImplementationSpecific; exact && !strings.HasPrefix(p.Path, "/") {
				r.wrong(o, here.with("path"), show(p.Path)+" does not begin with /", "")
			}
			r.backend(o, here.with("backend"), &p.Backend)
		}
	}
}

func (r *ruling) backend(o *object, at path, b *networkingv1.IngressBackend) {
	r.oneOf(o, at, map[string]bool{"service": b.Service != nil, "resource": b.Resource != nil})
	if b.Service == nil {
		return
	}
	at = at.with("service")
	r.bad(o, at.with("name"), b.Service.Name, "name of a Service", validation.IsDNS1123Label(b.Service.Name))
	switch port := b.Service.Port; {
	case port.Name != "" && port.Number != 0:
		r.wrong(o, at.with("port"), "says a name and a number", "remove one")
	case port.Name != "":
		r.bad(o, at.with("port").with("name"), port.Name, "port's name", validation.IsDNS1123Label(port.Name))
	default:
		r.port(o, "limits", at.with("port").with("number"), port.Number)
	}
}
