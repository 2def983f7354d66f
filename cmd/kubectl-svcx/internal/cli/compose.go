package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// maxCompose bounds a Compose file, the .env beside it, and each env file that it names.
const maxCompose = 1 << 20

// importCompose makes a tree of each service of a Compose file that is named, or of
// all when none is: of several, each in a folder of its own.
func (p *program) importCompose(ctx context.Context, o *importOptions, args []string) error {
	c, err := p.parseCompose(o.compose)
	if err != nil {
		return notCompose(o.compose, err)
	}
	names := args
	if len(names) == 0 {
		names = c.Services()
	}
	var dirs []string
	var apps []*generate.App
	var notes [][]string
	var refused []error
	var others []string
	for _, name := range names {
		app, left, err := c.App(name)
		if err != nil {
			var invalid *generate.InvalidError
			if errors.As(err, &invalid) && invalid.File == "" {
				err = fmt.Errorf("%s: the service %s:\n%w", o.compose, printable(name), err)
			}
			refused = append(refused, err)
			continue
		}
		others = append(others, name)
		app.Metadata.Namespace = *p.config.Namespace
		dir := o.dir
		switch {
		case dir == "":
			dir = app.Metadata.Name
		case len(names) > 1:
			dir = filepath.Join(dir, app.Metadata.Name)
		}
		if i := slices.Index(dirs, dir); i >= 0 {
			return withHints(fmt.Errorf("%s: the services %s and %s would both be called %s; nothing was written", o.compose, printable(others[i]), printable(name), app.Metadata.Name),
				"rename one, or import each on its own, with another --dir")
		}
		dirs, apps, notes = append(dirs, dir), append(apps, app), append(notes, left)
	}
	if len(refused) > 0 {
		return withHints(errors.Join(refused...), p.otherServices(o, others, dirs)...)
	}
	dryRun := o.dryRun != dryRunNone
	results, err := generate.WriteSeveral(ctx, dirs, apps, o.writeOptions(dryRun))
	if err != nil {
		return editedHints(err)
	}
	for i, res := range results {
		p.printImported(dirs[i], res, dryRun, notes[i])
	}
	return nil
}

// otherServices says how to go on without the services that cannot be imported.
func (p *program) otherServices(o *importOptions, names, dirs []string) []string {
	hints := []string{"nothing was written"}
	if len(names) == 0 {
		return hints
	}
	command := "kubectl svcx import --compose " + shell.Word(o.compose)
	for _, name := range names {
		command += " " + shell.Word(name)
	}
	switch {
	case o.dir == "":
	case len(names) == 1:
		command += " --dir=" + shell.Word(filepath.ToSlash(dirs[0]))
	default:
		command += " --dir=" + shell.Word(filepath.ToSlash(o.dir))
	}
	return append(hints, "import the others by name: "+command+p.sameNamespace())
}

// parseCompose reads a Compose file, with the variables of the environment and of the
// .env file beside it.
func (p *program) parseCompose(name string) (*generate.Compose, error) {
	data, err := p.readCompose(name)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(name)
	getenv := p.getenv
	env := filepath.Join(dir, ".env")
	switch info, err := os.Stat(env); {
	case err != nil || info.IsDir(): // as Compose has it
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a plain file", env) // a pipe would be waited on for ever
	default:
		values, err := p.readCompose(env)
		if err != nil {
			return nil, err
		}
		var notes []string
		if getenv, notes, err = generate.WithDotEnv(values, env, getenv); err != nil {
			return nil, err
		}
		p.notes(notes)
	}
	return generate.ParseCompose(data, name, getenv, func(name string) ([]byte, error) {
		if !filepath.IsLocal(name) {
			return nil, errors.New("leads out of the Compose file's folder")
		}
		return p.readCompose(filepath.Join(dir, name))
	})
}

func (p *program) readCompose(name string) ([]byte, error) {
	f, err := p.openCompose(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCompose+1))
	if err != nil {
		if msg, ok := pathError(err); ok {
			err = errors.New(strings.TrimPrefix(msg, name+": "))
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxCompose {
		return nil, fmt.Errorf("%s: is larger than %d KiB, which no Compose file is, nor an env file", name, maxCompose>>10)
	}
	return data, nil
}
