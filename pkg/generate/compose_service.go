package generate

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// composeKnown are the fields of a Compose service. Of those that are true nothing is
// to be said by their name alone: they are read, or ask for nothing that Kubernetes
// does not do by itself. What within them is not carried over is named where they are
// read.
var composeKnown = map[string]bool{
	"image": true, "command": true, "entrypoint": true, "environment": true, "env_file": true,
	"ports": true, "expose": true, "healthcheck": true, "deploy": true, "scale": true, "cpus": true, "mem_limit": true,
	"mem_reservation": true, "user": true, "stop_grace_period": true, "volumes": true,
	"container_name": true, "restart": true, "depends_on": true, "profiles": true, "links": true, "networks": true,
	"annotations": false, "attach": false, "develop": false, "blkio_config": false, "build": false, "cap_add": false, "cap_drop": false, "cgroup": false, "cgroup_parent": false,
	"configs": false, "cpu_count": false, "cpu_percent": false, "cpu_period": false, "cpu_quota": false, "cpu_rt_period": false, "cpu_rt_runtime": false,
	"cpu_shares": false, "cpuset": false, "credential_spec": false, "device_cgroup_rules": false, "devices": false, "dns": false,
	"dns_opt": false, "dns_search": false, "domainname": false, "external_links": false, "extra_hosts": false, "gpus": false,
	"group_add": false, "hostname": false, "init": false, "ipc": false, "isolation": false, "label_file": false, "labels": false, "logging": false, "mac_address": false,
	"mem_swappiness": false, "memswap_limit": false, "models": false, "network_mode": false, "oom_kill_disable": false, "oom_score_adj": false,
	"pid": false, "pids_limit": false, "platform": false, "post_start": false, "pre_stop": false, "privileged": false, "provider": false,
	"pull_policy": false, "read_only": false, "runtime": false, "secrets": false, "security_opt": false, "shm_size": false, "stop_signal": false,
	"stdin_open": false, "storage_opt": false, "sysctls": false, "tmpfs": true, "tty": false, "ulimits": false, "use_api_socket": false, "userns_mode": false, "uts": false,
	"volumes_from": false, "working_dir": false, "extends": false,
}

// App makes an App of one service. Notes say what of it could not be carried over.
func (c *Compose) App(name string) (a *App, notes []string, err error) {
	s, ok := c.services[name]
	if !ok {
		return nil, nil, fmt.Errorf("%s has no service %q%s; it has %s", c.file, name, didYouMean(name, c.Services()), strings.Join(c.Services(), ", "))
	}
	r := &composeReader{c: c, name: name, s: s, w: &Workload{}}
	a = &App{}
	r.read(a)
	if len(r.problems) > 0 {
		for i := range r.problems {
			r.problems[i].Line = max(c.lines[name], fieldLine(c.root, r.problems[i].Field))
		}
		return nil, nil, &InvalidError{File: c.file, Problems: r.problems}
	}
	a.Spec.Workload = r.w
	a.Complete()
	return a, r.notes, c.withoutPort(name, a.Validate())
}

// withoutPort says in Compose's words that a service names no port.
func (c *Compose) withoutPort(name string, err error) error {
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	for i, p := range invalid.Problems {
		if p.Field == "spec.service.ports" && p.Value == "" {
			invalid.Problems[i] = Problem{Field: "services." + name + ".ports", Reason: p.Reason,
				Next: fmt.Sprintf("say it in %s with expose: [\"8080\"], or with ports", c.file)}
		}
	}
	return err
}

// composeReader reads one service.
type composeReader struct {
	c        *Compose
	name     string
	s        map[string]any
	w        *Workload
	notes    []string
	problems []Problem
}

func (r *composeReader) bad(fieldName, format string, args ...any) {
	r.problems = append(r.problems, Problem{Field: "services." + r.name + "." + fieldName, Reason: fmt.Sprintf(format, args...)})
}

func (r *composeReader) left(fieldName, why string) {
	r.notes = append(r.notes, strings.TrimSpace("left out: services."+r.name+"."+fieldName+" "+why))
}

func (r *composeReader) read(a *App) {
	a.Metadata.Name = strings.ReplaceAll(strings.ToLower(r.name), "_", "-")
	if a.Metadata.Name != r.name {
		r.notes = append(r.notes, fmt.Sprintf("the Service is called %s, as %s cannot be a DNS name; clients have to be told", a.Metadata.Name, r.name))
	}
	for _, k := range slices.Sorted(maps.Keys(r.s)) {
		carried, known := composeKnown[k]
		switch {
		case strings.HasPrefix(k, "x-"):
		case !known:
			next := slices.Sorted(maps.Keys(composeKnown))
			r.bad(k, "is no field of a Compose service%s", didYouMean(k, next))
		case k == "extends":
			r.bad(k, "leads to another service; import what \"docker compose config\" prints")
		case !carried && r.s[k] != "false" && !r.anyway(k):
			r.left(k, "")
		}
	}
	r.shape()
	r.w.Image, _ = r.s["image"].(string)
	if r.w.Image == "" {
		r.bad("image", "is missing; build the image, push it and name it")
	}
	r.w.Command = r.words("entrypoint")
	r.w.Args = r.words("command")
	r.environment()
	r.ports(a)
	r.resources()
	r.health()
	r.user()
	r.volumes()
	r.tmpfs()
	r.names()
	r.starts()
	r.restarts()
}

// anyway tells of a field that asks for what every container is given here.
func (r *composeReader) anyway(k string) bool {
	all := textsOf(r.s[k])
	switch k {
	case "read_only":
		return r.s[k] == "true"
	case "cap_drop":
		return slices.Equal(all, []string{"ALL"})
	case "security_opt":
		return len(all) == 1 && (all[0] == "no-new-privileges:true" || all[0] == "no-new-privileges")
	}
	return false
}

// names notes the other names by which the services of the file know each other.
func (r *composeReader) names() {
	const clients = "(a Service has one name; clients that use another have to be told)"
	if s, ok := r.s["container_name"].(string); ok && s != r.name {
		r.left("container_name", clients)
	}
	for i, link := range textsOf(r.s["links"]) {
		if service, alias, ok := strings.Cut(link, ":"); ok && alias != service {
			r.left(fmt.Sprintf("links[%d]", i), clients)
		}
	}
	networks, _ := r.s["networks"].(map[string]any)
	apart := func(name string) bool { return name != "default" }
	if slices.ContainsFunc(append(textsOf(r.s["networks"]), slices.Collect(maps.Keys(networks))...), apart) {
		r.left("networks", "(Pods of every network reach each other; networkPolicy in "+SpecFile+" says who may)")
	}
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		network, _ := networks[name].(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(network)) {
			why := ""
			if k == "aliases" {
				why = clients
			}
			r.left("networks."+name+"."+k, why)
		}
	}
}

// starts notes what says when, or whether, the service is started.
func (r *composeReader) starts() {
	if r.s["depends_on"] != nil {
		r.left("depends_on", "(Kubernetes starts all at once; the app has to wait for what it needs, or to end and be started again)")
	}
	if r.s["profiles"] != nil {
		r.left("profiles", "(the service is imported like one that always runs)")
	}
}

// restarts notes where a container is not to be started again.
func (r *composeReader) restarts() {
	const always = "(a Deployment starts its containers again, always)"
	if s, ok := r.s["restart"].(string); ok && s != "always" && s != "unless-stopped" {
		r.left("restart", always)
	}
	policy, _ := r.at("deploy.restart_policy").(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(policy)) {
		switch {
		case k != "condition":
			r.left("deploy.restart_policy."+k, "")
		case policy[k] != "any":
			r.left("deploy.restart_policy", always)
		}
	}
}

// words is a command line, as a list or as a shell would split it.
func (r *composeReader) words(name string) []string {
	switch v := r.s[name].(type) {
	case nil:
		return nil
	case string:
		words, err := splitWords(v)
		if err != nil {
			r.bad(name, "%v", err)
		}
		return unexpanded(words)
	default:
		return unexpanded(textsOf(v))
	}
}

// unexpanded writes texts so that Kubernetes, which puts variables into what reads
// $(NAME) and makes one of two dollar signs, gives them as they are.
func unexpanded(list []string) []string {
	for i, s := range list {
		var out strings.Builder
		for k := range len(s) {
			out.WriteByte(s[k])
			if s[k] == '$' && k+1 < len(s) && (s[k+1] == '$' || s[k+1] == '(') {
				out.WriteByte('$')
			}
		}
		list[i] = out.String()
	}
	return list
}

func textsOf(v any) []string {
	var out []string
	for _, item := range asList(v) {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// splitWords splits a command line at blanks, but for those in quotes.
func splitWords(s string) ([]string, error) {
	var out []string
	var word strings.Builder
	open, inWord, escaped := rune(0), false, false
	for _, c := range s {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && open != '\'':
			escaped, inWord = true, true
		case open != 0 && c == open:
			open = 0
		case open == 0 && (c == '"' || c == '\''):
			open, inWord = c, true
		case open == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if inWord {
				out = append(out, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if open != 0 || escaped {
		return nil, errors.New("has a quote without its end")
	}
	if inWord {
		out = append(out, word.String())
	}
	return out, nil
}

// envFiles are the names of the env files, but for those that need not be there
// and are not.
func (r *composeReader) envFiles() []string {
	if f, ok := r.s["env_file"].(string); ok {
		return []string{f}
	}
	var files []string
	for i, item := range asList(r.s["env_file"]) {
		switch v := item.(type) {
		case string:
			files = append(files, v)
		case map[string]any:
			name, _ := v["path"].(string)
			if v["format"] != nil {
				r.bad(fmt.Sprintf("env_file[%d].format", i), "is not understood; write the variables under environment")
				continue
			}
			if _, err := r.c.readFile(name); err != nil && v["required"] == "false" {
				r.left(fmt.Sprintf("env_file[%d]", i), "(it cannot be read, and need not be)")
				continue
			}
			files = append(files, name)
		}
	}
	return files
}

func (r *composeReader) envFile(name string) (map[string]string, error) {
	data, err := r.c.readFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shorten(name), err)
	}
	values, notes, err := readDotEnv(data, name, r.c.getenv)
	r.notes = append(r.notes, notes...)
	return values, err
}

func (r *composeReader) environment() {
	env := map[string]string{}
	var order []string
	set := func(k, v string) {
		if _, there := env[k]; !there {
			order = append(order, k)
		}
		env[k] = v
	}
	for _, f := range r.envFiles() {
		values, err := r.envFile(f)
		if err != nil {
			r.bad("env_file", "%v", err)
		}
		for _, k := range slices.Sorted(maps.Keys(values)) {
			set(k, values[k])
		}
	}
	switch v := r.s["environment"].(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if s, ok := v[k].(string); ok {
				set(k, s)
			} else {
				r.left("environment."+k, "(its value is that of whoever starts it)")
			}
		}
	case []any:
		for _, item := range textsOf(v) {
			if k, value, ok := strings.Cut(item, "="); ok {
				set(k, value)
			} else {
				r.left("environment."+item, "(its value is that of whoever starts it)")
			}
		}
	}
	for _, k := range order {
		r.w.Env = append(r.w.Env, corev1.EnvVar{Name: k, Value: unexpanded([]string{env[k]})[0]})
	}
}

// ports makes the Service's ports those of the container, under which the other
// services of the file know it; what is published on the host is not, which is noted.
func (r *composeReader) ports(a *App) {
	add := func(fieldName, port, protocol string) {
		n, err := strconv.ParseInt(port, 10, 32)
		if err != nil || n < 1 || n > math.MaxUint16 {
			r.bad(fieldName, "%q is not a port; write ranges out", shorten(port))
			return
		}
		p := ServicePort{Port: int32(n), TargetPort: intstr.FromInt32(int32(n)), Protocol: corev1.Protocol(strings.ToUpper(protocol))}
		for _, there := range a.Spec.Service.Ports {
			if there.Same(p) {
				return
			}
		}
		a.Spec.Service.Ports = append(a.Spec.Service.Ports, p)
	}
	published := func(at, where string) {
		if where != "" {
			r.left(at, "(that it is published on the host as "+shorten(where)+"; the overlays nodeport and loadbalancer lead in from outside the cluster)")
		}
	}
	for i, item := range asList(r.s["ports"]) {
		at := fmt.Sprintf("ports[%d]", i)
		switch v := item.(type) {
		case string:
			spec, protocol, _ := strings.Cut(v, "/")
			colon := strings.LastIndexByte(spec, ':')
			add(at, spec[colon+1:], protocol)
			published(at, spec[:max(0, colon)])
		case map[string]any:
			target, _ := v["target"].(string)
			protocol, _ := v["protocol"].(string)
			add(at, target, protocol)
			host, _ := v["published"].(string)
			if ip, ok := v["host_ip"].(string); ok {
				host = ip + ":" + host
			}
			published(at, host)
			for _, k := range []string{"app_protocol", "name"} {
				if v[k] != nil {
					r.left(at+"."+k, "")
				}
			}
		default:
			r.bad(at, "is not a port")
		}
	}
	for i, v := range textsOf(r.s["expose"]) {
		port, protocol, _ := strings.Cut(v, "/")
		add(fmt.Sprintf("expose[%d]", i), port, protocol)
	}
}
