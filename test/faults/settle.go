package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/util/jsonpath"
)

// resources are the kinds that conditions and steps may name.
var resources = map[string]schema.GroupVersionResource{
	"pods":            {Version: "v1", Resource: "pods"},
	"services":        {Version: "v1", Resource: "services"},
	"events":          {Version: "v1", Resource: "events"},
	"serviceaccounts": {Version: "v1", Resource: "serviceaccounts"},
	"configmaps":      {Version: "v1", Resource: "configmaps"},
	"namespaces":      {Version: "v1", Resource: "namespaces"},
	"nodes":           {Version: "v1", Resource: "nodes"},
	"endpointslices":  {Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	"deployments":     {Group: "apps", Version: "v1", Resource: "deployments"},
	"replicasets":     {Group: "apps", Version: "v1", Resource: "replicasets"},
	"statefulsets":    {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"daemonsets":      {Group: "apps", Version: "v1", Resource: "daemonsets"},

	"replicationcontrollers": {Version: "v1", Resource: "replicationcontrollers"},
	"persistentvolumeclaims": {Version: "v1", Resource: "persistentvolumeclaims"},
}

// settled waits until a condition holds, by watching.
func (b *bench) settled(ctx context.Context, ns string, c Condition) error {
	if c.Connects != "" {
		return b.connects(ctx, ns, c.Connects)
	}
	if c.Older != "" {
		return b.older(ctx, ns, c)
	}
	gvr, ok := resources[c.Of]
	if !ok {
		return fmt.Errorf("until: unknown resource %q", c.Of)
	}
	want, err := newMatcher(c)
	if err != nil {
		return fmt.Errorf("until: %w", err)
	}
	switch {
	case c.Of == "nodes":
		ns = ""
	case c.Namespace != "":
		ns = b.place(ns).fill(c.Namespace)
	}
	seen := map[string]*unstructured.Unstructured{}
	err = b.watched(ctx, gvr, ns, c.Labels, seen, func() bool { return want.holds(seen) })
	if err != nil {
		return fmt.Errorf("until %s %s %s: %w; last seen: %s", c.Of, c.Path, c.Is, err, want.show(seen))
	}
	return nil
}

// watched lists and watches objects into seen until done says so.
func (b *bench) watched(ctx context.Context, gvr schema.GroupVersionResource, ns, labels string, seen map[string]*unstructured.Unstructured, done func() bool) error {
	client := b.dynamic.Resource(gvr).Namespace(ns)
	for {
		list, err := client.List(ctx, metav1.ListOptions{LabelSelector: labels})
		if err != nil {
			return err
		}
		clear(seen)
		for i := range list.Items {
			seen[list.Items[i].GetName()] = &list.Items[i]
		}
		if done() {
			return nil
		}
		w, err := client.Watch(ctx, metav1.ListOptions{LabelSelector: labels, ResourceVersion: list.GetResourceVersion()})
		if err != nil {
			return err
		}
		for e := range w.ResultChan() {
			obj, ok := e.Object.(*unstructured.Unstructured)
			if !ok || e.Type == watch.Error {
				break // too old: list again
			}
			if seen[obj.GetName()] = obj; e.Type == watch.Deleted {
				delete(seen, obj.GetName())
			}
			if done() {
				w.Stop()
				return nil
			}
		}
		w.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// matcher evaluates a condition over objects.
type matcher struct {
	c        Condition
	path     *jsonpath.JSONPath
	is, name *regexp.Regexp
}

func newMatcher(c Condition) (*matcher, error) {
	m := &matcher{c: c, path: jsonpath.New("until").AllowMissingKeys(true)}
	if m.c.Count == 0 {
		m.c.Count = 1
	}
	var err error
	if m.is, err = regexp.Compile(c.Is); err != nil {
		return nil, err
	}
	if m.name, err = regexp.Compile("^(?:" + c.Name + ")$"); err != nil {
		return nil, err
	}
	path := c.Path
	if path == "" {
		path = "{.metadata.name}"
	}
	return m, m.path.Parse(path)
}

func (m *matcher) value(obj *unstructured.Unstructured) string {
	var b strings.Builder
	if err := m.path.Execute(&b, obj.Object); err != nil {
		return "" // a filter over a list that is not there yet
	}
	return b.String()
}

func (m *matcher) holds(seen map[string]*unstructured.Unstructured) bool {
	n := 0
	for name, obj := range seen {
		if (m.c.Name == "" || m.name.MatchString(name)) && m.is.MatchString(m.value(obj)) {
			n++
		}
	}
	if m.c.None {
		return n == 0
	}
	return n >= m.c.Count
}

func (m *matcher) show(seen map[string]*unstructured.Unstructured) string {
	var out []string
	for name, obj := range seen {
		out = append(out, name+"="+shorten(m.value(obj), 120))
	}
	return strings.Join(out, " ")
}

// workloadsReady waits until every workload of a namespace runs as asked, and
// every Service that selects Pods has an endpoint.
func (b *bench) workloadsReady(ctx context.Context, ns string) error {
	scaled := func(o map[string]any) bool {
		want := number(o, 1, "spec", "replicas")
		return number(o, 0, "status", "readyReplicas") == want && number(o, 0, "status", "replicas") == want
	}
	for kind, ready := range map[string]func(map[string]any) bool{
		"deployments": func(o map[string]any) bool {
			return scaled(o) && number(o, 0, "status", "updatedReplicas") == number(o, 1, "spec", "replicas")
		},
		"statefulsets":           scaled,
		"replicationcontrollers": scaled,
		"daemonsets": func(o map[string]any) bool {
			want := number(o, 0, "status", "desiredNumberScheduled")
			return want > 0 && number(o, 0, "status", "numberReady") == want
		},
		"pods": func(o map[string]any) bool {
			conds, _, _ := unstructured.NestedSlice(o, "status", "conditions")
			for _, c := range conds {
				if m, ok := c.(map[string]any); ok && m["type"] == "Ready" {
					return m["status"] == "True" || m["reason"] == "PodCompleted"
				}
			}
			return false
		},
	} {
		seen := map[string]*unstructured.Unstructured{}
		if err := b.watched(ctx, resources[kind], ns, "", seen, func() bool {
			for _, o := range seen {
				if number(o.Object, 0, "metadata", "generation") > number(o.Object, number(o.Object, 0, "metadata", "generation"), "status", "observedGeneration") || !ready(o.Object) {
					return false
				}
			}
			return true
		}); err != nil {
			var waiting []string
			for name, o := range seen {
				if !ready(o.Object) {
					waiting = append(waiting, name)
				}
			}
			return fmt.Errorf("until %s are ready: %w; not yet: %s", kind, err, strings.Join(waiting, " "))
		}
	}
	return nil
}

func number(o map[string]any, otherwise int64, path ...string) int64 {
	if n, ok, _ := unstructured.NestedInt64(o, path...); ok {
		return n
	}
	return otherwise
}

// older waits until the object of a condition is of an age.
func (b *bench) older(ctx context.Context, ns string, c Condition) error {
	age, err := time.ParseDuration(c.Older)
	if err != nil {
		return err
	}
	obj, err := b.dynamic.Resource(resources[c.Of]).Namespace(ns).Get(ctx, c.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	// Timestamps are of whole seconds, rounded down.
	of := time.NewTimer(time.Until(obj.GetCreationTimestamp().Add(age + time.Second)))
	defer of.Stop()
	select {
	case <-of.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// connects waits until a Service's load-balancer address, on its first port,
// accepts a connection from here.
func (b *bench) connects(ctx context.Context, ns, service string) error {
	c := Condition{Of: "services", Name: service, Path: "{.status.loadBalancer.ingress[0].ip}", Is: "."}
	if err := b.settled(ctx, ns, c); err != nil {
		return err
	}
	svc, err := b.kube.CoreV1().Services(ns).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return answers(ctx, net.JoinHostPort(svc.Status.LoadBalancer.Ingress[0].IP, fmt.Sprint(svc.Spec.Ports[0].Port)))
}

// answers dials until a connection opens; nothing tells of it but trying.
func answers(ctx context.Context, address string) error {
	d := net.Dialer{Timeout: time.Second}
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not answer", address), err)
		case <-retry.C:
		}
	}
}
