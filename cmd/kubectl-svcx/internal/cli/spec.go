package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// specFlags write what has no flag of its own: any field of svcx.yaml, variables
// and environments.
type specFlags struct {
	sets     []string
	env      []string
	overlays []string

	environments []overlayFlag // set by parse
}

func (f *specFlags) add(cmd *cobra.Command) {
	flagGroup(cmd, "What else", func(fs *pflag.FlagSet) {
		fs.StringArrayVar(&f.overlays, "overlay", nil, "An environment's overlay, as `NAME=TYPE`,namespace=NS,replicas=N,tag=TAG (or image=, external-name=), each part as needed; NAME- removes it; may be repeated")
		fs.StringArrayVar(&f.env, "env", nil, "An environment variable of the container, as `KEY=VALUE`; may be repeated")
		fs.StringArrayVar(&f.sets, "set", nil, "Any field of svcx.yaml, as `FIELD=VALUE` (service.externalTrafficPolicy=Local); an empty value removes it, or an item of a list; may be repeated")
	})
}

// overlayFlag is one --overlay taken apart.
type overlayFlag struct {
	generate.Environment
	tag    string
	remove bool
}

func (f *specFlags) parse() error {
	f.environments = nil
	for _, s := range f.overlays {
		o, err := parseOverlay(s)
		if err != nil {
			return err
		}
		f.environments = append(f.environments, o)
	}
	for _, s := range f.env {
		if key, _, ok := strings.Cut(s, "="); !ok || key == "" {
			return withHints(fmt.Errorf("--env: %q is not KEY=VALUE", s), "such as --env=LOG_LEVEL=info")
		}
	}
	return nil
}

// overlayKeys are what an --overlay may say behind its name and type.
var overlayKeys = []string{"namespace", "replicas", "image", "tag", "external-name", "type"}

// parseOverlay reads NAME[=TYPE][,KEY=VALUE...].
func parseOverlay(s string) (overlayFlag, error) {
	parts := strings.Split(s, ",")
	var o overlayFlag
	var typ string
	o.Name, typ, _ = strings.Cut(parts[0], "=")
	if name, ok := strings.CutSuffix(parts[0], "-"); ok && len(parts) == 1 {
		o.Name, o.remove = name, true
	}
	if o.Name == "" {
		return o, withHints(errors.New("--overlay: the name is missing"), "such as --overlay=prod=LoadBalancer,namespace=shop,replicas=3")
	}
	given := map[string]bool{}
	values := map[string]string{}
	if typ != "" {
		values["type"], given["type"] = typ, true
	}
	for _, part := range parts[1:] {
		key, value, ok := strings.Cut(part, "=")
		key = strings.TrimSpace(key)
		name, err := oneOf("overlay", key, overlayKeys...)
		if err != nil {
			return o, err
		}
		if !ok || value == "" {
			return o, withHints(fmt.Errorf("--overlay: %s has no value in %q", name, s), "such as "+name+"=…; to remove one, edit svcx.yaml")
		}
		if given[name] {
			return o, fmt.Errorf("--overlay: %s is there twice in %q", name, s)
		}
		given[name], values[name] = true, value
	}
	if given["image"] && given["tag"] {
		return o, withHints(errors.New("--overlay: image and tag are both given"), "the image's own tag will do: image=redis:8")
	}
	if given["type"] {
		t, err := generate.ParseServiceType(values["type"])
		if err != nil {
			msg, list, _ := strings.Cut(err.Error(), "; one of ")
			return o, withHints(errors.New("--overlay: "+msg), "one of "+list)
		}
		o.Type = t
	}
	if given["replicas"] {
		n, err := strconv.ParseInt(values["replicas"], 10, 32)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return o, withHints(fmt.Errorf("--overlay: replicas %q is out of range", values["replicas"]), "such as replicas=3")
		case err != nil:
			return o, withHints(fmt.Errorf("--overlay: replicas %q is not a number", values["replicas"]), "such as replicas=3")
		}
		replicas := int32(n)
		o.Replicas = &replicas
	}
	o.Namespace, o.Image, o.ExternalName, o.tag = values["namespace"], values["image"], values["external-name"], values["tag"]
	return o, nil
}

// change puts the flags into app; those of single fields come last, as they say
// most exactly what is meant.
func (f *specFlags) change(app *generate.App) error {
	for _, s := range f.env {
		if app.Spec.Workload == nil {
			return withHints(errors.New("--env: an alias runs nothing that could read it"), "give an --image")
		}
		key, value, _ := strings.Cut(s, "=")
		setEnv(app.Spec.Workload, key, value)
	}
	for _, o := range f.environments {
		if err := o.change(app); err != nil {
			return err
		}
	}
	if len(f.sets) > 0 {
		app.Complete() // so that what has a default, such as a known image's port, can be told by its place
	}
	for _, s := range f.sets {
		if err := app.Set(s); err != nil {
			return fmt.Errorf("--set: %w", err)
		}
	}
	return nil
}

// setFields names the fields that --set speaks of.
func (f *specFlags) setFields() []string {
	var names []string
	for _, s := range f.sets {
		name, _, _ := strings.Cut(s, "=")
		names = append(names, name)
	}
	return names
}

func setEnv(w *generate.Workload, key, value string) {
	for i := range w.Env {
		if w.Env[i].Name == key {
			w.Env[i] = corev1.EnvVar{Name: key, Value: value}
			return
		}
	}
	w.Env = append(w.Env, corev1.EnvVar{Name: key, Value: value})
}

// change adds the environment, or changes what was given of the one that is there.
func (o overlayFlag) change(app *generate.App) error {
	if o.remove {
		for i, e := range app.Spec.Overlays {
			if e.Name == o.Name {
				app.Spec.Overlays = append(app.Spec.Overlays[:i:i], app.Spec.Overlays[i+1:]...)
				return nil
			}
		}
		next := "there is none"
		if names := app.EnvironmentNames(); len(names) > 0 {
			next = "there is " + strings.Join(names, ", ")
		}
		return withHints(fmt.Errorf("--overlay: there is no overlay %q to remove", o.Name), next)
	}
	e := app.Environment(o.Name)
	if e == nil {
		app.Spec.Overlays = append(app.Spec.Overlays, generate.Environment{Name: o.Name})
		e = app.Environment(o.Name)
	}
	if o.Type != "" && e.Type == generate.ExternalName && o.Type != generate.ExternalName {
		e.ExternalName = "" // what only the old type had a use for
	}
	if o.Type == generate.ExternalName && e.Type != generate.ExternalName {
		e.Replicas, e.Image = nil, "" // nothing runs there; as retype has it
	}
	if o.Type != "" {
		e.Type = o.Type
	}
	if o.Namespace != "" {
		e.Namespace = o.Namespace
	}
	if o.Replicas != nil {
		e.Replicas = o.Replicas
	}
	if o.Image != "" {
		e.Image = o.Image
	}
	if o.tag != "" {
		if app.Spec.Workload == nil {
			return errors.New("--overlay: tag: the app has no image")
		}
		image := app.Spec.Workload.Image
		if e.Image != "" {
			image = e.Image
		}
		e.Image = generate.WithTag(image, o.tag)
	}
	if o.ExternalName != "" {
		e.ExternalName = o.ExternalName
	}
	return nil
}

// overlay is the one overlay that the flags name, if they name one: the one to
// look at, or to apply. Empty stands for that of the type.
func (f *specFlags) overlay() string {
	if len(f.environments) == 1 && !f.environments[0].remove {
		return f.environments[0].Name
	}
	return ""
}

// oneOverlay refuses to choose between the overlay of a type and that of a name, where
// the verb is about one of them.
func (f *appFlags) oneOverlay() error {
	name := f.overlay()
	if name == "" || f.typ == "" {
		return nil
	}
	return withHints(fmt.Errorf("--type and --overlay: which is meant, the overlay of the type %s or %q?", f.typ, name),
		fmt.Sprintf("the type of %q is said with it: --overlay=%s", name, shell.Word(name+"="+string(f.typ))),
		"leave one of them out; kubectl svcx generate takes both, and writes both overlays")
}

// warn prints what is valid and yet likely to disappoint.
func warn(w io.Writer, app *generate.App) {
	for _, p := range app.Warnings() {
		fmt.Fprintf(w, "warning: %s\n", p)
	}
}
