package generate

import (
	"fmt"
	"math"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// podDetails checks the limits of those fields that a Spec has from the Pod's API
// as they are (k8s.io/kubernetes/pkg/apis/core/validation).
func (v *validator) podDetails(w *Workload) {
	const at = "spec.workload."
	if c := w.SecurityContext; c != nil {
		v.id(at+"securityContext.runAsUser", c.RunAsUser)
		v.id(at+"securityContext.runAsGroup", c.RunAsGroup)
		if what := w.escalates(); what != "" && c.AllowPrivilegeEscalation != nil && !*c.AllowPrivilegeEscalation {
			v.add(at+"securityContext.allowPrivilegeEscalation", "false", "cannot be with "+what, "remove one")
		}
	}
	if c := w.PodSecurityContext; c != nil {
		v.id(at+"podSecurityContext.runAsUser", c.RunAsUser)
		v.id(at+"podSecurityContext.runAsGroup", c.RunAsGroup)
		v.id(at+"podSecurityContext.fsGroup", c.FSGroup)
		for i := range c.SupplementalGroups {
			v.id(fmt.Sprintf("%spodSecurityContext.supplementalGroups[%d]", at, i), &c.SupplementalGroups[i])
		}
	}
	if as := w.runsAs(); as.root() && as.nonRoot != nil && *as.nonRoot {
		v.add(at+as.userField, "0", "is root, and "+as.nonRootField+" is true: the container would not start", "give another user, or write runAsNonRoot: false")
	}
	for _, key := range sortedKeys(w.NodeSelector) {
		if errs := validation.IsValidLabelValue(w.NodeSelector[key]); len(errs) > 0 {
			v.add(at+"nodeSelector."+key, w.NodeSelector[key], "is not a label's value: "+errs[0], "")
		}
	}
	v.tolerations(w.Tolerations)
	v.affinity(w.Affinity)
	for i, c := range w.TopologySpreadConstraints {
		field := fmt.Sprintf("%stopologySpreadConstraints[%d].", at, i)
		if c.TopologyKey != "" {
			v.labelName(field+"topologyKey", c.TopologyKey)
		}
		if c.MinDomains != nil && *c.MinDomains < 1 {
			v.add(field+"minDomains", strconv.Itoa(int(*c.MinDomains)), "is out of range", "1 or more")
		}
		v.selector(field+"labelSelector", c.LabelSelector)
	}
	for i, p := range w.Ports {
		if p.HostPort != 0 {
			v.portNumber(fmt.Sprintf("%sports[%d].hostPort", at, i), p.HostPort)
		}
		if p.HostIP != "" {
			if _, err := netip.ParseAddr(p.HostIP); err != nil {
				v.add(fmt.Sprintf("%sports[%d].hostIP", at, i), p.HostIP, "is not an IP address", "")
			}
		}
	}
	v.volumes(w.Volumes)
	for i, m := range w.VolumeMounts {
		field := fmt.Sprintf("%svolumeMounts[%d].", at, i)
		v.below(field+"subPath", m.SubPath)
		v.below(field+"subPathExpr", m.SubPathExpr)
		if m.SubPath != "" && m.SubPathExpr != "" {
			v.add(field+"subPathExpr", m.SubPathExpr, "is given, and subPath too", "remove one")
		}
	}
	if l := w.Lifecycle; l != nil {
		grace := int64(corev1.DefaultTerminationGracePeriodSeconds)
		if w.TerminationGracePeriodSeconds != nil {
			grace = *w.TerminationGracePeriodSeconds
		}
		v.hook(at+"lifecycle.postStart", l.PostStart, grace)
		v.hook(at+"lifecycle.preStop", l.PreStop, grace)
	}
	v.rollingUpdate(w)
}

// id demands the number of a user or group.
func (v *validator) id(field string, id *int64) {
	if id != nil && (*id < 0 || *id > math.MaxInt32) {
		v.add(field, strconv.FormatInt(*id, 10), "is out of range", "0 to 2147483647")
	}
}

func (v *validator) labelName(field, name string) {
	if errs := validation.IsQualifiedName(name); len(errs) > 0 {
		v.add(field, name, "is not a label's name: "+errs[0], "such as kubernetes.io/hostname")
	}
}

func (v *validator) tolerations(list []corev1.Toleration) {
	for i, t := range list {
		field := fmt.Sprintf("spec.workload.tolerations[%d].", i)
		if t.Key != "" {
			v.labelName(field+"key", t.Key)
		} else if t.Operator != corev1.TolerationOpExists {
			v.add(field+"operator", string(t.Operator), "must be Exists where no key is given", "write operator: Exists")
		}
		oneOf(v, field+"operator", t.Operator, corev1.TolerationOpExists, corev1.TolerationOpEqual, corev1.TolerationOpLt, corev1.TolerationOpGt)
		oneOf(v, field+"effect", t.Effect, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
		switch {
		case t.Operator == corev1.TolerationOpExists && t.Value != "":
			v.add(field+"value", t.Value, "has no use with operator Exists", "remove it")
		case len(validation.IsValidLabelValue(t.Value)) > 0:
			v.add(field+"value", t.Value, "is not the value of a taint", "")
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			v.add(field+"effect", string(t.Effect), "must be NoExecute where tolerationSeconds is given", "write effect: NoExecute")
		}
	}
}

func (v *validator) affinity(a *corev1.Affinity) {
	if a == nil {
		return
	}
	const at = "spec.workload.affinity."
	if n := a.NodeAffinity; n != nil {
		if r := n.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
			const terms = at + "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
			if len(r.NodeSelectorTerms) == 0 {
				v.add(terms, "", "is missing", "at least one")
			}
			for i, t := range r.NodeSelectorTerms {
				v.nodeTerm(fmt.Sprintf("%s[%d].", terms, i), t)
			}
		}
		for i, p := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			field := fmt.Sprintf("%snodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[%d].", at, i)
			v.weight(field+"weight", p.Weight)
			v.nodeTerm(field+"preference.", p.Preference)
		}
	}
	pods := func(field string, required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
		for i, t := range required {
			v.term(fmt.Sprintf("%s%s.requiredDuringSchedulingIgnoredDuringExecution[%d].", at, field, i), t)
		}
		for i, t := range preferred {
			field := fmt.Sprintf("%s%s.preferredDuringSchedulingIgnoredDuringExecution[%d].", at, field, i)
			v.weight(field+"weight", t.Weight)
			v.term(field+"podAffinityTerm.", t.PodAffinityTerm)
		}
	}
	if p := a.PodAffinity; p != nil {
		pods("podAffinity", p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := a.PodAntiAffinity; p != nil {
		pods("podAntiAffinity", p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (v *validator) weight(field string, w int32) {
	if w < 1 || w > 100 {
		v.add(field, strconv.Itoa(int(w)), "is out of range", "1 to 100")
	}
}

func (v *validator) term(field string, t corev1.PodAffinityTerm) {
	if t.TopologyKey == "" {
		v.add(field+"topologyKey", "", "is missing", "such as kubernetes.io/hostname")
	} else {
		v.labelName(field+"topologyKey", t.TopologyKey)
	}
	v.selector(field+"labelSelector", t.LabelSelector)
	v.selector(field+"namespaceSelector", t.NamespaceSelector)
}

func (v *validator) selector(field string, s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		v.add(field, "", "selects nothing that can be: "+shorten(err.Error()), "")
	}
}

// below demands a path that stays within the volume.
func (v *validator) below(field, name string) {
	if path.IsAbs(name) || slices.Contains(strings.Split(name, "/"), "..") {
		v.add(field, name, "leads out of the volume", "a path within it, such as conf/redis.conf")
	}
}

func (v *validator) hook(field string, h *corev1.LifecycleHandler, grace int64) {
	switch {
	case h == nil:
	case count(h.Exec != nil, h.HTTPGet != nil, h.TCPSocket != nil, h.Sleep != nil) != 1:
		v.add(field, "", "must do exactly one thing", "one of exec, httpGet, sleep")
	case h.Exec != nil && len(h.Exec.Command) == 0:
		v.add(field+".exec.command", "", "is missing", "")
	case h.HTTPGet != nil:
		v.headers(field+".httpGet.httpHeaders", h.HTTPGet.HTTPHeaders)
		v.portOrName(field+".httpGet.port", h.HTTPGet.Port)
	case h.TCPSocket != nil:
		v.portOrName(field+".tcpSocket.port", h.TCPSocket.Port)
	case h.Sleep != nil && h.Sleep.Seconds < 0:
		v.add(field+".sleep.seconds", strconv.FormatInt(h.Sleep.Seconds, 10), "is negative", "0 or more")
	case h.Sleep != nil && h.Sleep.Seconds > grace:
		v.add(field+".sleep.seconds", strconv.FormatInt(h.Sleep.Seconds, 10), fmt.Sprintf("is more than terminationGracePeriodSeconds, %d, after which the Pod is killed", grace), "sleep less, or give the Pod more time to end")
	}
}

// rollingUpdate checks how many Pods an update may take or add at a time.
func (v *validator) rollingUpdate(w *Workload) {
	if s := w.Strategy; s != nil && s.RollingUpdate != nil {
		const at = "spec.workload.strategy.rollingUpdate."
		v.share(at+"maxUnavailable", s.RollingUpdate.MaxUnavailable)
		v.amount(at+"maxSurge", s.RollingUpdate.MaxSurge)
		if none(s.RollingUpdate.MaxUnavailable) && none(s.RollingUpdate.MaxSurge) {
			v.add(at+"maxUnavailable", s.RollingUpdate.MaxUnavailable.String(), "and maxSurge are both 0, so that no Pod could ever be replaced", "give one of them 1 or more")
		}
	}
	if u := w.UpdateStrategy; u != nil && u.RollingUpdate != nil {
		const at = "spec.workload.updateStrategy."
		if u.Type == appsv1.OnDeleteStatefulSetStrategyType {
			v.add(at+"rollingUpdate", "", "has no use with type OnDelete", "remove one")
		}
		if p := u.RollingUpdate.Partition; p != nil && *p < 0 {
			v.add(at+"rollingUpdate.partition", strconv.Itoa(int(*p)), "is negative", "0 or more")
		}
		if m := u.RollingUpdate.MaxUnavailable; m != nil {
			v.share(at+"rollingUpdate.maxUnavailable", m)
			if none(m) {
				v.add(at+"rollingUpdate.maxUnavailable", m.String(), "is 0, so that no Pod could ever be replaced", "1 or more")
			}
		}
	}
}

// amount demands a number of Pods or a percentage, which may be more than all.
func (v *validator) amount(field string, n *intstr.IntOrString) {
	if n == nil {
		return
	}
	text := n.String()
	number, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	if err != nil || number < 0 || n.Type == intstr.String && len(validation.IsValidPercent(text)) > 0 {
		v.add(field, text, "is neither a number nor a percentage of 0 or more", "such as 1 or 25%")
	}
}

func none(n *intstr.IntOrString) bool {
	return n != nil && strings.Trim(n.String(), "0%") == "" && n.String() != ""
}
