package validate

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// role checks the rules of a Role or ClusterRole (ValidatePolicyRule).
func (r *ruling) role(o *object) {
	role := as[rbacv1.ClusterRole](o) // a Role has no more
	if role == nil {
		return
	}
	for i, rule := range role.Rules {
		at := path{"rules", i}
		if len(rule.Verbs) == 0 {
			r.wrong(o, at.with("verbs"), "is empty", "such as [get, list, watch]")
		}
		urls := at.with("nonResourceURLs")
		switch {
		case len(rule.NonResourceURLs) == 0:
			if len(rule.APIGroups) == 0 {
				r.wrong(o, at.with("apiGroups"), "is missing", `such as [apps], or [""] for Pods and Services`)
			}
			if len(rule.Resources) == 0 {
				r.wrong(o, at.with("resources"), "is missing", "such as [pods]")
			}
		case o.kind == "Role":
			r.wrong(o, urls, "is refused for a Role, which is of one namespace", "use a ClusterRole")
		case len(rule.APIGroups)+len(rule.Resources)+len(rule.ResourceNames) > 0:
			r.wrong(o, urls, "is refused beside resources", "make two rules of it")
		}
	}
}

func (r *ruling) roleBinding(o *object) {
	b := as[rbacv1.RoleBinding](o) // a ClusterRoleBinding has no more
	if b == nil {
		return
	}
	ref := r.at(o, path{"roleRef"})
	if group := b.RoleRef.APIGroup; group != "" {
		limits.Listed(ref.At("apiGroup"), group, rbacv1.GroupName)
	}
	if o.kind == "RoleBinding" {
		limits.Listed(ref.At("kind"), b.RoleRef.Kind, "Role", "ClusterRole")
	} else {
		limits.Listed(ref.At("kind"), b.RoleRef.Kind, "ClusterRole")
	}
	for i, s := range b.Subjects {
		at := r.at(o, path{"subjects", i})
		limits.Listed(at.At("kind"), s.Kind, rbacv1.ServiceAccountKind, rbacv1.UserKind, rbacv1.GroupKind)
		switch {
		case s.APIGroup == "": // the API server fills it in
		case s.Kind == rbacv1.ServiceAccountKind:
			r.wrong(o, path{"subjects", i, "apiGroup"}, show(s.APIGroup)+" is refused for a ServiceAccount", "remove it")
		default:
			limits.Listed(at.At("apiGroup"), s.APIGroup, rbacv1.GroupName)
		}
		if s.Kind == rbacv1.ServiceAccountKind && s.Namespace == "" && o.kind == "ClusterRoleBinding" {
			r.wrong(o, path{"subjects", i, "namespace"}, "is missing", "name the namespace of the ServiceAccount")
		}
	}
}

// counted are what a quota counts; of other resources without a domain it knows measured.
var (
	counted  = []string{"configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services", "services.loadbalancers", "services.nodeports"}
	measured = []string{"cpu", "ephemeral-storage", "limits.cpu", "limits.ephemeral-storage", "limits.memory", "memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory", "requests.storage"}
)

// quota is ValidateResourceQuotaSpec's part of the amounts.
func (r *ruling) quota(o *object) {
	q := as[corev1.ResourceQuota](o)
	if q == nil {
		return
	}
	known := slices.Concat(measured, counted)
	for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
		amount, n := q.Spec.Hard[name], string(name)
		at := path{"spec", "hard", n}
		if amount.Sign() < 0 {
			r.wrong(o, at, amount.String()+" is negative", "0 or more")
		}
		switch {
		case slices.Contains(counted, n):
			limits.WholeQuantity(r.at(o, at), amount)
		case !strings.Contains(n, "/") && !strings.HasPrefix(strings.TrimPrefix(n, "requests."), corev1.ResourceHugePagesPrefix):
			limits.Listed(func(p limits.Problem) {
				p.Reason = "is not a resource of a quota"
				r.at(o, at)(p)
			}, n, known...)
		}
	}
}

// limitRange is ValidateLimitRange, but for the names of resources.
func (r *ruling) limitRange(o *object) {
	l := as[corev1.LimitRange](o)
	if l == nil {
		return
	}
	seen := map[corev1.LimitType]bool{}
	for i, item := range l.Spec.Limits {
		at := path{"spec", "limits", i}
		if !strings.Contains(string(item.Type), "/") {
			limits.Listed(r.at(o, at.with("type")), item.Type, corev1.LimitTypeContainer, corev1.LimitTypePod, corev1.LimitTypePersistentVolumeClaim)
		}
		if seen[item.Type] {
			r.wrong(o, at.with("type"), show(string(item.Type))+" is there twice", "make one of the two")
		}
		seen[item.Type] = true
		if item.Type == corev1.LimitTypePod {
			for field, list := range map[string]corev1.ResourceList{"default": item.Default, "defaultRequest": item.DefaultRequest} {
				if len(list) > 0 {
					r.wrong(o, at.with(field), "is refused for type Pod", "remove it, or make it of type Container")
				}
			}
		}
		for _, pair := range []struct {
			lower, upper   string
			lowers, uppers corev1.ResourceList
		}{{"min", "max", item.Min, item.Max}, {"min", "defaultRequest", item.Min, item.DefaultRequest}, {"min", "default", item.Min, item.Default},
			{"defaultRequest", "default", item.DefaultRequest, item.Default}, {"defaultRequest", "max", item.DefaultRequest, item.Max}, {"default", "max", item.Default, item.Max}} {
			for _, name := range slices.Sorted(maps.Keys(pair.lowers)) {
				low := pair.lowers[name]
				if high, ok := pair.uppers[name]; ok && low.Cmp(high) > 0 {
					r.wrong(o, at.with(pair.lower).with(string(name)), fmt.Sprintf("%s is more than %s, %s", low.String(), pair.upper, high.String()), "")
				}
			}
		}
	}
}

// endpointSlice checks the addresses (validateEndpoints).
func (r *ruling) endpointSlice(o *object) {
	e := as[discoveryv1.EndpointSlice](o)
	if e == nil || e.AddressType != discoveryv1.AddressTypeIPv4 && e.AddressType != discoveryv1.AddressTypeIPv6 {
		return
	}
	for i, endpoint := range e.Endpoints {
		at := path{"endpoints", i, "addresses"}
		if len(endpoint.Addresses) == 0 {
			r.wrong(o, at, "is missing", "")
		}
		for j, address := range endpoint.Addresses {
			switch addr, err := netip.ParseAddr(address); {
			case err != nil || !limits.IsAddress(address):
				r.wrong(o, at.with(j), show(address)+" is not an IP address", "")
			case addr.Is4() != (e.AddressType == discoveryv1.AddressTypeIPv4):
				r.wrong(o, at.with(j), show(address)+" is not of addressType "+string(e.AddressType), "")
			case addr.IsUnspecified() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsLinkLocalMulticast():
				r.wrong(o, at.with(j), show(address)+" is a loopback, link-local or unspecified address, which is refused", "write the address of what is behind the Service")
			}
		}
	}
}
