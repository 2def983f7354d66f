package verify

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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

// portsFix changes fields of one port by which ports are told apart: the list
// is replaced as a whole.
func portsFix(summary string, svc *corev1.Service, index int, fields map[string]any) *Fix {
	var ports []any
	for i, p := range svc.Spec.Ports {
		m := portMap(p)
		if i == index {
			maps.Copy(m, fields)
		}
		ports = append(ports, m)
	}
	return &Fix{Summary: summary, Patch: portsPatch(ports)}
}

// protocolFix makes a port forward the other protocol.
func protocolFix(svc *corev1.Service, index int, proto corev1.Protocol) *Fix {
	f := portsFix(fmt.Sprintf("use protocol %s", proto), svc, index, map[string]any{"protocol": string(proto)})
	f.Command = fmt.Sprintf(`kubectl patch service %s -n %s --type=json -p '[{"op":"replace","path":"/spec/ports/%d/protocol","value":%q}]'`, svc.Name, svc.Namespace, index, proto)
	return f
}

// containersFix changes fields of containers of a workload, by their names. A
// bare Pod's containers cannot be changed: its fix has no patch.
func containersFix(summary string, owner ObjectRef, fields map[string]map[string]any) *Fix {
	if owner.Kind == "Pod" {
		return &Fix{Summary: summary}
	}
	var list []any
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		ctr := map[string]any{"name": name}
		maps.Copy(ctr, fields[name])
		list = append(list, ctr)
	}
	return patchFix(summary, owner, map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": list}}}})
}

// containerPorts writes the ports of a container, for a patch that replaces the list.
func containerPorts(ports []corev1.ContainerPort) []any {
	list := []any{map[string]any{"$patch": "replace"}}
	for _, p := range ports {
		m := map[string]any{"containerPort": p.ContainerPort}
		if p.Name != "" {
			m["name"] = p.Name
		}
		if protocolOf(p.Protocol) != corev1.ProtocolTCP {
			m["protocol"] = string(p.Protocol)
		}
		if p.HostPort != 0 {
			m["hostPort"] = p.HostPort
		}
		if p.HostIP != "" {
			m["hostIP"] = p.HostIP
		}
		list = append(list, m)
	}
	return list
}
