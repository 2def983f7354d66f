package verify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// together lets the fixes of a verdict be made one after the other, and in a tree. A
// patch that replaces a list as a whole holds the list as it is live, and would undo what
// the one before has changed in it, and what the tree has and nobody has applied yet; so
// each holds that as well.
func (v *view) together(out *Verdict) {
	lists := map[string][]any{}
	for i := range out.Services {
		for j := range out.Services[i].Findings {
			f := &out.Services[i].Findings[j]
			if f.Fix == nil || f.Fix.Patch == "" || f.Severity == SeverityNote {
				continue
			}
			var patch map[string]any
			if yaml.Unmarshal([]byte(f.Fix.Patch), &patch) != nil {
				continue
			}
			b := &builtOn{v: v, ref: f.Object, lists: lists}
			b.walk(patch, "")
			switch {
			case b.conflict != "":
				f.Fix.Unlocated = fmt.Sprintf("the tree's %s are not those of the cluster, for which the fix is; apply the tree, and verify again", b.conflict)
			case b.changed:
				fix := patchFix(f.Fix.Summary, f.Object, patch)
				if !strings.Contains(f.Fix.Command, "--type=strategic") {
					fix.Command = f.Fix.Command // of this change alone, or none
				}
				f.Fix = fix
			}
		}
	}
}

// builtOn puts into a patch what the lists that it replaces have become by earlier ones.
type builtOn struct {
	v       *view
	ref     ObjectRef
	lists   map[string][]any // by object and path, as they are after the patches so far
	changed bool
	// conflict is the list that the tree has and the cluster does not, in a way that
	// the patch cannot be made for both.
	conflict string
}

func (b *builtOn) walk(m map[string]any, path string) {
	for _, field := range slices.Sorted(maps.Keys(m)) {
		at := path + "." + field
		switch value := m[field].(type) {
		case map[string]any:
			b.walk(value, at)
		case []any:
			m[field] = b.list(value, at)
		}
	}
}

// list returns a list of a patch as it is to be after the earlier patches.
func (b *builtOn) list(list []any, path string) []any {
	live := b.live(path)
	marked := len(list) > 0 && reflect.DeepEqual(list[0], map[string]any{"$patch": "replace"})
	if live == nil && !marked {
		for _, item := range list {
			if m, ok := item.(map[string]any); ok {
				b.walk(m, fmt.Sprintf("%s[%v]", path, m["name"]))
			}
		}
		return list
	}
	tree, key := b.tree(path), b.ref.String()+" "+b.ref.Namespace+path
	if tree == nil {
		tree = live
	}
	before, seen := b.lists[key]
	if !seen {
		before = tree
	}
	if b.ref.Kind == "Service" && !marked { // merged by its ports
		b.lists[key] = mergedPorts(before, list)
		return list
	}
	own := list
	if marked {
		own = list[1:]
	}
	all, ok := onto(tree, live, own)
	if !ok {
		b.conflict = path[1:]
		return list
	}
	if seen {
		all = mergedList(tree, before, all)
	}
	b.lists[key] = all
	if reflect.DeepEqual(all, own) {
		return list
	}
	b.changed = true
	return append(list[:len(list)-len(own):len(list)-len(own)], all...)
}

// live is a list of the live object that patches replace as a whole; nil where it is
// none of those.
func (b *builtOn) live(path string) []any {
	return wholeList(path, b.v.service(b.ref.Namespace+"/"+b.ref.Name), b.v.s.NetworkPolicies, b.v.workload, b.ref)
}

// tree is that list of the same object in the tree; nil where there is no tree, or it
// does not have the object.
func (b *builtOn) tree(path string) []any {
	e := b.v.s.Expected
	if e == nil {
		return nil
	}
	policies := slices.Clone(e.NetworkPolicies)
	for i := range policies {
		policies[i].Namespace = cmp.Or(policies[i].Namespace, b.ref.Namespace)
	}
	return wholeList(path, e.service(b.ref.Namespace, b.ref.Name), policies, e.workloads(b.ref.Namespace), b.ref)
}

func wholeList(path string, svc *corev1.Service, policies []networkingv1.NetworkPolicy, workloads []workload, ref ObjectRef) []any {
	switch ref.Kind {
	case "Service":
		if svc == nil || path != ".spec.ports" {
			return nil
		}
		ports := []any{}
		for _, p := range svc.Spec.Ports {
			ports = append(ports, portMap(p))
		}
		return plainList(ports)
	case "NetworkPolicy":
		for i := range policies {
			if policies[i].Namespace != ref.Namespace || policies[i].Name != ref.Name {
				continue
			}
			switch np := withProtocols(&policies[i]); path {
			case ".spec.ingress":
				return plainList(np.Spec.Ingress)
			case ".spec.egress":
				return plainList(np.Spec.Egress)
			}
		}
	default:
		for _, w := range workloads {
			for _, ctr := range w.template.Spec.Containers {
				if w.ref == ref && path == ".spec.template.spec.containers["+ctr.Name+"].ports" {
					return plainList(containerPorts(ctr.Ports)[1:])
				}
			}
		}
	}
	return nil
}

// withProtocols writes out what an API server adds to the ports of a policy.
func withProtocols(np *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	np = np.DeepCopy()
	tcp := corev1.ProtocolTCP
	add := func(ports []networkingv1.NetworkPolicyPort) {
		for i := range ports {
			if ports[i].Protocol == nil {
				ports[i].Protocol = &tcp
			}
		}
	}
	for i := range np.Spec.Ingress {
		add(np.Spec.Ingress[i].Ports)
	}
	for i := range np.Spec.Egress {
		add(np.Spec.Egress[i].Ports)
	}
	return np
}

// onto makes the change from live to changed in the list that a tree has, which may hold
// more than has been applied. It is false where the tree no longer has what is changed.
func onto(tree, live, changed []any) ([]any, bool) {
	if reflect.DeepEqual(tree, live) || reflect.DeepEqual(tree, changed) {
		return changed, true
	}
	if len(changed) < len(live) {
		return nil, false
	}
	out, taken := slices.Clone(tree), map[int]bool{}
	for i := range live {
		at := slices.IndexFunc(tree, func(item any) bool { return sameItem(item, live[i]) })
		switch {
		case at >= 0 && !taken[at]:
			taken[at] = true
			out[at] = merged(live[i], tree[at], changed[i])
		case !reflect.DeepEqual(live[i], changed[i]):
			return nil, false
		}
	}
	return append(out, changed[len(live):]...), true
}

// sameItem reports whether an item of a tree is that of the live list: an API server has
// added to it what was not said.
func sameItem(tree, live any) bool {
	t, ok := tree.(map[string]any)
	l, _ := live.(map[string]any)
	if !ok || l["port"] == nil {
		return reflect.DeepEqual(tree, live)
	}
	t = maps.Clone(t)
	for k, value := range map[string]any{"nodePort": l["nodePort"], "targetPort": t["port"]} {
		if t[k] == nil && value != nil {
			t[k] = value
		}
	}
	return reflect.DeepEqual(t, l)
}

// plainList is a list as JSON has it, and as a patch that was read.
func plainList(list any) []any {
	out := []any{}
	if data, err := json.Marshal(list); err != nil || json.Unmarshal(data, &out) != nil || out == nil {
		return []any{}
	}
	return out
}

// mergedPorts changes ports of a Service as a strategic merge does.
func mergedPorts(ports, changes []any) []any {
	out := slices.Clone(ports)
	for _, change := range changes {
		c, _ := change.(map[string]any)
		for i := range out {
			p, _ := out[i].(map[string]any)
			if c != nil && p != nil && c["port"] == p["port"] && c["protocol"] == p["protocol"] {
				p = maps.Clone(p)
				maps.Copy(p, c)
				out[i] = p
			}
		}
	}
	return out
}

// merged makes two changes of one value; where both change the same, the second.
func merged(live, first, second any) any {
	if reflect.DeepEqual(live, second) {
		return first
	}
	switch second := second.(type) {
	case map[string]any:
		l, _ := live.(map[string]any)
		f, ok := first.(map[string]any)
		if !ok {
			return second
		}
		out := maps.Clone(second)
		for k := range f {
			_, had := l[k]
			switch value, has := second[k]; {
			case has:
				out[k] = merged(l[k], f[k], value)
			case !had:
				out[k] = f[k]
			}
		}
		for k := range second {
			if _, has := f[k]; !has && reflect.DeepEqual(l[k], second[k]) {
				delete(out, k) // taken out by the first
			}
		}
		return out
	case []any:
		l, _ := live.([]any)
		if f, ok := first.([]any); ok {
			return mergedList(l, f, second)
		}
	}
	return second
}

// mergedList makes two changes of one list, each of which may change items and add to
// its end. One that takes items out is left as it is.
func mergedList(live, first, second []any) []any {
	if len(first) < len(live) || len(second) < len(live) {
		return second
	}
	var out []any
	for i := range live {
		out = append(out, merged(live[i], first[i], second[i]))
	}
	for _, item := range slices.Concat(first[len(live):], second[len(live):]) {
		if !slices.ContainsFunc(out, func(have any) bool { return reflect.DeepEqual(have, item) }) {
			out = append(out, item)
		}
	}
	return out
}
