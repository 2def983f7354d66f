package validate

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // not every machine has one

	"github.com/robfig/cron/v3"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// workloadLimits checks what is around the template of a workload.
func (r *ruling) workloadLimits(o *object) {
	spec := path{"spec"}
	limits.Least(r.at(o, spec.with("replicas")), o.workload.replicas, 0)
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
		if d := as[appsv1.DaemonSet](o); d != nil {
			r.daemonSet(o, &d.Spec)
		}
	case "Job":
		if j := as[batchv1.Job](o); j != nil {
			r.job(o, spec, &j.Spec)
			r.jobSelector(o, &j.Spec)
		}
	case "CronJob":
		if c := as[batchv1.CronJob](o); c != nil {
			r.cronJob(o, &c.Spec)
		}
	}
}

func (r *ruling) daemonSet(o *object, d *appsv1.DaemonSetSpec) {
	spec := path{"spec"}
	limits.Least(r.at(o, spec.with("minReadySeconds")), &d.MinReadySeconds, 0)
	limits.Least(r.at(o, spec.with("revisionHistoryLimit")), d.RevisionHistoryLimit, 0)
	u := d.UpdateStrategy.RollingUpdate
	if u == nil || d.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		return
	}
	at := spec.with("updateStrategy").with("rollingUpdate")
	fewer, more := limits.Share(r.at(o, at.with("maxUnavailable")), u.MaxUnavailable), limits.Share(r.at(o, at.with("maxSurge")), u.MaxSurge)
	if u.MaxUnavailable == nil {
		fewer = 1 // the API server fills in 1, and 0 for maxSurge
	}
	if u.MaxSurge == nil {
		more = 0
	}
	switch {
	case fewer > 0 && more > 0:
		r.wrong(o, at.with("maxSurge"), fmt.Sprintf("%s is refused with maxUnavailable above 0, also when that is left out and so 1", u.MaxSurge), "write maxUnavailable: 0, or remove maxSurge")
	case fewer == 0 && more == 0:
		r.wrong(o, at.with("maxUnavailable"), "is 0, and maxSurge too, so that no Pod could ever be replaced", "give one of them 1 or more")
	}
}

func (r *ruling) job(o *object, at path, j *batchv1.JobSpec) {
	for _, f := range []struct {
		name   string
		number *int32
	}{{"parallelism", j.Parallelism}, {"completions", j.Completions}, {"backoffLimit", j.BackoffLimit}, {"ttlSecondsAfterFinished", j.TTLSecondsAfterFinished}} {
		limits.Least(r.at(o, at.with(f.name)), f.number, 0)
	}
	limits.Least(r.at(o, at.with("activeDeadlineSeconds")), j.ActiveDeadlineSeconds, 0)
}

// jobSelector checks that a Job leaves its selector to the API server, or says that it does not.
func (r *ruling) jobSelector(o *object, j *batchv1.JobSpec) {
	own := j.Selector != nil && len(j.Selector.MatchLabels)+len(j.Selector.MatchExpressions) > 0
	if own && (j.ManualSelector == nil || !*j.ManualSelector) {
		r.wrong(o, path{"spec", "selector"}, "is refused: the API server gives each Job one of its own", "remove it, or write manualSelector: true")
	}
}

// maxCronJobName leaves room for what is added to the names of its Jobs.
const maxCronJobName = 52

func (r *ruling) cronJob(o *object, c *batchv1.CronJobSpec) {
	spec := path{"spec"}
	if len(o.name) > maxCronJobName {
		r.wrong(o, path{"metadata", "name"}, show(o.name)+" is too long", fmt.Sprintf("%d letters at the most: the names of its Jobs have 11 more", maxCronJobName))
	}
	switch at := spec.with("schedule"); {
	case strings.Contains(c.Schedule, "TZ"):
		r.wrong(o, at, show(c.Schedule)+" names a time zone", "name it in timeZone")
	default: // by the parser of the API server
		if _, err := cron.ParseStandard(c.Schedule); err != nil {
			r.wrong(o, at, show(c.Schedule)+" is no schedule, which has minute, hour, day of the month, month and day of the week: "+err.Error(), `such as "0 3 * * *" or "@daily"`)
		}
	}
	r.timeZone(o, c.TimeZone)
	limits.Least(r.at(o, spec.with("startingDeadlineSeconds")), c.StartingDeadlineSeconds, 0)
	limits.Least(r.at(o, spec.with("successfulJobsHistoryLimit")), c.SuccessfulJobsHistoryLimit, 0)
	limits.Least(r.at(o, spec.with("failedJobsHistoryLimit")), c.FailedJobsHistoryLimit, 0)
	job := spec.with("jobTemplate").with("spec")
	if c.JobTemplate.Spec.Selector != nil {
		r.wrong(o, job.with("selector"), "must not be there: each Job gets one of its own", "remove it")
	}
	r.job(o, job, &c.JobTemplate.Spec)
}

// zonePart is a part of a time zone's name.
var zonePart = regexp.MustCompile(`^[A-Za-z._0-9+][A-Za-z._0-9+-]{0,13}$`)

// timeZone is validateTimeZone.
func (r *ruling) timeZone(o *object, zone *string) {
	if zone == nil {
		return
	}
	known := *zone != "" && !strings.EqualFold(*zone, "Local")
	for part := range strings.SplitSeq(*zone, "/") {
		known = known && part != "." && part != ".." && zonePart.MatchString(part)
	}
	if known {
		_, err := time.LoadLocation(*zone)
		known = err == nil
	}
	if !known {
		r.wrong(o, path{"spec", "timeZone"}, show(*zone)+" is no time zone", "such as Europe/Vienna or Etc/UTC")
	}
}

func (r *ruling) deployment(o *object, d *appsv1.DeploymentSpec) {
	spec := path{"spec"}
	limits.Least(r.at(o, spec.with("minReadySeconds")), &d.MinReadySeconds, 0)
	limits.Least(r.at(o, spec.with("revisionHistoryLimit")), d.RevisionHistoryLimit, 0)
	deadline := int32(limits.ProgressDeadline)
	if d.ProgressDeadlineSeconds != nil {
		deadline = *d.ProgressDeadlineSeconds
	}
	if deadline <= d.MinReadySeconds {
		r.wrong(o, spec.with("progressDeadlineSeconds"), fmt.Sprintf("%d is not more than minReadySeconds, %d", deadline, d.MinReadySeconds), "make it longer than a Pod takes to count")
	}
	limits.DeploymentStrategy(r.at(o, spec.with("strategy")), &d.Strategy)
}

func (r *ruling) statefulSet(o *object, s *appsv1.StatefulSetSpec) {
	spec := path{"spec"}
	limits.Least(r.at(o, spec.with("minReadySeconds")), &s.MinReadySeconds, 0)
	limits.Least(r.at(o, spec.with("revisionHistoryLimit")), s.RevisionHistoryLimit, 0)
	limits.StatefulSetStrategy(r.at(o, spec.with("updateStrategy")), &s.UpdateStrategy)
	for i := range s.VolumeClaimTemplates {
		at := spec.with("volumeClaimTemplates").with(i)
		r.bad(o, at.with("metadata").with("name"), s.VolumeClaimTemplates[i].Name, "volume's name", validation.IsDNS1123Label(s.VolumeClaimTemplates[i].Name))
		limits.Claim(r.at(o, at.with("spec")), &s.VolumeClaimTemplates[i].Spec)
	}
	if first := s.Ordinals; first != nil {
		limits.Least(r.at(o, spec.with("ordinals").with("start")), &first.Start, 0)
	}
	if p := s.PersistentVolumeClaimRetentionPolicy; p != nil {
		for field, what := range map[string]appsv1.PersistentVolumeClaimRetentionPolicyType{"whenDeleted": p.WhenDeleted, "whenScaled": p.WhenScaled} {
			if what != "" {
				limits.Listed(r.at(o, spec.with("persistentVolumeClaimRetentionPolicy").with(field)), what, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType)
			}
		}
	}
}

// kindLimits checks the kinds that stand beside a workload and its Services.
func (r *ruling) kindLimits(o *object) {
	group, _, _ := strings.Cut(o.apiVersion, "/")
	switch group + "/" + o.kind {
	case "v1/ConfigMap":
		if c := as[corev1.ConfigMap](o); c != nil {
			r.data(o, "data", c.Data)
			r.data(o, "binaryData", c.BinaryData)
			for _, key := range slices.Sorted(maps.Keys(c.BinaryData)) {
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
			limits.Claim(r.at(o, path{"spec"}), &c.Spec)
		}
	case "policy/PodDisruptionBudget":
		if p := as[policyv1.PodDisruptionBudget](o); p != nil {
			if p.Spec.MinAvailable != nil && p.Spec.MaxUnavailable != nil {
				r.wrong(o, path{"spec", "maxUnavailable"}, "is there, and minAvailable too", "remove one")
			}
			limits.Share(r.at(o, path{"spec", "minAvailable"}), p.Spec.MinAvailable)
			limits.Share(r.at(o, path{"spec", "maxUnavailable"}), p.Spec.MaxUnavailable)
			limits.Selector(r.at(o, path{"spec", "selector"}), p.Spec.Selector)
		}
	case "autoscaling/HorizontalPodAutoscaler":
		r.autoscaler(o)
	case "networking.k8s.io/NetworkPolicy":
		if p := as[networkingv1.NetworkPolicy](o); p != nil {
			r.policy(o, &p.Spec)
		}
	case "networking.k8s.io/Ingress":
		if i := as[networkingv1.Ingress](o); i != nil {
			r.ingress(o, &i.Spec)
		}
	case "rbac.authorization.k8s.io/Role", "rbac.authorization.k8s.io/ClusterRole":
		r.role(o)
	case "rbac.authorization.k8s.io/RoleBinding", "rbac.authorization.k8s.io/ClusterRoleBinding":
		r.roleBinding(o)
	case "v1/ResourceQuota":
		r.quota(o)
	case "v1/LimitRange":
		r.limitRange(o)
	case "discovery.k8s.io/EndpointSlice":
		r.endpointSlice(o)
	}
}

func (r *ruling) autoscaler(o *object) {
	spec := r.at(o, path{"spec"})
	if h := as[autoscalingv2.HorizontalPodAutoscaler](o); h != nil {
		limits.Autoscaler(spec, &h.Spec) // of an older one as much as it has
	}
	if h := as[autoscalingv1.HorizontalPodAutoscaler](o); h != nil && o.apiVersion == autoscalingv1.SchemeGroupVersion.String() {
		limits.Least(spec.At("targetCPUUtilizationPercentage"), h.Spec.TargetCPUUtilizationPercentage, 1)
	}
}

// maxData is what a ConfigMap or Secret may hold.
const maxData = 1 << 20

// data checks the keys of a ConfigMap or Secret, and how much it holds.
func (r *ruling) data(o *object, field string, data any) {
	sizes := map[string]int{}
	switch data := data.(type) {
	case map[string]string:
		for k, v := range data {
			sizes[k] = len(v)
		}
	case map[string][]byte:
		for k, v := range data {
			sizes[k] = len(v)
		}
	}
	size := 0
	for _, key := range slices.Sorted(maps.Keys(sizes)) {
		size += sizes[key]
		limits.DataKey(r.at(o, path{field, key}), key)
	}
	if size > maxData {
		r.wrong(o, path{field}, fmt.Sprintf("holds %d bytes in all; %d is the most", size, maxData), "")
	}
}

// secretKeys checks that a Secret has what its type promises.
func (r *ruling) secretKeys(o *object, s *corev1.Secret) {
	has := func(key string) bool {
		_, inData := s.Data[key]
		_, inText := s.StringData[key]
		return inData || inText
	}
	of := "a Secret of type " + string(s.Type) + " has"
	for _, key := range limits.SecretKeys(s.Type) {
		switch text, inText := s.StringData[key]; {
		case !has(key):
			r.wrong(o, path{"data", key}, "is missing, which "+of, "")
		case inText: // which goes over data
			limits.SecretValue(r.at(o, path{"stringData", key}), key, []byte(text))
		default:
			limits.SecretValue(r.at(o, path{"data", key}), key, s.Data[key])
		}
	}
	switch s.Type {
	case corev1.SecretTypeBasicAuth:
		if !has(corev1.BasicAuthUsernameKey) && !has(corev1.BasicAuthPasswordKey) {
			r.wrong(o, path{"data", corev1.BasicAuthPasswordKey}, "is missing, and username too: "+of+" one at least", "")
		}
	case corev1.SecretTypeServiceAccountToken:
		if s.Annotations[corev1.ServiceAccountNameKey] == "" {
			r.wrong(o, path{"metadata", "annotations", corev1.ServiceAccountNameKey}, "is missing, which "+of, "name the ServiceAccount")
		}
	}
}

func (r *ruling) policy(o *object, p *networkingv1.NetworkPolicySpec) {
	spec := path{"spec"}
	limits.Selector(r.at(o, spec.with("podSelector")), &p.PodSelector)
	rule := func(at path, field string, ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer) {
		for i, port := range ports {
			here := at.with("ports").with(i)
			if port.Port != nil {
				limits.PortOrName(r.at(o, here.with("port")), *port.Port)
			}
			switch end := port.EndPort; {
			case end == nil:
			case port.Port == nil || port.Port.Type == intstr.String || *end < port.Port.IntVal:
				r.wrong(o, here.with("endPort"), fmt.Sprintf("%d ends no range: port is to be a number, and not larger", *end), "correct one of the two, or remove endPort")
			default:
				limits.Port(r.at(o, here.with("endPort")), *end)
			}
		}
		for i, peer := range peers {
			limits.Peer(r.at(o, at.with(field).with(i)), peer)
		}
	}
	for i, in := range p.Ingress {
		rule(spec.with("ingress").with(i), "from", in.Ports, in.From)
	}
	for i, out := range p.Egress {
		rule(spec.with("egress").with(i), "to", out.Ports, out.To)
	}
	if len(p.PolicyTypes) > 2 {
		r.wrong(o, spec.with("policyTypes"), fmt.Sprintf("has %d values", len(p.PolicyTypes)), "Ingress, Egress, or both")
	}
	for i, t := range p.PolicyTypes {
		limits.Listed(r.at(o, spec.with("policyTypes").with(i)), t, networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)
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
		r.host(o, at.with("host"), rule.Host)
		if rule.HTTP == nil {
			continue
		}
		if len(rule.HTTP.Paths) == 0 {
			r.wrong(o, at.with("http").with("paths"), "is empty", "a rule has one path at least, such as /")
		}
		for j := range rule.HTTP.Paths {
			here := at.with("http").with("paths").with(j)
			r.ingressPath(o, here.with("path"), &rule.HTTP.Paths[j])
			r.backend(o, here.with("backend"), &rule.HTTP.Paths[j].Backend)
		}
	}
}

// host checks what a client may ask for by name.
func (r *ruling) host(o *object, at path, host string) {
	_, notAddress := netip.ParseAddr(host)
	switch {
	case host == "":
	case notAddress == nil:
		r.wrong(o, at, show(host)+" is an IP address", "name a host, or leave it out")
	case len(validation.IsDNS1123Subdomain(host)) > 0 && len(validation.IsWildcardDNS1123Subdomain(host)) > 0:
		r.wrong(o, at, show(host)+" is no host name", "such as www.example.com or *.example.com")
	}
}

func (r *ruling) ingressPath(o *object, at path, p *networkingv1.HTTPIngressPath) {
	loose := p.PathType != nil && *p.PathType == networkingv1.PathTypeImplementationSpecific
	if !strings.HasPrefix(p.Path, "/") && !(loose && p.Path == "") {
		r.wrong(o, at, show(p.Path)+" does not begin with /", "write /"+p.Path)
		return
	}
	if loose {
		return
	}
	for _, part := range []string{"//", "/./", "/../", "%2f", "%2F"} {
		if strings.Contains(p.Path, part) {
			r.wrong(o, at, show(p.Path)+" has "+part+" in it", "write it as clients ask for it, or use pathType: ImplementationSpecific")
			return
		}
	}
	if strings.HasSuffix(p.Path, "/.") || strings.HasSuffix(p.Path, "/..") {
		r.wrong(o, at, show(p.Path)+" ends with "+p.Path[strings.LastIndexByte(p.Path, '/'):], "write it as clients ask for it")
	}
}

func (r *ruling) backend(o *object, at path, b *networkingv1.IngressBackend) {
	limits.ExactlyOne(r.at(o, at), "must lead to exactly one thing", map[string]bool{"service": b.Service != nil, "resource": b.Resource != nil})
	if b.Service == nil {
		return
	}
	at = at.with("service")
	r.bad(o, at.with("name"), b.Service.Name, "name of a Service", validation.IsDNS1123Label(b.Service.Name))
	switch port := b.Service.Port; {
	case port.Name != "" && port.Number != 0:
		r.wrong(o, at.with("port"), "says a name and a number", "remove one")
	case port.Name != "":
		r.bad(o, at.with("port").with("name"), port.Name, "port's name", validation.IsValidPortName(port.Name))
	default:
		limits.Port(r.at(o, at.with("port").with("number")), port.Number)
	}
}
