package generate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Imported is a tree made of objects that existed before it.
type Imported struct {
	// App says what the objects say, as far as a Spec can.
	App *App
	// Overlay is the folder that holds the objects as they were.
	Overlay string
	// Notes say what was left out on purpose, and why.
	Notes []string

	generated []File // what the Spec alone gives
	files     []File // with the objects in its place
}

// Builder builds a kustomization, as kustomize does.
type Builder func(fsys filesys.FileSystem, dir string) ([]byte, error)

// Import makes a tree of one workload with its Services, and what else comes
// with them. What a server, a controller or a client wrote for itself is left
// out, and noted where it could have been somebody's own; everything else is kept:
// what the Spec has no field for stands in the files of base/, which count as edited
// by hand and so outlast regeneration. The tree is built, and an error tells what it
// would not give back.
func Import(objs []*unstructured.Unstructured, build Builder) (*Imported, error) {
	i := &Imported{}
	objs = i.ofCluster(i.hooks(objs))
	workload, services, others, err := sortOut(objs)
	if err != nil {
		return nil, err
	}
	i.astray(services[0], workload)
	all := slices.Clone(services)
	if workload != nil {
		all = append(all, workload)
	}
	namespace, err := i.oneNamespace(all, others)
	if err != nil {
		return nil, err
	}
	if services[0].GetNamespace() != namespace {
		services[0] = services[0].DeepCopy()
		services[0].SetNamespace(namespace)
	}
	if scaler := scalerOf(workload, others); scaler != nil {
		workload = workload.DeepCopy()
		leaveReplicas(workload, workload.Object)
		if _, has, _ := unstructured.NestedFieldNoCopy(workload.Object, "spec", "replicas"); has {
			i.Notes = append(i.Notes, fmt.Sprintf("%s/%s keeps its replicas, as it was applied with them client-side, where leaving them out would set them to 1; every apply sets back what %s/%s has chosen",
				workload.GetKind(), workload.GetName(), scaler.GetKind(), scaler.GetName()))
		}
	}
	all = append(append(slices.Clone(services), others...), workload)
	if !i.whole(workload, services, others, build) {
		i.App, err = appOf(workload, services[0])
		if err != nil {
			return nil, err
		}
		if i.generated, err = Files(i.App); err != nil {
			return nil, err
		}
		if workload != nil && i.App.Metadata.Name != workload.GetName() {
			i.Notes = append(i.Notes, fmt.Sprintf("%s/%s keeps its name in base/; in %s the app is called %s, as its container could not be called so",
				workload.GetKind(), workload.GetName(), SpecFile, i.App.Metadata.Name))
		}
		i.Overlay = Overlay(i.App.Spec.Service.Type)
		if err := i.place(workload, services, others); err != nil {
			return nil, err
		}
		if err := i.holds(all, build); err != nil {
			return nil, err
		}
	}
	i.note(objs)
	return i, nil
}

// whole makes the tree of a Spec alone, and of Secrets beside it, where that gives
// back the objects and nothing else.
func (i *Imported) whole(workload *unstructured.Unstructured, services, others []*unstructured.Unstructured, build Builder) bool {
	isSecret := func(o *unstructured.Unstructured) bool { return o.GetKind() == "Secret" }
	beside := append(slices.Clone(services[1:]), slices.DeleteFunc(slices.Clone(others), isSecret)...)
	secrets := slices.DeleteFunc(slices.Clone(others), func(o *unstructured.Unstructured) bool { return !isSecret(o) })
	a := whole(workload, services[0], beside)
	if a == nil {
		return false
	}
	files, err := Files(a)
	if err != nil {
		return false
	}
	a.Complete()
	w := &Imported{App: a, Overlay: Overlay(a.Spec.Service.Type), generated: files, files: slices.Clone(files)}
	if len(secrets) > 0 && w.addSecrets(secrets) != nil {
		return false
	}
	objs := append(slices.Concat(beside, secrets), services[0])
	if workload != nil {
		objs = append(objs, workload)
	}
	if w.holds(objs, build) != nil {
		return false
	}
	w.Notes = i.Notes
	*i = *w
	return true
}

// helmHook is the annotation by which Helm runs an object at a time of its own.
const helmHook = "helm.sh/hook"

// hooks leaves out the Pods by which a chart is tested, which an apply would run, and
// notes what else of Helm's hooks is applied with all the rest.
func (i *Imported) hooks(objs []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objs), func(o *unstructured.Unstructured) bool {
		when := o.GetAnnotations()[helmHook]
		switch {
		case when == "":
		case strings.HasPrefix(when, "test"):
			i.Notes = append(i.Notes, fmt.Sprintf("left out: %s/%s (a test of Helm's, which every apply would run)", o.GetKind(), o.GetName()))
			return true
		default:
			i.Notes = append(i.Notes, fmt.Sprintf("%s/%s is a hook of Helm's (%s), and is applied with all the rest here", o.GetKind(), o.GetName(), shorten(when)))
		}
		return false
	})
}

// besideWorkload tells of a Job or a CronJob, which may stand beside the workload as it
// is; but not a Job that runs, whose selector the API server made for it alone.
func besideWorkload(o *unstructured.Unstructured) bool {
	_, selects, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "selector")
	return o.GetKind() == "CronJob" || o.GetKind() == "Job" && !selects
}

// sortOut finds the workload and the Services that lead to it.
func sortOut(objs []*unstructured.Unstructured) (workload *unstructured.Unstructured, services, others []*unstructured.Unstructured, err error) {
	for _, o := range objs {
		switch o.GroupVersionKind().GroupKind().String() {
		case "Deployment.apps", "StatefulSet.apps":
			if workload != nil {
				return nil, nil, nil, fmt.Errorf("%s/%s and %s/%s: a tree holds one workload; put each, with its Services, into a file of its own, and import that into a folder of its own (--dir)",
					workload.GetKind(), workload.GetName(), o.GetKind(), o.GetName())
			}
			workload = o
		case "Service":
			services = append(services, o)
		case "DaemonSet.apps", "ReplicaSet.apps", "Pod", "Job.batch", "CronJob.batch":
			if besideWorkload(o) {
				others = append(others, o)
				continue
			}
			return nil, nil, nil, fmt.Errorf("%s/%s: a tree is made of a Deployment or a StatefulSet; a %s cannot be imported; leave it out", o.GetKind(), o.GetName(), o.GetKind())
		default:
			others = append(others, o)
		}
	}
	if len(services) == 0 {
		return nil, nil, nil, errors.New("there is no Service among the objects; name the one that leads to the workload")
	}
	mainFirst(services, workload)
	if workload != nil && len(services) > 1 && services[0].GetName() == workload.GetName()+peersSuffix {
		services[0], services[1] = services[1], services[0] // by which peers know each other, not clients
	}
	typ, _, _ := unstructured.NestedString(services[0].Object, "spec", "type")
	if workload == nil && typ != "ExternalName" && len(selectorOf(services[0])) == 0 {
		return nil, nil, nil, fmt.Errorf("service/%s has no selector: somebody else says where it leads, and a tree is made of a workload with its Service, or of an alias (ExternalName); keep it as it is", services[0].GetName())
	}
	if workload == nil && typ != "ExternalName" {
		return nil, nil, nil, fmt.Errorf("service/%s: name the Deployment or StatefulSet behind it too", services[0].GetName())
	}
	if workload != nil && typ == "ExternalName" {
		return nil, nil, nil, fmt.Errorf("service/%s is an alias, and has no workload behind it; import it on its own", services[0].GetName())
	}
	return workload, services, others, nil
}

// scalerOf is the autoscaler that sets a workload's number of Pods, if one is there.
func scalerOf(workload *unstructured.Unstructured, others []*unstructured.Unstructured) *unstructured.Unstructured {
	for _, o := range others {
		if workload == nil || o.GetKind() != "HorizontalPodAutoscaler" {
			continue
		}
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", "kind")
		name, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", "name")
		if kind == workload.GetKind() && name == workload.GetName() {
			return o
		}
	}
	return nil
}

// appOf says in a Spec what the objects say. Where that is more than a valid
// Spec may say, it says the least.
func appOf(workload, service *unstructured.Unstructured) (*App, error) {
	s := &corev1.Service{}
	if err := decodeInto(clean(service), s); err != nil {
		return nil, fmt.Errorf("service/%s: %w", service.GetName(), err)
	}
	a := &App{Metadata: Metadata{Name: service.GetName(), Namespace: service.GetNamespace()}}
	a.Spec.Service = serviceOf(s)
	if workload == nil {
		a.Complete()
		return a, a.Validate()
	}
	a.Metadata.Name = strings.ReplaceAll(workload.GetName(), ".", "-") // a container's and a folder's too
	d := &appsv1.Deployment{}                                          // a StatefulSet has the same fields, as far as they are read
	if err := decodeInto(clean(workload), d); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", strings.ToLower(workload.GetKind()), workload.GetName(), err)
	}
	if len(d.Spec.Template.Spec.Containers) == 0 {
		return nil, fmt.Errorf("%s/%s has no container", strings.ToLower(workload.GetKind()), workload.GetName())
	}
	full := *a
	full.Spec.Workload = workloadOf(d, s)
	full.Spec.Workload.Kind = WorkloadKind(workload.GetKind())
	full.Complete()
	if full.Validate() == nil {
		return &full, nil
	}
	c := d.Spec.Template.Spec.Containers[0]
	a.Spec.Workload = &Workload{Kind: WorkloadKind(workload.GetKind()), Image: c.Image, Replicas: d.Spec.Replicas}
	for i := range a.Spec.Service.Ports {
		a.Spec.Service.Ports[i].TargetPort = targetNumber(s.Spec.Ports[i], d.Spec.Template.Spec.Containers)
	}
	a.Complete()
	return a, a.Validate()
}

// holds builds the overlay and compares: what is built is what was there.
func (i *Imported) holds(objs []*unstructured.Unstructured, build Builder) error {
	fsys := filesys.MakeFsInMemory()
	for _, f := range i.files {
		if err := fsys.WriteFile("/tree/"+f.Path, f.Data); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	data, err := build(fsys, "/tree/"+i.Overlay)
	if err != nil {
		return err
	}
	built := map[string]*unstructured.Unstructured{}
	for _, doc := range strings.Split("\n"+string(data), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			return fmt.Errorf("what was built: %w", err)
		}
		built[u.GetKind()+"/"+u.GetName()] = u
	}
	var lost []string
	for _, o := range objs {
		if o == nil {
			continue
		}
		id := o.GetKind() + "/" + o.GetName()
		want, got := clean(o), map[string]any(nil)
		if u := built[id]; u != nil {
			got = cleaned(u, marked(o)) // by what it was made of
		}
		if !isLive(o) && o.GetNamespace() == "" {
			// Of a file: it comes into the namespace of the app, as noted (oneNamespace).
			deleteNamespace(want)
			deleteNamespace(got)
		}
		delete(built, id)
		for _, d := range differences(withoutType(want), withoutType(got), "") {
			lost = append(lost, id+" "+d)
		}
	}
	for id := range built {
		lost = append(lost, id+", which was not there")
	}
	if len(lost) > 0 {
		return fmt.Errorf("the tree would not give back %s; nothing was written", strings.Join(lost, ", "))
	}
	return nil
}

// withoutType leaves out what an overlay may say in other words.
func withoutType(o map[string]any) map[string]any {
	if spec, ok := nested(o, "spec"); ok && spec["type"] == "ClusterIP" {
		delete(spec, "type")
	}
	return o
}

// differences are the fields in which two values differ.
func differences(want, got any, at string) []string {
	w, ok1 := want.(map[string]any)
	g, ok2 := got.(map[string]any)
	if !ok1 || !ok2 {
		if alike(want, got) {
			return nil
		}
		return []string{strings.TrimPrefix(at, ".")}
	}
	var out []string
	for k, v := range w {
		out = append(out, differences(v, g[k], at+"."+k)...)
	}
	for k := range g {
		if _, ok := w[k]; !ok {
			out = append(out, strings.TrimPrefix(at+"."+k, "."))
		}
	}
	slices.Sort(out)
	return out
}

func decodeInto(o map[string]any, into any) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
