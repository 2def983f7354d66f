package generate

import (
	"strings"
	"testing"
)

func TestSet(t *testing.T) {
	app := func() *App {
		a := redisApp()
		a.Complete()
		return a
	}
	for _, tt := range []struct{ set, want string }{
		{"service.externalTrafficPolicy=Local", "    externalTrafficPolicy: Local\n"},
		{"spec.service.externalTrafficPolicy=Local", "    externalTrafficPolicy: Local\n"},
		{"metadata.namespace=123", "  namespace: \"123\"\n"},
		{"service.ports[0].nodePort=30080", "      nodePort: 30080\n"},
		{"service.ports[1].port=6380", "    - port: 6380\n"},
		{"service.annotations.example.com/owner=team=a", "      example.com/owner: team=a\n"},
		{"service.annotations.example.com/on=true", "      example.com/on: \"true\"\n"},
		{"service.loadBalancerSourceRanges=[192.0.2.0/24, 198.51.100.0/24]", "    - 198.51.100.0/24\n"},
		{"service.loadBalancerSourceRanges[0]=192.0.2.0/24", "    - 192.0.2.0/24\n"},
		{"workload.resources.limits.cpu=2", "        cpu: \"2\"\n"},
		{"workload.env[0]={name: A, value: 'on'}", "    - name: A\n      value: \"on\"\n"},
		{"podDisruptionBudget.maxUnavailable=50%", "    maxUnavailable: 50%\n"},
		{"podDisruptionBudget.minAvailable=1", "    minAvailable: 1\n"},
		{"service.ports[0].targetPort=redis", "      targetPort: redis\n"},
		{"networkPolicy.from[0].podSelector={}", "    - podSelector: {}\n"},
		{"workload.image=redis:8", "    image: redis:8\n"},
	} {
		a := app()
		if err := a.Set(tt.set); err != nil {
			t.Errorf("%s: %v", tt.set, err)
			continue
		}
		body, err := encode(a)
		if err != nil || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s gives %v\n%s", tt.set, err, body)
		}
	}
	a := app()
	if err := a.Set("service.externalName="); err != nil || a.Spec.Service.ExternalName != "" {
		t.Errorf("not removed: %v, %q", err, a.Spec.Service.ExternalName)
	}
	// What is not there need not be removed, and nothing is made on the way to it.
	for _, set := range []string{"workload.resources.limits.cpu=", "networkPolicy.from=", "workload.check.path=", "service.loadBalancerSourceRanges[0]=", "service.ports[3]=", "service.ports[3].port=", "overlays[0].name=", "service.annotations.a.b/c="} {
		a := app()
		before, _ := encode(a)
		if err := a.Set(set); err != nil {
			t.Errorf("%s: %v", set, err)
		}
		if after, _ := encode(a); string(after) != string(before) {
			t.Errorf("%s gives\n%s", set, after)
		}
	}
	a = app()
	a.Spec.Service.LoadBalancerSourceRanges = []string{"192.0.2.0/24", "198.51.100.0/24"}
	if err := a.Set("service.loadBalancerSourceRanges[0]="); err != nil || strings.Join(a.Spec.Service.LoadBalancerSourceRanges, " ") != "198.51.100.0/24" {
		t.Errorf("%v: the item was not removed: %v", err, a.Spec.Service.LoadBalancerSourceRanges)
	}
	for set, want := range map[string]string{
		"service.ports[-1].port=1":             "is not the path of a field",
		"service.ports[99999999999999999999]=": "is no place in a list",
		"service.externalTraficPolicy=":        "unknown field; did you mean externalTrafficPolicy?",
		"workload.resorces.limits.cpu=":        "unknown field; did you mean resources?",
		"service.externalTraficPolicy=Local":   "did you mean externalTrafficPolicy?",
		"service.ports[3].port=1":              "beyond the end of a list of 1",
		"service.name[0]=x":                    "is not a list",
		"service.name.x=y":                     "which has no fields",
		"service":                              "is not FIELD=VALUE",
		"service..x=1":                         "is not the path of a field",
		"workload.replicas=many":               "whole number",
		"service.ports[0].port=80x":            "whole number",
		"service.ports=80":                     "a list",
		"x=&a [*a, *a]":                        "x",
	} {
		a := app()
		if err := a.Set(set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
}
