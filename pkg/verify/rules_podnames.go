package verify

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// rulePodNames: SVC335. DNS knows a StatefulSet's Pods under the Service that its
// serviceName names, if that selects them, and under no other. Whether anybody needs
// these names is seen only where a container is told one: without that it is a note. A
// Service with a cluster IP is not spoken of: the cluster's DNS knows Pods under it too.
func rulePodNames(c *serviceCase) []finding {
	var out []finding
	seen := map[ObjectRef]bool{}
	for _, p := range c.pods {
		owner := c.v.ownerOf(p)
		if owner.Kind != "StatefulSet" || seen[owner] {
			continue
		}
		seen[owner] = true
		if set := objectOf(c.v.s.StatefulSets, owner.Namespace, owner.Name); set != nil {
			if f, ok := c.v.podNames(set, owner); ok {
				out = append(out, finding{Finding: f, checks: []string{}})
			}
		}
	}
	return out
}

func (v *view) podNames(set *appsv1.StatefulSet, owner ObjectRef) (Finding, bool) {
	governing := set.Spec.ServiceName
	why := v.namesNoPods(set)
	told := v.toldPodName(set, why != "")
	f := Finding{ID: "SVC335", Severity: SeverityWarning, Object: owner, Field: "spec.serviceName"}
	anew := "make the StatefulSet anew with another serviceName, which cannot be changed"
	switch {
	case told == nil && why == "":
		return f, false
	case told == nil:
		f.Severity = SeverityNote
		f.Message = fmt.Sprintf("the Pods of %s have no names of their own in DNS: spec.serviceName is %s, and %s.", owner, governing, why)
	default:
		f.Message = fmt.Sprintf("%s is told the name %s, which DNS does not know: ", told.ref, told.name)
		f.Evidence = []string{told.String()}
		switch {
		case told.service == governing:
			f.Message += fmt.Sprintf("spec.serviceName of %s is %s, and %s.", owner, governing, why)
		case governing == "":
			f.Message += fmt.Sprintf("%s has no spec.serviceName, so its Pods have no names under any Service.", owner)
		default:
			f.Message += fmt.Sprintf("spec.serviceName of %s is %s, and its Pods have names under that Service only.", owner, governing)
		}
	}
	switch {
	case told != nil && told.service != governing && governing != "" && why == "":
		f.Fix = &Fix{Summary: fmt.Sprintf("use names under %s, as %s-0.%s; or %s", governing, owner.Name, governing, anew)}
	case governing == "":
		f.Fix = &Fix{Summary: fmt.Sprintf("make the StatefulSet anew with serviceName: %s, which cannot be changed later", told.service)}
	default:
		f.Fix = &Fix{Summary: fmt.Sprintf("have a headless Service %s that selects %s; or %s", governing, selectorText(set.Spec.Selector.MatchLabels), anew)}
	}
	return f, true
}

// namesNoPods says why DNS knows none of a StatefulSet's Pods under its serviceName.
func (v *view) namesNoPods(set *appsv1.StatefulSet) string {
	key := set.Namespace + "/" + set.Spec.ServiceName
	svc := v.service(key)
	switch {
	case set.Spec.ServiceName == "" || set.Spec.Selector == nil || len(set.Spec.Selector.MatchLabels) == 0:
		return ""
	case svc == nil && len(v.slices[key]) == 0 && v.gap("endpointslices", set.Namespace) == nil:
		// Who may not list Services has seen only those that were asked about.
		return "there is no Service of that name"
	case svc == nil || len(svc.Spec.Selector) == 0 && svc.Spec.Type != corev1.ServiceTypeExternalName && v.handMade(key):
		return ""
	case svc.Spec.Type == corev1.ServiceTypeExternalName:
		return "that is an alias of another name"
	case !selects(svc, set.Spec.Template.Labels):
		return "that Service does not select these Pods"
	}
	return ""
}

// handMade reports whether a Service has slices, which may hold names.
func (v *view) handMade(key string) bool {
	return slices.ContainsFunc(v.slices[key], func(s *discoveryv1.EndpointSlice) bool { return len(s.Endpoints) > 0 })
}

// toldName is a name that a container is told, and where.
type toldName struct {
	name    string
	service string // the label of name that has to be a Service
	ref     ObjectRef
	ShortName
}

// podNameForm matches what may be the name of one of a StatefulSet's Pods in DNS, and in
// it the Service and what follows that. A Pod's own name may stand there as a variable,
// of a shell or of the kubelet.
func podNameForm(set string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[^a-zA-Z0-9.-])((?:` + regexp.QuoteMeta(set) + `-\d+|\$HOSTNAME|\$[({][A-Za-z_]+[)}])\.([a-z][a-z0-9-]*)(?:\.([a-z0-9-]+))?)`)
}

// toldPodName finds where a container of the namespace is told the name of one of a
// StatefulSet's Pods that DNS does not know; nil for nowhere. dangling says that DNS knows
// none under the set's own serviceName.
func (v *view) toldPodName(set *appsv1.StatefulSet, dangling bool) *toldName {
	form := podNameForm(set.Name)
	for _, p := range v.byNS[set.Namespace] {
		owner := v.ownerOf(p)
		own := owner.Kind == "StatefulSet" && owner.Name == set.Name
		for _, ctr := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
			texts := slices.Clone(ctr.Env)
			for _, text := range slices.Concat(ctr.Command, ctr.Args) {
				texts = append(texts, corev1.EnvVar{Value: text})
			}
			for _, e := range texts {
				for _, m := range form.FindAllStringSubmatch(e.Value, 64) {
					if m[1][0] == '$' && !own || !v.unknownPodName(set, m, dangling) {
						continue
					}
					return &toldName{
						name: probe.Printable(m[1], 253), service: m[2], ref: owner,
						ShortName: ShortName{Container: ctr.Name, Variable: probe.Printable(e.Name, 64)},
					}
				}
			}
		}
	}
	return nil
}

// unknownPodName reports whether DNS does not know a name that podNameForm has matched,
// and might: it is of the set's namespace, and of a Service that the set could have.
func (v *view) unknownPodName(set *appsv1.StatefulSet, m []string, dangling bool) bool {
	if m[3] != "" && m[3] != set.Namespace {
		return false
	}
	if pod, _, _ := strings.Cut(m[1], "."); m[2] == set.Namespace && v.service(set.Namespace+"/"+pod) != nil {
		return false // a Service for one Pod, and its namespace
	}
	if m[2] == set.Spec.ServiceName {
		return dangling
	}
	known := v.service(set.Namespace + "/" + m[2])
	return known != nil && selects(known, set.Spec.Template.Labels)
}
