package verify

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// patchFix builds a Fix out of one strategic merge patch: in YAML for the
// manifest, and as a kubectl command for the live object.
func patchFix(summary string, ref ObjectRef, patch map[string]any) *Fix {
	f := &Fix{Summary: summary}
	if y, err := yaml.Marshal(patch); err == nil {
		f.Patch = string(y)
	}
	if j, err := json.Marshal(patch); err == nil {
		f.Command = fmt.Sprintf("kubectl patch %s %s -n %s --type=strategic -p %s", strings.ToLower(ref.Kind), ref.Name, ref.Namespace, shellQuote(string(j)))
	}
	return f
}

// shellQuote makes one word of a POSIX shell out of s.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// portFix changes fields of one port of a Service. The list is merged by port
// number; on the live object also where two protocols share one, so there no
// command is given.
func portFix(summary string, ref ObjectRef, svc *corev1.Service, p corev1.ServicePort, fields map[string]any) *Fix {
	port := map[string]any{"port": p.Port, "protocol": string(protocolOf(p.Protocol))}
	for k, v := range fields {
		port[k] = v
	}
	f := patchFix(summary, ref, map[string]any{"spec": map[string]any{"ports": []any{port}}})
	same := 0
	for _, q := range svc.Spec.Ports {
		if q.Port == p.Port {
			same++
		}
	}
	if same > 1 {
		f.Command = ""
	}
	return f
}

// selectorFix makes a Service select what want says: wrong keys are removed,
// since a merge would keep them.
func selectorFix(summary string, ref ObjectRef, have, want map[string]string) *Fix {
	sel := map[string]any{}
	for k := range have {
		if _, ok := want[k]; !ok {
			sel[k] = nil
		}
	}
	for k, v := range want {
		if have[k] != v {
			sel[k] = v
		}
	}
	return patchFix(summary, ref, map[string]any{"spec": map[string]any{"selector": sel}})
}
