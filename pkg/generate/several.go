package generate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// Specs finds the trees that a path stands for: that of a svcx.yaml, or of the
// folder that has one; with recursive, those of every folder below too. It returns
// their folders, in the order of their names. Hidden folders and links are not
// followed, and what a tree is made of is not searched.
func Specs(ctx context.Context, path string, recursive bool) ([]string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	case !info.IsDir() && filepath.Base(path) != SpecFile:
		return nil, fmt.Errorf("%s is neither a folder nor a %s", path, SpecFile)
	case !info.IsDir():
		return []string{filepath.Dir(path)}, nil
	case !recursive:
		if _, err := os.Stat(filepath.Join(path, SpecFile)); err != nil {
			return nil, fmt.Errorf("%s has no %s; search the folders below it too", path, SpecFile)
		}
		return []string{path}, nil
	}
	var dirs []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("%s: %w", p, cause(err))
		case d.IsDir() && p != path && (strings.HasPrefix(d.Name(), ".") || partOfTree(p)):
			return filepath.SkipDir
		case !d.IsDir() && d.Name() == SpecFile:
			dirs = append(dirs, filepath.Dir(p))
		}
		return nil
	})
	if err == nil && len(dirs) == 0 {
		err = fmt.Errorf("no folder below %s has a %s", path, SpecFile)
	}
	return dirs, err
}

// partOfTree reports whether a folder is the base or the overlays of a tree.
func partOfTree(dir string) bool {
	if name := filepath.Base(dir); name != "base" && name != "overlays" {
		return false
	}
	_, err := os.Lstat(filepath.Join(filepath.Dir(dir), SpecFile))
	return err == nil
}

// Regenerate generates the trees at dirs anew, each from its svcx.yaml, several at
// once. All are planned before any is written: where one has an error, such as an
// invalid Spec or an edit in the way, none is touched and the errors of all are
// returned joined. The results are in the order of dirs.
func Regenerate(ctx context.Context, dirs []string, o WriteOptions) ([]*WriteResult, error) {
	o.standing = sync.OnceValue(workingDirs) // once for all
	plans := make([]*writePlan, len(dirs))
	results := make([]*WriteResult, len(dirs))
	err := atOnce(ctx, len(dirs), func(i int) error {
		a, err := LoadApp(dirs[i])
		if err != nil {
			return err
		}
		files, err := Files(a)
		if err != nil {
			return fmt.Errorf("%s: %w", dirs[i], err)
		}
		p, err := planWrite(dirs[i], a.Metadata.Name, files, o)
		if err != nil {
			return err
		}
		results[i] = p.result()
		if len(results[i].Created)+len(results[i].Updated)+len(results[i].Removed) > 0 {
			plans[i] = p // what changes nothing need not be kept
		}
		return nil
	})
	if err != nil || o.DryRun {
		return results, err
	}
	return results, atOnce(ctx, len(dirs), func(i int) error {
		if plans[i] == nil {
			return nil
		}
		err := plans[i].commit(ctx)
		plans[i] = nil
		return err
	})
}

// atOnce does n things, as many at a time as there are processors, and joins
// their errors in order.
func atOnce(ctx context.Context, n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = do(i)
			}
		})
	}
	for i := range n {
		if errs[i] = ctx.Err(); errs[i] != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}
