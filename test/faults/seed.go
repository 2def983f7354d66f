package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	sigsyaml "sigs.k8s.io/yaml"
)

// runLabel marks the namespaces of the bench; its value is the run.
const runLabel = "faults.kubectl-svcx.dev/run"

// place is where a case runs.
func (b *bench) place(ns string) place { return place{ns, b.canaryIP} }

// seed brings a case into its steady state in namespaces of its own, and
// returns what has to be undone besides removing them.
func (b *bench) seed(ctx context.Context, c *Case, ns string) (undo []func(context.Context) error, err error) {
	for i, suffix := range append([]string{""}, c.Namespaces...) {
		about := metav1.ObjectMeta{Name: ns, Labels: map[string]string{runLabel: b.run}}
		if i > 0 {
			about.Name += "-" + suffix
		} else {
			for k, v := range c.NamespaceLabels {
				about.Labels[k] = v
			}
		}
		if _, err := b.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: about}, metav1.CreateOptions{}); err != nil {
			return nil, err
		}
		// Pods are refused until the namespace has its ServiceAccount.
		if err := b.settled(ctx, about.Name, Condition{Of: "serviceaccounts", Name: "default"}); err != nil {
			return nil, err
		}
	}
	objs, err := c.build(b.place(ns))
	if err != nil {
		return nil, err
	}
	if c.Tree != "only" {
		for _, obj := range objs {
			if err := b.apply(ctx, ns, obj); err != nil {
				return nil, err
			}
		}
	}
	if err := b.steady(ctx, c, ns, c.Until); err != nil {
		return nil, err
	}
	if err := b.listening(ctx, ns); err != nil {
		return nil, err
	}
	for i := range c.Steps {
		step := &c.Steps[i]
		if step.Stop != "" || step.Cut != "" {
			if err := b.proxiesCurrent(ctx, ns+"-a"); err != nil {
				return undo, err
			}
		}
		more, err := b.step(ctx, ns, step)
		undo = append(undo, more...)
		if err != nil {
			return undo, fmt.Errorf("step %d: %w", i+1, err)
		}
		for _, cond := range step.Until {
			if err := b.settled(ctx, ns, cond); err != nil {
				return undo, fmt.Errorf("step %d: %w", i+1, err)
			}
		}
	}
	// Either barrier would wait for ever for what does not run.
	stopped := func(component string) bool {
		return slices.ContainsFunc(c.Steps, func(s Step) bool { return strings.HasSuffix(s.Stop, component) })
	}
	if stopped("kube-controller-manager") {
		return undo, nil
	}
	if err := b.slicesCurrent(ctx, ns); err != nil {
		return undo, err
	}
	if stopped("kube-proxy") || slices.ContainsFunc(c.Steps, func(s Step) bool { return s.Cut != "" }) {
		return undo, nil
	}
	return undo, b.proxiesCurrent(ctx, ns)
}

// steady waits for the conditions of a case, or for all workloads.
func (b *bench) steady(ctx context.Context, c *Case, ns string, until []Condition) error {
	if c.Tree == "only" {
		return nil
	}
	if len(until) == 0 {
		if err := b.running(ctx, c, ns); err != nil {
			return err
		}
	}
	for _, cond := range until {
		if err := b.settled(ctx, ns, cond); err != nil {
			return err
		}
	}
	return nil
}

// running waits until all workloads of a case are ready.
func (b *bench) running(ctx context.Context, c *Case, ns string) error {
	for i := -1; i < len(c.Namespaces); i++ {
		name := ns
		if i >= 0 {
			name += "-" + c.Namespaces[i]
		}
		if err := b.workloadsReady(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// fieldManager is what the objects are applied as: the case's user has applied
// them with the tool, and applies the mended ones with it too.
const fieldManager = "kubectl-svcx"

// apply creates an object, server-side, in its own namespace or the given one.
func (b *bench) apply(ctx context.Context, ns string, obj *unstructured.Unstructured) error {
	mapping, err := b.mapper.RESTMapping(obj.GroupVersionKind().GroupKind(), obj.GroupVersionKind().Version)
	if err != nil {
		return err
	}
	if obj.GetNamespace() != "" {
		ns = obj.GetNamespace()
	}
	status, hasStatus := obj.Object["status"]
	delete(obj.Object, "status")
	data, err := obj.MarshalJSON()
	if err != nil {
		return err
	}
	client := b.dynamic.Resource(mapping.Resource).Namespace(ns)
	force := true
	options := metav1.PatchOptions{FieldManager: fieldManager, Force: &force}
	if mapping.Scope.Name() == "root" {
		_, err = b.dynamic.Resource(mapping.Resource).Patch(ctx, obj.GetName(), types.ApplyPatchType, data, options)
		return err
	}
	if _, err = client.Patch(ctx, obj.GetName(), types.ApplyPatchType, data, options); err != nil || !hasStatus {
		return err
	}
	return b.patch(ctx, ns, mapping.Resource.Resource+"/"+obj.GetName(), map[string]any{"status": status}, "status")
}

// step makes one change.
func (b *bench) step(ctx context.Context, ns string, s *Step) (undo []func(context.Context) error, err error) {
	switch {
	case s.Patch != nil:
		return nil, b.patch(ctx, ns, s.Object, s.Patch)
	case s.Status != nil:
		return nil, b.patch(ctx, ns, s.Object, map[string]any{"status": s.Status}, "status")
	case s.Apply != nil:
		data, err := json.Marshal(s.Apply)
		if err != nil {
			return nil, err
		}
		obj := &unstructured.Unstructured{}
		if err := obj.UnmarshalJSON([]byte(b.place(ns).fill(string(data)))); err != nil {
			return nil, err
		}
		return nil, b.apply(ctx, ns, obj)
	case s.Delete != "":
		args := []string{"delete", s.Delete, "-n", ns, "--wait=false"}
		if s.Labels != "" {
			args = append(args, "-l", s.Labels)
		}
		return nil, b.kubectl(ctx, args...)
	case len(s.Exec) > 0:
		pods, err := b.kube.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: s.Labels})
		if err != nil {
			return nil, err
		}
		for i := range pods.Items {
			if i > 0 && s.One {
				break
			}
			args := []string{"exec", pods.Items[i].Name, "-n", ns}
			if s.Container != "" {
				args = append(args, "-c", s.Container)
			}
			if err := b.kubectl(ctx, append(append(args, "--"), s.Exec...)...); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case len(s.Kubectl) > 0:
		for _, args := range s.Undo {
			undo = append(undo, func(ctx context.Context) error { return b.kubectl(ctx, b.place(ns).filled(args)...) })
		}
		return undo, b.kubectl(ctx, b.place(ns).filled(s.Kubectl)...)
	case s.Stop != "":
		start := func(ctx context.Context) error { return b.labctl(ctx, "start", s.Stop) }
		return []func(context.Context) error{start}, b.labctl(ctx, "stop", s.Stop)
	case s.Cut != "":
		heal := func(ctx context.Context) error { return b.labctl(ctx, "heal", s.Cut) }
		return []func(context.Context) error{heal}, b.labctl(ctx, "cut", s.Cut, "--pods")
	case len(s.Until) > 0:
		return nil, nil
	}
	return nil, errors.New("nothing to do")
}

// patch merges into resource/name, strategically where the kind can.
func (b *bench) patch(ctx context.Context, ns, object string, patch map[string]any, sub ...string) error {
	data, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	resource, name, _ := strings.Cut(object, "/")
	gvr, ok := resources[resource]
	if !ok {
		return fmt.Errorf("patch: unknown resource %q", resource)
	}
	_, err = b.dynamic.Resource(gvr).Namespace(ns).Patch(ctx, name, types.StrategicMergePatchType,
		[]byte(b.place(ns).fill(string(data))), metav1.PatchOptions{FieldManager: "svcx-faults"}, sub...)
	return err
}

// writeTree writes a case's objects as a kustomization and returns its folder.
func (b *bench) writeTree(c *Case, ns string) (string, error) {
	objs, err := c.build(b.place(ns))
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "svcx-faults-")
	if err != nil {
		return "", err
	}
	files := []string{}
	for i, obj := range objs {
		delete(obj.Object, "status")
		if m, err := b.mapper.RESTMapping(obj.GroupVersionKind().GroupKind(), obj.GroupVersionKind().Version); err == nil &&
			m.Scope.Name() == meta.RESTScopeNameNamespace && obj.GetNamespace() == "" {
			obj.SetNamespace(ns)
		}
		data, err := sigsyaml.Marshal(obj.Object)
		if err != nil {
			return "", err
		}
		files = append(files, fmt.Sprintf("%d-%s.yaml", i, strings.ToLower(obj.GetKind())))
		if err := os.WriteFile(filepath.Join(dir, files[i]), data, 0o644); err != nil {
			return "", err
		}
	}
	k, err := sigsyaml.Marshal(map[string]any{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": files})
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), k, 0o644)
}

// remove takes a case's namespaces away, without waiting for them to go. Pods
// that would linger are ended first.
func (b *bench) remove(ctx context.Context, c *Case, ns string) error {
	var problems []error
	zero := int64(0)
	now := metav1.DeleteOptions{GracePeriodSeconds: &zero}
	for i := -1; i < len(c.Namespaces); i++ {
		name := ns
		if i >= 0 {
			name += "-" + c.Namespaces[i]
		}
		if err := b.kube.CoreV1().Namespaces().Delete(ctx, name, now); err != nil && !apierrors.IsNotFound(err) {
			problems = append(problems, err)
		}
		if err := b.kube.CoreV1().Pods(name).DeleteCollection(ctx, now, metav1.ListOptions{}); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// kubectl runs kubectl with the plugin on its PATH.
func (b *bench) kubectl(ctx context.Context, args ...string) error {
	out, _, err := b.command(ctx, "kubectl", args...)
	if err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, shorten(strings.TrimSpace(out), 300))
	}
	return nil
}

// labctl runs svcx-lab.
func (b *bench) labctl(ctx context.Context, args ...string) error {
	if b.lab == "" {
		return errors.New("the lab only can be broken on purpose: --lab")
	}
	out, _, err := b.command(ctx, "svcx-lab", append(args, "--name", b.lab)...)
	if err != nil {
		return fmt.Errorf("svcx-lab %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(out))
	}
	return nil
}

// command runs a program to its end; stdout alone, and its exit code, matter
// only to verify. What went to stderr follows stdout in the first result of a failure.
func (b *bench) command(ctx context.Context, name string, args ...string) (string, int, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+b.kubeconfig)
	cmd.WaitDelay = 5 * time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		stdout.Write(stderr.Bytes())
	}
	return stdout.String(), cmd.ProcessState.ExitCode(), err
}
