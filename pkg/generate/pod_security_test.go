package generate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What is restricted by default gives way where the API server, or the kubelet, would
// refuse it beside what the Spec says; and only there.
func TestRestrictedGivesWay(t *testing.T) {
	for _, test := range []struct {
		fields string
		escalation, nonRoot,
		sysctls string
	}{
		{"minReadySeconds: 0", "false", "true", ""},
		{"securityContext: {privileged: true}", "-", "true", ""},
		{"securityContext: {privileged: false}", "false", "true", ""},
		{"securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}}", "-", "true", ""},
		{"securityContext: {capabilities: {add: [SYS_ADMIN]}}", "false", "true", ""}, // which the API server takes
		{"securityContext: {privileged: true, allowPrivilegeEscalation: true}", "true", "true", ""},
		{"securityContext: {runAsUser: 0}", "false", "-", ""},
		{"securityContext: {runAsUser: 0, runAsNonRoot: false}", "false", "true", ""}, // the container's counts
		{"podSecurityContext: {runAsUser: 0}", "false", "-", ""},
		{"podSecurityContext: {runAsUser: 0, runAsNonRoot: false}", "false", "false", ""},
		{"podSecurityContext: {runAsUser: 0}\n    securityContext: {runAsUser: 5}", "false", "true", ""},
		{"podSecurityContext: {runAsUser: 0, runAsNonRoot: true}\n    securityContext: {runAsUser: 5}", "false", "true", ""},
		{"podSecurityContext: {sysctls: [{name: a.b, value: '1'}]}", "false", "true", "a.b=1"},
		{"ports: [{name: low, containerPort: 53}]", "false", "true", "net.ipv4.ip_unprivileged_port_start=0"},
		{"ports: [{name: low, containerPort: 53}]\n    podSecurityContext: {sysctls: [{name: a.b, value: '1'}]}", "false", "true", "a.b=1 net.ipv4.ip_unprivileged_port_start=0"},
		{"ports: [{name: low, containerPort: 53}]\n    podSecurityContext: {sysctls: [{name: net/ipv4/ip_unprivileged_port_start, value: '53'}]}", "false", "true", "net/ipv4/ip_unprivileged_port_start=53"},
	} {
		a := oddApp(t, test.fields)
		if err := a.Validate(); err != nil {
			t.Errorf("%s: %v", test.fields, err)
			continue
		}
		pod := a.podSpec(unknownImage)
		var sysctls []string
		for _, s := range pod.SecurityContext.Sysctls {
			sysctls = append(sysctls, s.Name+"="+s.Value)
		}
		got := []string{told(pod.Containers[0].SecurityContext.AllowPrivilegeEscalation), told(pod.SecurityContext.RunAsNonRoot), strings.Join(sysctls, " ")}
		if want := []string{test.escalation, test.nonRoot, test.sysctls}; !slices.Equal(got, want) {
			t.Errorf("%s: allowPrivilegeEscalation, runAsNonRoot and sysctls are %q, want %q", test.fields, got, want)
		}
		for _, refused := range refusals(t, a) {
			t.Errorf("%s: validate says %s", test.fields, refused)
		}
	}
}

func told(b *bool) string {
	if b == nil {
		return "-"
	}
	return fmt.Sprint(*b)
}

// Each group is the one that is asked for; that of files is by default that of the process.
func TestGroupsAreTheirOwn(t *testing.T) {
	for fields, want := range map[string]string{
		"{}":                          "10001 10001",
		"{runAsGroup: 5}":             "5 5",
		"{fsGroup: 6}":                "10001 6",
		"{runAsGroup: 5, fsGroup: 6}": "5 6",
	} {
		c := oddApp(t, "podSecurityContext: "+fields).podSecurity(unknownImage)
		if got := fmt.Sprint(*c.RunAsGroup, " ", *c.FSGroup); got != want {
			t.Errorf("%s: runAsGroup and fsGroup are %s, want %s", fields, got, want)
		}
	}
}

// Root where root is not allowed is named by the field that says it, wherever the
// other one is said.
func TestRootIsRefused(t *testing.T) {
	for fields, want := range map[string]string{
		"podSecurityContext: {runAsNonRoot: true, runAsUser: 0}":                        "spec.workload.podSecurityContext.runAsUser: \"0\": is root, and podSecurityContext.runAsNonRoot is true",
		"podSecurityContext: {runAsNonRoot: true}\n    securityContext: {runAsUser: 0}": "spec.workload.securityContext.runAsUser: \"0\": is root, and podSecurityContext.runAsNonRoot is true",
		"podSecurityContext: {runAsUser: 0}\n    securityContext: {runAsNonRoot: true}": "spec.workload.podSecurityContext.runAsUser: \"0\": is root, and securityContext.runAsNonRoot is true",
	} {
		if err := oddApp(t, fields).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %s", fields, err, want)
		}
	}
}
