package generate

import (
	"fmt"
	"slices"
	"strings"
)

// File is one file of a tree.
type File struct {
	Path string // relative to the tree, slash-separated
	Data []byte
}

// Files returns the whole tree of an App, sorted by path; the App is completed
// and validated first, as a copy. The same App gives the same bytes always.
func Files(a *App) ([]File, error) {
	a = a.copy()
	a.Complete()
	if err := a.Validate(); err != nil {
		return nil, err
	}
	t := &tree{}
	if a.Spec.Workload == nil {
		t.aliasBase(a)
	} else {
		t.base(a)
		for _, o := range ServiceTypes() {
			if o != ExternalName {
				t.overlay(a, o)
			}
		}
	}
	if a.Spec.Service.ExternalName != "" {
		t.alias(a, Overlay(ExternalName), a.Spec.Service.ExternalName, a.Metadata.Namespace)
	}
	for _, e := range a.Spec.Overlays {
		t.environment(a, e)
	}
	t.add(SpecFile, a)
	if t.err != nil {
		return nil, t.err
	}
	slices.SortFunc(t.files, func(x, y File) int { return strings.Compare(x.Path, y.Path) })
	return t.files, nil
}

// MarshalApp returns svcx.yaml for an App as it stands.
func MarshalApp(a *App) ([]byte, error) {
	body, err := encode(a)
	if err != nil {
		return nil, err
	}
	return stamp(SpecFile, body), nil
}

// copy returns an App that shares nothing Complete writes to.
func (a *App) copy() *App {
	c := *a
	c.Spec.Service.Ports = slices.Clone(a.Spec.Service.Ports)
	c.Spec.Overlays = slices.Clone(a.Spec.Overlays)
	return &c
}

// tree collects files; the first error stays.
type tree struct {
	files []File
	err   error
}

func (t *tree) add(path string, content any) {
	body, err := encode(content)
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("%s: %w", path, err)
	}
	t.files = append(t.files, File{Path: path, Data: stamp(path, body)})
}

func (t *tree) base(a *App) {
	resources := []string{"deployment.yaml", "service.yaml"}
	if a.workloadKind() == StatefulSet {
		t.add("base/statefulset.yaml", a.statefulSet())
		t.add("base/service-peers.yaml", a.peersService())
		resources = []string{"statefulset.yaml", "service.yaml", "service-peers.yaml"}
	} else {
		t.add("base/deployment.yaml", a.deployment())
	}
	t.add("base/service.yaml", a.baseService())
	for _, o := range []struct {
		asked bool
		file  string
		of    func() any
	}{
		{a.Spec.PodDisruptionBudget != nil, "poddisruptionbudget.yaml", func() any { return a.budget() }},
		{a.Spec.HorizontalPodAutoscaler != nil, "horizontalpodautoscaler.yaml", func() any { return a.autoscaler() }},
		{a.Spec.NetworkPolicy != nil, "networkpolicy.yaml", func() any { return a.policy() }},
	} {
		if o.asked {
			t.add("base/"+o.file, o.of())
			resources = append(resources, o.file)
		}
	}
	k := newKustomization(resources...).labelled()
	k.ConfigMapGenerator, k.SecretGenerator = a.generators()
	t.add("base/kustomization.yaml", k)
}

// aliasBase is the base of an app that has no Pods: its Service is an alias.
func (t *tree) aliasBase(a *App) {
	t.add("base/service.yaml", a.externalService(a.Spec.Service.ExternalName))
	t.add("base/kustomization.yaml", newKustomization("service.yaml").labelled())
}

func (t *tree) overlay(a *App, o ServiceType) {
	k := newKustomization("../../base").in(a.Metadata.Namespace)
	if p := a.servicePatch(o); p != nil {
		t.add(Overlay(o)+"/service-patch.yaml", p)
		k = k.patched("service-patch.yaml", "Service", a.Spec.Service.Name)
	}
	t.add(Overlay(o)+"/kustomization.yaml", k)
}

// alias is an overlay in which the Service stands for a host. It stands on its
// own where the base has Pods, which an alias has not, or is an alias of another.
func (t *tree) alias(a *App, dir, host, namespace string) {
	k := newKustomization("../../base")
	if a.Spec.Workload != nil || host != a.Spec.Service.ExternalName {
		t.add(dir+"/service.yaml", a.externalService(host))
		k = newKustomization("service.yaml").labelled()
	}
	t.add(dir+"/kustomization.yaml", k.in(namespace))
}
