package generate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// place puts the objects where the Spec's own would stand.
func (i *Imported) place(workload *unstructured.Unstructured, services, others []*unstructured.Unstructured) error {
	i.files = slices.Clone(i.generated)
	if workload != nil {
		name := "base/" + strings.ToLower(workload.GetKind()) + ".yaml"
		if err := i.replace(name, clean(workload)); err != nil {
			return err
		}
	}
	first := clean(services[0])
	if workload != nil {
		overlaid(first) // what belongs to the type stands in the overlay
		if err := i.portsOf(first); err != nil {
			return err
		}
	}
	if err := i.replace("base/service.yaml", first); err != nil {
		return err
	}
	var resources []string
	for _, f := range i.generated {
		if path.Dir(f.Path) == "base" && f.Path != "base/kustomization.yaml" {
			if f.Path == "base/service-peers.yaml" {
				continue // the objects have what Service they have
			}
			resources = append(resources, path.Base(f.Path))
		}
	}
	i.files = slices.DeleteFunc(i.files, func(f File) bool { return f.Path == "base/service-peers.yaml" })
	resources, err := i.add(append(slices.Clone(services[1:]), others...), resources)
	if err != nil {
		return err
	}
	// Without the label that says what maintains them: they are as they were.
	body, err := encode(newKustomization(resources...))
	if err != nil {
		return err
	}
	i.put("base/kustomization.yaml", body)
	return nil
}

// add puts objects into files of their own in base/, and their names behind resources.
func (i *Imported) add(objs []*unstructured.Unstructured, resources []string) ([]string, error) {
	for _, o := range objs {
		name := strings.ToLower(o.GetKind()) + "-" + o.GetName() + ".yaml"
		if strings.ContainsAny(name, `/\`) || strings.Contains(name, "..") || slices.Contains(resources, name) {
			return nil, fmt.Errorf("%s/%s: there is no file name for it, or it is there twice", o.GetKind(), shorten(printable(o.GetName())))
		}
		object := clean(o)
		deleteNamespace(object)
		body, err := encodeObject(object)
		if err != nil {
			return nil, err
		}
		resources = append(resources, name)
		i.files = append(i.files, File{Path: "base/" + name, Data: body})
	}
	return resources, nil
}

func deleteNamespace(o map[string]any) {
	if meta, ok := nested(o, "metadata"); ok {
		delete(meta, "namespace")
	}
}

func (i *Imported) replace(name string, o map[string]any) error {
	deleteNamespace(o)
	body, err := encodeObject(o)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	i.put(name, body)
	return nil
}

// put gives a generated file another content. It keeps its stamp, by which the
// difference counts as an edit.
func (i *Imported) put(name string, body []byte) {
	for k, f := range i.files {
		if f.Path == name {
			was, _ := unstamp(f.Data)
			i.files[k].Data = restamp(stamp(name, body), was)
		}
	}
}

// portsOf makes of the imported Service's ports those of the headless overlay, and of
// the base where only a headless Service can do without any. They lead to what the
// Service's own lead to: the imported container need not call its ports as the
// generated one does.
func (i *Imported) portsOf(service map[string]any) error {
	s := &corev1.Service{}
	if err := decodeInto(service, s); err != nil {
		return fmt.Errorf("service/%s: %w", s.Name, err)
	}
	p := i.App.servicePatch(Headless)
	targets := map[string]intstr.IntOrString{}
	for k, port := range s.Spec.Ports {
		if port.TargetPort.StrVal != "" {
			targets[i.App.Spec.Service.Ports[k].Name] = port.TargetPort
		}
	}
	for k, port := range p.Spec.Ports {
		if port, ok := port.(corev1.ServicePort); ok {
			port.TargetPort = intstr.FromInt32(port.Port)
			if name, ok := targets[port.Name]; ok {
				port.TargetPort = name
			}
			p.Spec.Ports[k] = port
		}
	}
	if i.App.Spec.Service.Type == Headless {
		p.Spec.Ports = nil // they are as they were
	}
	if len(s.Spec.Ports) == 0 {
		for _, port := range i.App.Spec.Service.Ports {
			out := apiPort(port)
			out.TargetPort = intstr.FromInt32(i.App.targetNumber(port))
			s.Spec.Ports = append(s.Spec.Ports, out)
		}
		full, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s)
		if err != nil {
			return fmt.Errorf("service/%s: %w", s.Name, err)
		}
		spec, _ := nested(service, "spec")
		spec["ports"], _, _ = unstructured.NestedSlice(full, "spec", "ports")
		p.Spec.Ports = []any{map[string]string{"$patch": "replace"}}
	}
	body, err := encode(p)
	if err != nil {
		return err
	}
	i.put(Overlay(Headless)+"/service-patch.yaml", body)
	return nil
}

// overlaid takes out of the base's Service what the overlays say.
func overlaid(o map[string]any) {
	spec, ok := nested(o, "spec")
	if !ok {
		return
	}
	for _, name := range []string{"clusterIP", "externalIPs", "externalTrafficPolicy", "internalTrafficPolicy", "trafficDistribution", "sessionAffinity",
		"sessionAffinityConfig", "loadBalancerClass", "loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "healthCheckNodePort"} {
		delete(spec, name)
	}
	spec["type"] = "ClusterIP"
	for _, p := range items(spec, "ports") {
		delete(p, "nodePort")
	}
}

// addSecrets puts Secrets beside what the Spec generates: it is to hold no password.
func (i *Imported) addSecrets(secrets []*unstructured.Unstructured) error {
	const name = "base/kustomization.yaml"
	k := kustomization{}
	at := slices.IndexFunc(i.files, func(f File) bool { return f.Path == name })
	if err := yaml.UnmarshalStrict(i.files[at].Data, &k); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var err error
	if k.Resources, err = i.add(secrets, k.Resources); err != nil {
		return err
	}
	body, err := encode(k)
	if err != nil {
		return err
	}
	i.put(name, body)
	return nil
}
