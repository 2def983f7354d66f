package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// appFlags are the flags from which an app is generated. On an existing tree
// only those that were given change something.
type appFlags struct {
	image        string
	replicas     int32
	ports        []string
	targetPort   int32
	serviceType  string
	serviceName  string
	externalName string
	specFlags
	dir string
	winFlags

	// Set by complete.
	name      string // the argument; empty when only --dir was given
	namespace string // -n, when given
	command   []string
	parsed    []generate.ServicePort
	typ       generate.ServiceType // empty when --type was not given
}

// add declares the flags.
func (f *appFlags) add(cmd *cobra.Command) {
	flagGroup(cmd, "What to run", func(fs *pflag.FlagSet) {
		fs.StringVar(&f.image, "image", "", "The container `IMAGE`; none for an alias (--external-name)")
		fs.Int32Var(&f.replicas, "replicas", 1, "How many Pods (`N`)")
		fs.StringArrayVar(&f.ports, "port", nil, "The Service's `PORT`, as PORT[:TARGETPORT][/PROTOCOL]; may be repeated. Known images have a default")
		fs.Int32Var(&f.targetPort, "target-port", 0, "The container's `PORT`, when it is not the Service's")
	})
	flagGroup(cmd, "How to expose it", func(fs *pflag.FlagSet) {
		fs.StringVar(&f.serviceType, "type", "", "The Service's `TYPE`: ClusterIP (the default), NodePort, LoadBalancer, ExternalName or Headless, in any case")
		fs.StringVar(&f.serviceName, "service-name", "", "The Service's `NAME`; the app's when not given")
		fs.StringVar(&f.externalName, "external-name", "", "The `HOST` that an ExternalName Service stands for")
	})
	f.specFlags.add(cmd)
	flagGroup(cmd, "Where to write it", func(fs *pflag.FlagSet) {
		fs.StringVar(&f.dir, "dir", "", "The folder (`DIR`) of the tree; ./NAME when not given")
		f.winFlags.add(fs)
	})
	_ = cmd.RegisterFlagCompletionFunc("type", fixed(typeNames()...))
	_ = cmd.MarkFlagDirname("dir")
}

func typeNames() []string {
	names := make([]string, 0, 5)
	for _, t := range generate.ServiceTypes() {
		names = append(names, string(t))
	}
	return names
}

// complete sorts the arguments: at most one NAME, and a command behind "--".
func (f *appFlags) complete(cmd *cobra.Command, p *program, args []string) error {
	rest := args
	if at := cmd.ArgsLenAtDash(); at >= 0 {
		rest, f.command = args[:at], args[at:]
	}
	switch len(rest) {
	case 0:
	case 1:
		f.name = rest[0]
	default:
		if err := strayMode(cmd, rest[1]); err != nil {
			return err
		}
		return withHints(fmt.Errorf("unexpected argument %q: one NAME is enough", rest[1]),
			"the container's own command goes behind --, as in: "+cmd.CommandPath()+" "+rest[0]+" --image=IMAGE -- COMMAND ARG")
	}
	f.namespace = *p.config.Namespace
	switch {
	case f.dir != "":
	case f.name != "":
		f.dir = f.name
		return f.notWithinItself()
	case isTree("."):
		f.dir = "."
	}
	return nil
}

// notWithinItself refuses to make a tree in the tree of the same name, which is what
// a command does that is repeated after "cd redis".
func (f *appFlags) notWithinItself() error {
	if !isTree(".") || isTree(f.dir) {
		return nil
	}
	if app, err := generate.LoadApp("."); err != nil || app.Metadata.Name != f.name {
		return nil //nolint:nilerr // another tree, whatever is wrong with it, is none of this run's business
	}
	return withHints(fmt.Errorf("this folder is the tree of %q already", f.name),
		"to use it, leave the name out, or give --dir=.; for another tree within it give --dir="+shell.Word("./"+f.name))
}

// isTree tells whether a folder is the root of a tree.
func isTree(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, generate.SpecFile))
	return err == nil && info.Mode().IsRegular()
}

// validate checks offline what can be checked without the tree.
func (f *appFlags) validate(cmd *cobra.Command) error {
	if f.name == "" && f.dir == "" {
		return withHints(errors.New("NAME is missing"), "usage: "+cmd.CommandPath()+" NAME --image=IMAGE",
			"or for a tree that exists: "+cmd.CommandPath()+" --dir=DIR")
	}
	if f.serviceType != "" || changed(cmd, "type") {
		t, err := generate.ParseServiceType(f.serviceType)
		if err != nil {
			return typeError(err)
		}
		f.typ = t
	}
	if err := f.winFlags.check(); err != nil {
		return err
	}
	f.parsed = nil
	for _, s := range f.ports {
		port, err := parsePort(s)
		if err != nil {
			return err
		}
		f.parsed = append(f.parsed, port)
	}
	if err := f.parse(); err != nil {
		return err
	}
	if changed(cmd, "target-port") {
		switch {
		case len(f.parsed) > 1:
			return withHints(errors.New("--target-port: says nothing about which of several ports is meant"),
				"write it with each port: --port=80:8080")
		case len(f.parsed) == 1:
			f.parsed[0].TargetPort = intstr.FromInt32(f.targetPort)
		}
		if f.targetPort < 1 || f.targetPort > 65535 {
			return portRange("--target-port", strconv.Itoa(int(f.targetPort)))
		}
	}
	return nil
}

// typeError puts the list of types on a line of its own.
func typeError(err error) error {
	msg, list, found := strings.Cut(err.Error(), "; one of ")
	if !found {
		return fmt.Errorf("--type: %w", err)
	}
	return withHints(errors.New("--type: "+msg), "one of "+list)
}

// app reads the tree that is there, if any, and changes what flags say.
func (f *appFlags) app(cmd *cobra.Command) (*generate.App, error) {
	app, err := generate.LoadApp(f.dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh && f.name == "":
		return nil, withHints(fmt.Errorf("NAME is missing, and %s does not exist", filepath.Join(f.dir, generate.SpecFile)),
			"usage: "+cmd.CommandPath()+" NAME --image=IMAGE --dir="+f.dir)
	case fresh:
		app = &generate.App{Metadata: generate.Metadata{Name: f.name}}
		if err := f.enough(cmd); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case f.name != "" && f.name != app.Metadata.Name:
		return nil, withHints(fmt.Errorf("%s is the tree of %q, not of %q", f.dir, app.Metadata.Name, f.name),
			"choose another folder with --dir, or leave the name out")
	}
	f.change(cmd, app)
	if err := f.specFlags.change(app); err != nil {
		return nil, err
	}
	if fresh {
		app.Harden(f.setFields()...) // which --set takes back, or says in another way
	}
	app.Complete()
	if err := app.Validate(); err != nil {
		return nil, f.named(cmd, fresh, err)
	}
	return app, nil
}

// enough says which flag a new tree needs before all others.
func (f *appFlags) enough(cmd *cobra.Command) error {
	if f.image != "" || f.externalName != "" || changed(cmd, "image") {
		return nil
	}
	if f.typ == generate.ExternalName {
		return withHints(errors.New("--external-name is missing: an ExternalName Service stands for a host"),
			"such as --external-name=db.example.com")
	}
	hints := []string{"such as --image=redis:alpine; or --external-name=HOST for an alias without Pods"}
	if near := nearTree(f.dir); near != "" {
		hints = append(hints, fmt.Sprintf("there is no tree in %s; did you mean %s?", filepath.ToSlash(f.dir), filepath.ToSlash(near)))
	}
	return withHints(errors.New("--image is missing: what is to run behind the Service?"), hints...)
}

// nearTree is the tree whose folder has almost the name of one that is not there.
func nearTree(dir string) string {
	parent := filepath.Dir(dir)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && isTree(filepath.Join(parent, e.Name())) {
			names = append(names, e.Name())
		}
	}
	if name := nearest.Name(filepath.Base(dir), names); name != "" {
		return filepath.Join(parent, name)
	}
	return ""
}

// change puts the flags that were given into app.
func (f *appFlags) change(cmd *cobra.Command, app *generate.App) {
	workload := func() *generate.Workload {
		if app.Spec.Workload == nil {
			app.Spec.Workload = &generate.Workload{}
		}
		return app.Spec.Workload
	}
	if changed(cmd, "image") {
		workload().Image = f.image
	}
	if changed(cmd, "replicas") {
		n := f.replicas
		workload().Replicas = &n
	}
	if len(f.command) > 0 {
		workload().Command = f.command
	}
	if len(f.parsed) > 0 {
		app.Spec.Service.Ports = withUnsaid(f.parsed, app.Spec.Service.Ports)
	} else if changed(cmd, "target-port") && len(app.Spec.Service.Ports) == 1 {
		app.Spec.Service.Ports[0].TargetPort = intstr.FromInt32(f.targetPort)
	}
	if f.typ != "" {
		app.Spec.Service.Type = f.typ
	}
	if changed(cmd, "service-name") {
		app.Spec.Service.Name = f.serviceName
	}
	if changed(cmd, "external-name") {
		app.Spec.Service.ExternalName = f.externalName
	}
	if f.namespace != "" {
		app.Metadata.Namespace = f.namespace
	}
}

// withUnsaid gives each port that flags name what they cannot say, or leave unsaid, of
// the one of its number and protocol that was there: its name, node port and appProtocol.
func withUnsaid(given, there []generate.ServicePort) []generate.ServicePort {
	out := slices.Clone(given)
	for i, p := range out {
		for _, old := range there {
			if !old.Same(p) {
				continue
			}
			out[i] = old
			if p.TargetPort != (intstr.IntOrString{}) {
				out[i].TargetPort = p.TargetPort
			}
		}
	}
	return out
}
