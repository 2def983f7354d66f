// Package servicetype knows the types of a Service, and which of its fields only some
// of them have a use for.
package servicetype

import (
	"maps"
	"slices"
)

// Type is a Service's type as a user names it: the four of the API, and Headless.
type Type string

// The five types.
const (
	ClusterIP    Type = "ClusterIP"
	NodePort     Type = "NodePort"
	LoadBalancer Type = "LoadBalancer"
	ExternalName Type = "ExternalName"
	Headless     Type = "Headless" // ClusterIP with clusterIP: None
)

var (
	proxied  = []Type{ClusterIP, NodePort, LoadBalancer}
	selected = append(slices.Clone(proxied), Headless)
)

// typed names the fields of a Service's spec that only some types have a use for, and
// those types.
var typed = map[string][]Type{
	"allocateLoadBalancerNodePorts": {LoadBalancer},
	"healthCheckNodePort":           {LoadBalancer},
	"loadBalancerClass":             {LoadBalancer},
	"loadBalancerIP":                {LoadBalancer},
	"loadBalancerSourceRanges":      {LoadBalancer},
	"externalTrafficPolicy":         {NodePort, LoadBalancer},
	"externalName":                  {ExternalName},
	"clusterIP":                     selected,
	"clusterIPs":                    selected,
	"ipFamilies":                    selected,
	"ipFamilyPolicy":                selected,
	"selector":                      selected,
	"publishNotReadyAddresses":      selected,
	"internalTrafficPolicy":         proxied,
	"trafficDistribution":           proxied,
	"sessionAffinity":               proxied,
	"sessionAffinityConfig":         proxied,
	"externalIPs":                   proxied,
}

// Fields names the fields of a Service's spec that only some types have a use for.
func Fields() []string { return slices.Sorted(maps.Keys(typed)) }

// Uses reports whether a type has a use for a field of a Service's spec.
func Uses(t Type, field string) bool {
	types, some := typed[field]
	return !some || slices.Contains(types, t)
}
