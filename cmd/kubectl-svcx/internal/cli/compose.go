package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
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
	type tree struct {
		app   *generate.App
		dir   string
		notes []string
	}
	var trees []tree
	for _, name := range names {
		app, notes, err := c.App(name)
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
		trees = append(trees, tree{app, dir, notes})
	}
	// What stands in the way of one is found before any is written.
	for _, dryRun := range []bool{true, false} {
		if !dryRun && o.dryRun != dryRunNone {
			return nil
		}
		for _, t := range trees {
			res, err := generate.Write(ctx, t.dir, t.app, generate.WriteOptions{Overwrite: o.overwrite, DryRun: dryRun})
			if err != nil {
				return err
			}
			if !dryRun || o.dryRun != dryRunNone {
				p.printImported(t.dir, res, dryRun, t.notes)
			}
		}
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
