package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Recording is one run's evidence: what was seen of the cluster, what was asked
// of the network, and what came back. Judging it again needs neither.
type Recording struct {
	Snapshot `json:",inline"`
	Probes   []probe.Probe   `json:"probes,omitempty"`
	Outcomes []probe.Outcome `json:"outcomes,omitempty"`
}

// recordings is the file of a run that had several targets.
type recordings struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Items      []*Recording `json:"items"`
}

const (
	snapshotKind     = "Snapshot"
	snapshotListKind = "SnapshotList"
	// MaxRecording bounds the file that ReadRecordings reads, in bytes.
	MaxRecording = 256 << 20
)

// WriteRecordings writes recordings as JSON, without secrets: values of
// environment variables, annotations, HTTP headers, and what follows a word such
// as password in arguments and messages are left out. The recordings change.
func WriteRecordings(w io.Writer, all []*Recording) error {
	for _, r := range all {
		r.redact()
	}
	var v any = recordings{APIVersion: SnapshotAPIVersion, Kind: snapshotListKind, Items: all}
	if len(all) == 1 {
		v = all[0]
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	return nil
}

// ReadRecordings reads what WriteRecordings wrote, as JSON or YAML. Fields that
// are not known are errors: a judgement that ignores evidence is none.
func ReadRecordings(in io.Reader) ([]*Recording, error) {
	data, err := io.ReadAll(io.LimitReader(in, MaxRecording+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > MaxRecording:
		return nil, fmt.Errorf("it is larger than %d MB", MaxRecording>>20)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, errors.New("it is empty")
	}
	var head metav1.TypeMeta
	if err := yamlOrJSON(data, &head, false); err != nil {
		return nil, fmt.Errorf("it is neither JSON nor YAML: %w", err)
	}
	if head.Kind != snapshotKind && head.Kind != snapshotListKind {
		return nil, fmt.Errorf("it holds kind %q; a snapshot is what \"kubectl svcx verify -o snapshot\" writes", probe.Printable(head.Kind, 64))
	}
	if head.APIVersion != SnapshotAPIVersion {
		return nil, fmt.Errorf("it is of version %q, and this program reads %s", probe.Printable(head.APIVersion, 64), SnapshotAPIVersion)
	}
	var all []*Recording
	if head.Kind == snapshotListKind {
		var list recordings
		if err := yamlOrJSON(data, &list, true); err != nil {
			return nil, err
		}
		all = list.Items
	} else {
		r := &Recording{}
		if err := yamlOrJSON(data, r, true); err != nil {
			return nil, err
		}
		all = []*Recording{r}
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no snapshot")
	}
	for _, r := range all {
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// yamlOrJSON decodes data; JSON goes the short way, since snapshots may be large.
func yamlOrJSON(data []byte, into any, strict bool) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		d := json.NewDecoder(bytes.NewReader(data))
		if strict {
			d.DisallowUnknownFields()
		}
		if err := d.Decode(into); err != nil {
			return err
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return errors.New("something follows the snapshot")
		}
		return nil
	}
	if strict {
		return yaml.UnmarshalStrict(data, into)
	}
	return yaml.Unmarshal(data, into)
}

// check refuses a recording whose parts do not belong together.
func (r *Recording) check() error {
	if r == nil {
		return errors.New("a snapshot in the list is null")
	}
	if len(r.Targets) == 0 {
		return errors.New("targets is missing: the Services that it is about")
	}
	view := newView(&r.Snapshot)
	for _, key := range r.Targets {
		if view.service(key) == nil && r.absent(key) == nil {
			return fmt.Errorf("targets names Service %s, which is not among its services", probe.Printable(key, 128))
		}
	}
	ids := map[string]bool{}
	for _, p := range r.Probes {
		ids[p.ID] = true
	}
	for _, o := range r.Outcomes {
		if !ids[o.Probe] {
			return fmt.Errorf("outcomes answers probe %q, which was not asked", probe.Printable(o.Probe, 128))
		}
	}
	return nil
}

// Judge judges the recording.
func (r *Recording) Judge() *Verdict { return Judge(&r.Snapshot, r.Probes, r.Outcomes) }

// maxRecorded bounds one text of a recording, in bytes.
const maxRecorded = 2048

// redact drops what no rule reads and what should not be handed on.
func (r *Recording) redact() {
	for i := range r.Services {
		serviceMeta(&r.Services[i])
	}
	for i := range r.EndpointSlices {
		redactMeta(&r.EndpointSlices[i].ObjectMeta)
	}
	for i := range r.Pods {
		p := &r.Pods[i]
		redactMeta(&p.ObjectMeta)
		podSpec(&p.Spec)
		p.Status.Message = hide(p.Status.Message)
		for j := range p.Status.Conditions {
			p.Status.Conditions[j].Message = hide(p.Status.Conditions[j].Message)
		}
		for _, list := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses, p.Status.EphemeralContainerStatuses} {
			for j := range list {
				containerState(&list[j].State)
				containerState(&list[j].LastTerminationState)
			}
		}
	}
	for i := range r.Nodes {
		redactMeta(&r.Nodes[i].ObjectMeta)
	}
	templates := func(m *metav1.ObjectMeta, t *corev1.PodTemplateSpec) {
		redactMeta(m)
		redactMeta(&t.ObjectMeta)
		podSpec(&t.Spec)
	}
	for i := range r.Deployments {
		templates(&r.Deployments[i].ObjectMeta, &r.Deployments[i].Spec.Template)
		conditions(r.Deployments[i].Status.Conditions)
	}
	for i := range r.ReplicaSets {
		templates(&r.ReplicaSets[i].ObjectMeta, &r.ReplicaSets[i].Spec.Template)
	}
	for i := range r.StatefulSets {
		templates(&r.StatefulSets[i].ObjectMeta, &r.StatefulSets[i].Spec.Template)
	}
	for i := range r.DaemonSets {
		templates(&r.DaemonSets[i].ObjectMeta, &r.DaemonSets[i].Spec.Template)
	}
	for i := range r.NetworkPolicies {
		redactMeta(&r.NetworkPolicies[i].ObjectMeta)
	}
	for i := range r.Events {
		redactMeta(&r.Events[i].ObjectMeta)
		r.Events[i].Message = hide(r.Events[i].Message)
	}
	if e := r.Expected; e != nil {
		for i := range e.Services {
			redactMeta(&e.Services[i].ObjectMeta)
		}
		for i := range e.Deployments {
			templates(&e.Deployments[i].ObjectMeta, &e.Deployments[i].Spec.Template)
		}
		for i := range e.StatefulSets {
			templates(&e.StatefulSets[i].ObjectMeta, &e.StatefulSets[i].Spec.Template)
		}
		for i := range e.DaemonSets {
			templates(&e.DaemonSets[i].ObjectMeta, &e.DaemonSets[i].Spec.Template)
		}
	}
	for i := range r.Probes {
		r.Probes[i].Command = arguments(r.Probes[i].Command)
		r.Probes[i].Send = "" // what is sent may be a login
	}
	for i := range r.Outcomes {
		r.Outcomes[i].Detail = hide(r.Outcomes[i].Detail)
		if text, ok := r.Outcomes[i].Facts["output"]; ok {
			r.Outcomes[i].Facts["output"] = hide(text)
		}
	}
}

// keptAnnotations are those that a rule reads. The others hold whole applied
// configurations, and secrets for injectors.
var keptAnnotations = []string{"deployment.kubernetes.io/revision", corev1.EndpointsOverCapacity}

func redactMeta(m *metav1.ObjectMeta) {
	kept := map[string]string{}
	for _, k := range keptAnnotations {
		if v, ok := m.Annotations[k]; ok {
			kept[k] = hide(v)
		}
	}
	m.Annotations, m.ManagedFields = nil, nil
	if len(kept) > 0 {
		m.Annotations = kept
	}
}

// serviceMeta keeps of what was applied last the spec, which a rule compares.
func serviceMeta(svc *corev1.Service) {
	applied := lastApplied(svc)
	redactMeta(&svc.ObjectMeta)
	if applied == nil {
		return
	}
	bare := &corev1.Service{TypeMeta: applied.TypeMeta, Spec: applied.Spec}
	bare.Name, bare.Namespace = applied.Name, applied.Namespace
	if data, err := json.Marshal(bare); err == nil {
		svc.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: string(data)}
	}
}

func conditions(list []appsv1.DeploymentCondition) {
	for i := range list {
		list[i].Message = hide(list[i].Message)
	}
}

func podSpec(s *corev1.PodSpec) {
	for _, list := range [][]corev1.Container{s.InitContainers, s.Containers} {
		for i := range list {
			c := &list[i]
			for j := range c.Env {
				c.Env[j].Value = ""
			}
			c.Command, c.Args = arguments(c.Command), arguments(c.Args)
			for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
				if p != nil {
					handler(p.Exec, p.HTTPGet)
				}
			}
			if c.Lifecycle != nil {
				for _, h := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
					if h != nil {
						handler(h.Exec, h.HTTPGet)
					}
				}
			}
		}
	}
	for i := range s.EphemeralContainers {
		c := &s.EphemeralContainers[i]
		for j := range c.Env {
			c.Env[j].Value = ""
		}
		c.Command, c.Args = arguments(c.Command), arguments(c.Args)
	}
}

func handler(exec *corev1.ExecAction, get *corev1.HTTPGetAction) {
	if exec != nil {
		exec.Command = arguments(exec.Command)
	}
	if get != nil {
		for i := range get.HTTPHeaders {
			get.HTTPHeaders[i].Value = ""
		}
	}
}

func containerState(s *corev1.ContainerState) {
	if s.Waiting != nil {
		s.Waiting.Message = hide(s.Waiting.Message)
	}
	if s.Terminated != nil {
		s.Terminated.Message = hide(s.Terminated.Message)
	}
}

const hidden = "***"

var (
	secretWord  = regexp.MustCompile(`(?i)(pass(word|wd|phrase)?|secret|token|credential|api[-_]?key|private[-_]?key|auth)$`)
	secretValue = regexp.MustCompile(`(?i)((?:pass(?:word|wd|phrase)?|secret|token|credential|api[-_]?key|private[-_]?key|auth|bearer)["']?(?:\s*[=:]\s*|\s+))("[^"]*"|'[^']*'|[^\s"',;]+)`)
	userInfo    = regexp.MustCompile(`://[^/\s@]+@`)
)

// hide takes out of a text what looks like a secret, and bounds it.
func hide(s string) string {
	s = userInfo.ReplaceAllString(s, "://"+hidden+"@")
	s = secretValue.ReplaceAllString(s, "${1}"+hidden)
	if len(s) > maxRecorded {
		s = strings.ToValidUTF8(s[:maxRecorded], "")
	}
	return s
}

// arguments hides the value that follows a word such as --requirepass, and the
// one that redis-cli's -a gives.
func arguments(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if i > 0 && (secretWord.MatchString(args[i-1]) || args[i-1] == "-a") {
			a = hidden
		}
		out = append(out, hide(a))
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// endpointsOnly leaves of a verdict what the API alone can tell.
func endpointsOnly(v *Verdict) *Verdict {
	v.State = StateProven
	for i := range v.Services {
		s := &v.Services[i]
		state := StateProven
		var checks []CheckResult
		for _, c := range s.Checks {
			if c.Name == checkSelector || c.Name == checkEndpoints {
				checks = append(checks, c)
				if c.State != StateNotProbed {
					state = worse(state, c.State)
				}
			}
		}
		s.Checks, s.State, s.NotProven, s.Reach = checks, state, "", nil
		if state == StateNotProven {
			s.NotProven = "the endpoints could not be read."
		}
		if state == StateProven {
			s.Findings = nil
		}
		v.State = worse(v.State, state)
	}
	if len(v.Services) == 0 {
		v.State = StateNotProven
	}
	return v
}
