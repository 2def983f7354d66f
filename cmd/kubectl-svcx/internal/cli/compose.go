package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
)

// maxCompose bounds a Compose file, and each env file that it names.
const maxCompose = 1 << 20

// importCompose makes a tree of a service of a Compose file; of each of them, in
// a folder of its own, when none is named.
func (p *program) importCompose(ctx context.Context, o *importOptions, args []string) error {
	data, err := p.readCompose(o.compose)
	if err != nil {
		return err
	}
	c, err := generate.ParseCompose(data, o.compose, p.getenv, func(name string) ([]byte, error) {
		if !filepath.IsLocal(name) {
			return nil, errors.New("leads out of the Compose file's folder")
		}
		return p.readCompose(filepath.Join(filepath.Dir(o.compose), name))
	})
	if err != nil {
		return err
	}
	names := args
	if len(names) == 0 {
		names = c.Services()
	}
	var dirs []string
	var apps []*generate.App
	var notes [][]string
	for _, name := range names {
		app, left, err := c.App(name)
		if err != nil {
			var invalid *generate.InvalidError
			if errors.As(err, &invalid) && invalid.File == "" {
				err = fmt.Errorf("%s: the service %s:\n%w", o.compose, printable(name), err)
			}
			return withHints(err, "nothing was written")
		}
		app.Metadata.Namespace = *p.config.Namespace
		dir := o.dir
		switch {
		case dir == "":
			dir = app.Metadata.Name
		case len(names) > 1:
			dir = filepath.Join(dir, app.Metadata.Name)
		}
		if i := slices.Index(dirs, dir); i >= 0 {
			return withHints(fmt.Errorf("%s: the services %s and %s would both be called %s; nothing was written", o.compose, printable(names[i]), printable(name), app.Metadata.Name),
				"rename one, or import each on its own, with another --dir")
		}
		dirs, apps, notes = append(dirs, dir), append(apps, app), append(notes, left)
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
		return nil, fmt.Errorf("%s: is larger than %d KiB, which no Compose file is", name, maxCompose>>10)
	}
	return data, nil
}
