package apply

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// ignoredFields are set by the API server on every write, or are not ours to set.
var ignoredFields = []string{
	"status",
	"metadata.managedFields",
	"metadata.resourceVersion",
	"metadata.generation",
	"metadata.creationTimestamp",
	"metadata.uid",
	"metadata.selfLink",
	"metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]",
	"metadata.annotations[deployment.kubernetes.io/revision]",
}

// diffObjects lists the fields in which two forms of an object differ, sorted by path.
func diffObjects(before, after *unstructured.Unstructured) []FieldDiff {
	d := differ{secret: before.GetKind() == "Secret"}
	d.compare("", before.Object, after.Object)
	return d.diffs
}

type differ struct {
	diffs  []FieldDiff
	secret bool
}

func (d *differ) compare(path string, before, after any) {
	if slices.Contains(ignoredFields, path) || reflect.DeepEqual(before, after) {
		return
	}
	bm, bok := before.(map[string]any)
	am, aok := after.(map[string]any)
	if (bok && aok) || (bok && after == nil) || (aok && before == nil) {
		if len(bm)+len(am) > 0 && (path == "" || path == "metadata" || path == "metadata.annotations" || (bok && aok)) {
			d.maps(path, bm, am)
			return
		}
	}
	bl, bok := before.([]any)
	al, aok := after.([]any)
	if bok && aok && d.lists(path, bl, al) {
		return
	}
	d.add(path, before, after)
}

func (d *differ) maps(path string, before, after map[string]any) {
	keys := make([]string, 0, len(before)+len(after))
	for k := range before {
		keys = append(keys, k)
	}
	for k := range after {
		if _, ok := before[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		d.compare(join(path, k), before[k], after[k])
	}
}

// join appends a field to a path; keys that are not plain names go in brackets.
func join(path, key string) string {
	if strings.ContainsAny(key, "./[]= ") {
		return path + "[" + key + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// listKeys are the fields that tell the items of a list of maps apart, as the
// API's own list-map keys do.
var listKeys = [][]string{
	{"name"}, {"containerPort", "protocol"}, {"port", "protocol"}, {"port"}, {"mountPath"}, {"devicePath"},
	{"topologyKey", "whenUnsatisfiable"}, {"key"}, {"ip"}, {"uid"}, {"type"},
}

// lists compares two lists item by item when their items have keys; it reports
// false when they have none, as a container's args.
func (d *differ) lists(path string, before, after []any) bool {
	for _, keys := range listKeys {
		b, bids, ok := byKey(before, keys)
		if !ok {
			continue
		}
		a, aids, ok := byKey(after, keys)
		if !ok {
			continue
		}
		had := len(d.diffs)
		for _, id := range bids {
			d.compare(path+"["+id+"]", b[id], a[id])
		}
		for _, id := range aids {
			if b[id] == nil {
				d.compare(path+"["+id+"]", nil, a[id])
			}
		}
		if had == len(d.diffs) && !slices.Equal(bids, aids) {
			d.add(path, toAny(bids), toAny(aids)) // the order alone differs
		}
		return true
	}
	return false
}

func byKey(list []any, keys []string) (items map[string]any, ids []string, ok bool) {
	items = map[string]any{}
	for _, item := range list {
		m, isMap := item.(map[string]any)
		if !isMap {
			return nil, nil, false
		}
		var parts []string
		for _, k := range keys {
			v, has := m[k]
			if !has {
				return nil, nil, false
			}
			parts = append(parts, k+"="+scalar(v))
		}
		id := strings.Join(parts, ",")
		if items[id] != nil {
			return nil, nil, false
		}
		items[id], ids = m, append(ids, id)
	}
	return items, ids, true
}

func toAny(ids []string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

func (d *differ) add(path string, before, after any) {
	diff := FieldDiff{Path: plain(path), Old: flow(before), New: flow(after)}
	if d.secret && (strings.HasPrefix(path, "data") || strings.HasPrefix(path, "stringData")) {
		// A plan is read over shoulders and kept in logs.
		diff.Old, diff.New = masked(before, "before"), masked(after, "after")
	}
	d.diffs = append(d.diffs, diff)
}

func masked(v any, when string) string {
	if v == nil {
		return ""
	}
	return "*** (" + when + ")"
}

// flow writes a value as one line of YAML; nil is empty.
func flow(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		parts := make([]string, len(keys))
		for i, k := range keys {
			parts[i] = scalar(k) + ": " + orNull(v[k])
		}
		return bounded("{" + strings.Join(parts, ", ") + "}")
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = orNull(item)
		}
		return bounded("[" + strings.Join(parts, ", ") + "]")
	}
	return bounded(scalar(v))
}

func orNull(v any) string {
	if v == nil {
		return "null"
	}
	return flow(v)
}

// maxValue bounds a value in a difference, in bytes: no object that an API server
// keeps is larger. Whoever prints it shows as much of it as there is room for.
const maxValue = 2 << 20

func bounded(s string) string {
	if len(s) <= maxValue {
		return s
	}
	return strings.ToValidUTF8(s[:maxValue], "") + "…"
}

// scalar writes a scalar; strings are quoted only where YAML would read them
// as something else, and where they hold what a terminal does not show as it is.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		var back any
		hidden := func(r rune) bool { return !strconv.IsPrint(r) }
		if v == "" || strings.Contains(v, "  ") || strings.ContainsFunc(v, hidden) || strings.ContainsAny(v, "{}[],&*#?|<>=!%@\\\"'\n\t") || strings.HasPrefix(v, "- ") || strings.Contains(v, ": ") ||
			yaml.Unmarshal([]byte(v), &back) != nil || back != v {
			return strconv.Quote(v)
		}
		return v
	case int64, float64, bool:
		data, err := json.Marshal(v)
		if err == nil {
			return string(data)
		}
	}
	return fmt.Sprint(v)
}
