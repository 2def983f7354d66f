package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
)

// fieldFlags says which flag sets which field of svcx.yaml, whatever its place in a list.
var fieldFlags = []struct{ field, flag string }{
	{"metadata.namespace", "namespace"},
	{"spec.workload.image", "image"},
	{"spec.workload.replicas", "replicas"},
	{"spec.workload.command", "--"},
	{"spec.workload", "image"},
	{"spec.service.name", "service-name"},
	{"spec.service.type", "type"},
	{"spec.service.externalName", "external-name"},
	{"spec.service.ports", "port"},
	{"spec.service.ports.port", "port"},
	{"spec.service.ports.targetPort", "port"},
	{"spec.service.ports.protocol", "port"},
	{"spec.workload.env.name", "env"},
	{"spec.workload.env.value", "env"},
}

// named tells of problems in the words of whoever made them: as flags where a
// flag was given, else as fields of svcx.yaml.
func (f *appFlags) named(cmd *cobra.Command, fresh bool, err error) error {
	var invalid *generate.InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	var lines []string
	for _, p := range invalid.Problems {
		line := f.where(cmd, fresh, p.Field) + ": "
		if p.Value != "" {
			line += fmt.Sprintf("%q ", p.Value)
		}
		line += p.Reason
		if p.Next != "" {
			line += "; " + p.Next
		}
		lines = append(lines, line)
	}
	return errors.New(strings.Join(lines, "\n"))
}

var listPlace = regexp.MustCompile(`\[\d+\]`)

// within reports whether a field is another, or in it.
func within(field, other string) bool {
	rest, ok := strings.CutPrefix(field, other)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// where is what a user calls a field.
func (f *appFlags) where(cmd *cobra.Command, fresh bool, field string) string {
	if field == "metadata.name" && f.name != "" {
		return "NAME"
	}
	for _, s := range slices.Backward(f.sets) {
		name, _, _ := strings.Cut(s, "=")
		if set := generate.SetField(name); within(field, set) || within(set, field) {
			return "--set " + name
		}
	}
	for _, m := range fieldFlags {
		if m.field != listPlace.ReplaceAllString(field, "") {
			continue
		}
		flag := m.flag
		if flag == "--" {
			return "the command behind --"
		}
		if strings.HasSuffix(field, ".targetPort") && changed(cmd, "target-port") {
			flag = "target-port"
		}
		if fresh || changed(cmd, flag) {
			return "--" + flag
		}
		break
	}
	if fresh {
		return field
	}
	return filepath.Join(f.dir, generate.SpecFile) + ": " + field
}
