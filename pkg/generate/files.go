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
		t.externalName(a)
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
	t.add("base/deployment.yaml", a.deployment())
	t.add("base/service.yaml", a.baseService())
	t.add("base/kustomization.yaml", newKustomization("deployment.yaml", "service.yaml").labelled())
}

// aliasBase is the base of an app that has no Pods: its Service is an alias.
func (t *tree) aliasBase(a *App) {
	t.add("base/service.yaml", a.externalService())
	t.add("base/kustomization.yaml", newKustomization("service.yaml").labelled())
}

func (t *tree) overlay(a *App, o ServiceType) {
	k := newKustomization("../../base").in(a.Metadata.Namespace)
	if o != ClusterIP {
		t.add(Overlay(o)+"/service-patch.yaml", a.servicePatch(o))
		k = k.patched("service-patch.yaml", "Service", a.Spec.Service.Name)
	}
	t.add(Overlay(o)+"/kustomization.yaml", k)
}

// externalName is the overlay in which the Service is an alias. It stands on its
// own where the base has Pods, which an alias has not.
func (t *tree) externalName(a *App) {
	k := newKustomization("../../base")
	if a.Spec.Workload != nil {
		t.add(Overlay(ExternalName)+"/service.yaml", a.externalService())
		k = newKustomization("service.yaml").labelled()
	}
	t.add(Overlay(ExternalName)+"/kustomization.yaml", k.in(a.Metadata.Namespace))
}
