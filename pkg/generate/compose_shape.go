package generate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// composeShapes are the kinds of value that the fields which are read may have: s
// for one value, l for a list, m for a map. A field of another kind would be
// passed over.
var composeShapes = map[string]string{
	"image": "s", "command": "sl", "entrypoint": "sl", "environment": "lm", "env_file": "sl", "ports": "l", "expose": "l",
	"healthcheck": "m", "healthcheck.test": "sl", "healthcheck.interval": "s", "healthcheck.timeout": "s", "healthcheck.start_period": "s",
	"healthcheck.retries": "s", "healthcheck.disable": "s", "deploy": "m", "deploy.replicas": "s", "deploy.resources": "m",
	"deploy.resources.limits": "m", "deploy.resources.limits.cpus": "s", "deploy.resources.limits.memory": "s",
	"deploy.resources.reservations": "m", "deploy.resources.reservations.cpus": "s", "deploy.resources.reservations.memory": "s",
	"scale": "s", "cpus": "s", "mem_limit": "s", "mem_reservation": "s", "user": "s", "stop_grace_period": "s", "volumes": "l", "tmpfs": "sl",
}

// composeFields are what the maps in a service may hold.
var composeFields = map[string][]string{
	"healthcheck":                   {"test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"},
	"deploy":                        {"mode", "replicas", "resources", "restart_policy", "labels", "update_config", "rollback_config", "placement", "endpoint_mode"},
	"deploy.resources":              {"limits", "reservations"},
	"deploy.resources.limits":       {"cpus", "memory", "pids"},
	"deploy.resources.reservations": {"cpus", "memory", "generic_resources", "devices"},
}

// shape refuses what would be passed over: a field of the wrong kind, one that
// Compose does not know, and in a list what is of no use there.
func (r *composeReader) shape() {
	names := map[string]string{"s": "one value", "l": "a list", "m": "a map"}
	for _, field := range slices.Sorted(maps.Keys(composeShapes)) {
		kinds, kind := composeShapes[field], kindOf(r.at(field))
		if kind == "" || strings.Contains(kinds, kind) {
			continue
		}
		var want []string
		for _, k := range kinds {
			want = append(want, names[string(k)])
		}
		r.bad(field, "is %s where %s is wanted", names[kind], strings.Join(want, " or "))
	}
	for _, field := range slices.Sorted(maps.Keys(composeFields)) {
		m, _ := r.at(field).(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !slices.Contains(composeFields[field], k) && !strings.HasPrefix(k, "x-") {
				r.bad(field+"."+k, "is no field that it has%s", didYouMean(k, composeFields[field]))
			}
		}
	}
	for _, field := range []string{"command", "entrypoint", "expose", "healthcheck.test", "tmpfs"} {
		r.items(field, "s")
	}
	for _, field := range []string{"env_file", "ports", "volumes"} {
		r.items(field, "sm")
	}
	r.items("environment", "s")
	if m, ok := r.s["environment"].(map[string]any); ok {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if kind := kindOf(m[k]); kind == "l" || kind == "m" {
				r.bad("environment."+k, "is %s where one value is wanted", names[kind])
			}
		}
	}
}

func (r *composeReader) items(field, kinds string) {
	for i, item := range asList(r.at(field)) {
		if kind := kindOf(item); kind == "" || !strings.Contains(kinds, kind) {
			r.bad(fmt.Sprintf("%s[%d]", field, i), "is not what this list holds")
		}
	}
}

// at is the value at a path of fields; nil when it is not there.
func (r *composeReader) at(field string) any {
	var v any = r.s
	for _, name := range strings.Split(field, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "s"
	case []any:
		return "l"
	case map[string]any:
		return "m"
	}
	return ""
}
