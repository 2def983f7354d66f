package verify

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// patchFix builds a Fix out of one strategic merge patch: in YAML for the
// manifest, and as a kubectl command for the live object.
func patchFix(summary string, ref ObjectRef, patch map[string]any) *Fix {
	f := &Fix{Summary: summary}
	if y, err := yaml.Marshal(patch); err == nil {
		f.Patch = string(y)
	}
	if j, err := json.Marshal(patch); err == nil {
		if ref.Namespace == "" {
			f.Command = shell.Kubectl("patch %s %s --type=strategic -p %s", strings.ToLower(ref.Kind), ref.Name, string(j))
		} else {
			f.Command = shell.Kubectl("patch %s %s -n %s --type=strategic -p %s", strings.ToLower(ref.Kind), ref.Name, ref.Namespace, string(j))
		}
	}
	return f
}

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

// protocolFix makes a port forward the other protocol. Where another port has
// that number and protocol already, the API server would take no second one.
func protocolFix(svc *corev1.Service, index int, proto corev1.Protocol) *Fix {
	have := svc.Spec.Ports[index]
	for _, p := range svc.Spec.Ports {
		if p.Port == have.Port && protocolOf(p.Protocol) == proto {
			return &Fix{Summary: fmt.Sprintf("remove the port, which the Service has for %s already, or make the application listen for %s", proto, protocolOf(have.Protocol))}
		}
	}
	f := portsFix(fmt.Sprintf("use protocol %s", proto), svc, index, map[string]any{"protocol": string(proto)})
	f.Command = shell.Kubectl("patch service %s -n %s --type=json -p %s", svc.Name, svc.Namespace,
		fmt.Sprintf(`[{"op":"replace","path":"/spec/ports/%d/protocol","value":%q}]`, index, proto))
	return f
}

// containersFix changes fields of containers of a workload, by their names; pod,
// where it is known, says which of them are init containers.
func containersFix(summary string, owner ObjectRef, pod *corev1.Pod, fields map[string]map[string]any) *Fix {
	lists := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		ctr := map[string]any{"name": name}
		maps.Copy(ctr, fields[name])
		list, _ := lists[containerList(pod, name)].([]any)
		lists[containerList(pod, name)] = append(list, ctr)
	}
	return templateFix(summary, owner, lists)
}

// templateFix changes fields of the Pods that a workload makes; where that does
// not reach its Pods, the fix has no patch.
func templateFix(summary string, owner ObjectRef, spec map[string]any) *Fix {
	if !rolledOut(owner) {
		return &Fix{Summary: summary}
	}
	return patchFix(summary, owner, map[string]any{"spec": map[string]any{"template": map[string]any{"spec": spec}}})
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
