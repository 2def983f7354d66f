package generate

import (
	"fmt"
	"strings"
)

// ServiceTypes returns the five types, in the order in which they are named to people.
func ServiceTypes() []ServiceType {
	return []ServiceType{ClusterIP, NodePort, LoadBalancer, ExternalName, Headless}
}

// ParseServiceType reads a Service's type as people write it: in any case, with
// or without dashes ("clusterIP", "node-port", "HEADLESS"). An unknown type is
// an error that names the nearest one and lists all.
func ParseServiceType(s string) (ServiceType, error) {
	folded := foldType(s)
	names := make([]string, 0, 5)
	for _, t := range ServiceTypes() {
		if strings.ToLower(string(t)) == folded {
			return t, nil
		}
		names = append(names, string(t))
	}
	return "", fmt.Errorf("unknown Service type %q%s; one of %s", s, didYouMean(s, names), strings.Join(names, ", "))
}

func foldType(s string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(strings.TrimSpace(s)))
}

// Overlay returns the folder of a type's overlay within a tree, slash-separated:
// "overlays/nodeport".
func Overlay(t ServiceType) string {
	return "overlays/" + strings.ToLower(string(t))
}
