package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

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

// WriteRecordings writes recordings as JSON, without secrets (see redact). The
// recordings change.
func WriteRecordings(w io.Writer, all []*Recording) error {
	for _, r := range all {
		redact(r)
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
	if c := r.Client; c != nil && (c.Container != "" || c.Ephemeral) && len(strings.Split(c.Container, "/")) != 3 {
		return fmt.Errorf("client.container is %q, and no NAMESPACE/POD/CONTAINER", probe.Printable(c.Container, 128))
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

// endpointsOnly judges what the API alone can tell. An endpoint that is
// terminating is not ready, whatever a service proxy falls back to.
func endpointsOnly(s *Snapshot) *Verdict {
	view := newView(s)
	view.readyOnly = true
	v := judge(view, nil, nil)
	v.State = StateProven
	for i := range v.Services {
		narrow(&v.Services[i])
		v.State = worse(v.State, v.Services[i].State)
	}
	if len(v.Services) == 0 {
		v.State = StateNotProven
	}
	return v
}

// narrow leaves of the verdict on one Service what needs no probe.
func narrow(s *ServiceVerdict) {
	state, checks, proofs := StateProven, []CheckResult{}, 0
	for _, c := range s.Checks {
		if c.Name != checkService && c.Name != checkSelector && c.Name != checkEndpoints {
			continue
		}
		checks = append(checks, c)
		switch c.State {
		case StateProven:
			proofs++
		case StateFailed, StateNotProven:
			state = worse(state, c.State)
		}
	}
	s.NotProven, s.Reach = "", nil
	switch {
	case len(checks) == 0 && slices.ContainsFunc(s.Findings, func(f Finding) bool { return f.Severity == SeverityFailure }):
		state = StateFailed // an alias of which the API alone says that it cannot work
	case proofs == 0 && state == StateProven:
		state = StateNotProven
		s.NotProven = "it has no endpoints; whether it answers is seen without --for=endpoints."
	case state == StateNotProven:
		s.NotProven = "the endpoints could not be read."
	case state == StateProven:
		s.Findings = nil
	}
	s.Checks, s.State = checks, state
}
