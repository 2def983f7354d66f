package tree

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// step leads from a value to one within it: a field, or the element of a list
// that has these values, or, in an RFC 6902 patch, the element of that number.
type step struct {
	field string
	match map[string]any
	index int
}

// leaf is one change: the value at a path becomes another, or goes.
type leaf struct {
	path   []step
	value  any
	remove bool
}

// leaves takes a strategic merge patch apart; what sets comes before what removes.
func leaves(patch map[string]any) ([]leaf, error) {
	var set, removed []leaf
	var walk func(path []step, v any) error
	walk = func(path []step, v any) error {
		switch v := v.(type) {
		case nil:
			removed = append(removed, leaf{path: path, remove: true})
			return nil
		case map[string]any:
			if len(v) > 0 {
				for _, k := range slices.Sorted(maps.Keys(v)) {
					if strings.HasPrefix(k, "$") {
						return fmt.Errorf("the patch has a directive, %s", k)
					}
					if err := walk(append(slices.Clone(path), step{field: k}), v[k]); err != nil {
						return err
					}
				}
				return nil
			}
		case []any:
			if rest, ok := replaced(v); ok {
				v = rest
				set = append(set, leaf{path: path, value: v})
				return nil
			}
			if keyed(path, v) {
				for _, e := range v {
					elem := e.(map[string]any)
					match := keysOf(path, elem)
					for _, k := range slices.Sorted(maps.Keys(elem)) {
						if _, isKey := match[k]; isKey {
							continue
						}
						if strings.HasPrefix(k, "$") {
							return fmt.Errorf("the patch has a directive, %s", k)
						}
						if err := walk(append(slices.Clone(path), step{match: match}, step{field: k}), elem[k]); err != nil {
							return err
						}
					}
				}
				return nil
			}
		}
		set = append(set, leaf{path: path, value: v})
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(patch)) {
		if k == "apiVersion" || k == "kind" {
			continue
		}
		if err := walk([]step{{field: k}}, patch[k]); err != nil {
			return nil, err
		}
	}
	return append(set, removed...), nil
}

// replaced returns the list that is to take the place of the one there, where a
// patch says so by the directive at its head.
func replaced(list []any) ([]any, bool) {
	if len(list) == 0 {
		return nil, false
	}
	m, ok := list[0].(map[string]any)
	if !ok || len(m) != 1 || m["$patch"] != "replace" {
		return nil, false
	}
	return list[1:], true
}

// keyed says whether the elements of a list are merged by keys, all of them.
func keyed(path []step, list []any) bool {
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok || keysOf(path, m) == nil {
			return false
		}
	}
	return len(list) > 0
}

// keysOf are the values that tell an element of the list at path from its
// neighbours, as the API's patchMergeKey (and for ports the protocol beside it)
// says; nil where lists of this name are replaced as a whole.
func keysOf(path []step, elem map[string]any) map[string]any {
	var names []string
	switch last := path[len(path)-1].field; last {
	case "ports":
		if _, ok := elem["containerPort"]; ok {
			names = []string{"containerPort", "protocol"}
		} else {
			names = []string{"port", "protocol"}
		}
	case "containers", "initContainers", "volumes", "env", "imagePullSecrets":
		names = []string{"name"}
	case "volumeMounts":
		names = []string{"mountPath"}
	default:
		return nil
	}
	match := map[string]any{}
	for _, n := range names {
		if v, ok := elem[n]; ok {
			match[n] = v
		}
	}
	if match[names[0]] == nil {
		return nil
	}
	return match
}

// matches says whether an element, its values given as text, is the one meant.
func matches(match map[string]any, value func(key string) (string, bool)) bool {
	for k, want := range match {
		got, ok := value(k)
		if !ok && k == "protocol" {
			got, ok = "TCP", true
		}
		if !ok || got != scalar(want) {
			return false
		}
	}
	return true
}

// scalar is a plain value as YAML spells it.
func scalar(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return strings.Trim(text(v), `"`)
}

// element finds the element of a built list, and its number.
func element(list []any, match map[string]any) (map[string]any, int) {
	for i, e := range list {
		m, ok := e.(map[string]any)
		if ok && matches(match, func(k string) (string, bool) {
			v, ok := m[k]
			return scalar(v), ok
		}) {
			return m, i
		}
	}
	return nil, -1
}

// merge applies a change to a built object, in place. It is what the API's
// strategic merge does, for the paths that leaves makes.
func merge(obj map[string]any, l leaf) {
	at := obj
	if l.remove {
		if valueAt(obj, l.path) == nil {
			return
		}
		l.path = pruned(obj, l.path)
	}
	for i := 0; i < len(l.path); i++ {
		name, last := l.path[i].field, i == len(l.path)-1
		switch {
		case last && l.remove:
			delete(at, name)
			return
		case last:
			at[name] = l.value
			return
		case l.path[i+1].match != nil:
			list, _ := at[name].([]any)
			match := l.path[i+1].match
			e, n := element(list, match)
			if n < 0 {
				e = maps.Clone(match)
				list = append(list, e)
			}
			at[name] = list
			at = e
			i++
		default:
			next, ok := at[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[name] = next
			}
			at = next
		}
	}
}

// asSpelled leaves out of a list what its elements, as they are now, leave to the
// API server's default: the protocol of a port.
func asSpelled(now any, l leaf) leaf {
	list, ok := l.value.([]any)
	have, _ := now.([]any)
	if !ok || len(have) != len(list) {
		return l
	}
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = e
		elem, isMap := e.(map[string]any)
		was, wasMap := have[i].(map[string]any)
		if isMap && wasMap && elem["protocol"] == "TCP" && was["protocol"] == nil {
			elem = maps.Clone(elem)
			delete(elem, "protocol")
			out[i] = elem
		}
	}
	l.value = out
	return l
}

// pruned is the path of what goes with the field at path: a map that would be
// left empty goes too, as the API server leaves it out.
func pruned(obj map[string]any, path []step) []step {
	for len(path) > 1 && path[len(path)-2].match == nil && path[len(path)-1].match == nil {
		m, ok := valueAt(obj, path[:len(path)-1]).(map[string]any)
		if !ok || len(m) != 1 || m[path[len(path)-1].field] == nil {
			return path
		}
		path = path[:len(path)-1]
	}
	return path
}

// valueAt returns what a built object has at a path; nil when it has nothing there.
func valueAt(obj map[string]any, path []step) any {
	var at any = obj
	for _, s := range path {
		if s.match != nil {
			list, _ := at.([]any)
			e, n := element(list, s.match)
			if n < 0 {
				return nil
			}
			at = e
			continue
		}
		m, _ := at.(map[string]any)
		at = m[s.field]
	}
	return at
}

// parse turns the path of a field, as findings write it
// (spec.ports[0].targetPort), into steps through a built object: numbers of
// elements become their keys, since an overlay's patch counts differently.
func parse(obj map[string]any, field string) []step {
	var path []step
	var at any = obj
	for _, part := range split(field) {
		if n, err := strconv.Atoi(part); err == nil {
			list, ok := at.([]any)
			if !ok || n < 0 || n >= len(list) || len(path) == 0 {
				return path
			}
			elem, ok := list[n].(map[string]any)
			if !ok {
				return path
			}
			match := keysOf(path, elem)
			if match == nil {
				return path
			}
			path, at = append(path, step{match: match}), elem
			continue
		}
		m, ok := at.(map[string]any)
		if !ok {
			return path
		}
		path, at = append(path, step{field: part}), m[part]
	}
	return path
}

// split cuts a path at its dots and brackets; what stands in brackets may hold dots.
func split(field string) []string {
	var parts []string
	cur, inside := "", false
	end := func() {
		if cur != "" {
			parts = append(parts, strings.Trim(cur, `"'`))
		}
		cur = ""
	}
	for _, r := range field {
		switch {
		case r == '[':
			end()
			inside = true
		case r == ']':
			end()
			inside = false
		case r == '.' && !inside:
			end()
		default:
			cur += string(r)
		}
	}
	end()
	return parts
}
