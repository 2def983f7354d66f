package generate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Specs finds the trees that a path stands for: that of a svcx.yaml, or of the
// folder that has one; with recursive, those of every folder below too. It returns
// their folders, in the order of their names. Hidden folders and links below it are
// not followed, and what a tree is made of is not searched.
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
			return nil, fmt.Errorf("%s has no %s; -R searches the folders below it too", path, SpecFile)
		}
		return []string{path}, nil
	}
	// What is named may be a link to a folder, which the walk would not follow.
	root, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	var dirs []string
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("%s: %w", p, cause(err))
		case d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || partOfTree(p)):
			return filepath.SkipDir
		case !d.IsDir() && d.Name() == SpecFile:
			dir, err := filepath.Rel(root, filepath.Dir(p))
			if err != nil {
				return err
			}
			dirs = append(dirs, filepath.Join(path, dir)) // under the name that it was asked by
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
// once. All are planned before any is written, and all that change are locked: where
// one has an error, such as an invalid Spec or an edit in the way, or is being written
// by another run, none is touched and the errors of all are returned joined. What
// fails later, such as for want of room, leaves its own tree as it was and stops the
// rest; where others were written by then, the error is a *PartlyWrittenError, which
// names them. The results are in the order of dirs.
func Regenerate(ctx context.Context, dirs []string, o WriteOptions) ([]*WriteResult, error) {
	return writeSeveral(ctx, dirs, o, planWrite, func(i int) (*App, error) { return LoadApp(dirs[i]) })
}

// WriteSeveral writes the trees of imported Apps, each at its place in dirs, as
// Regenerate does, and with WriteImported's care for what is there.
func WriteSeveral(ctx context.Context, dirs []string, apps []*App, o WriteOptions) ([]*WriteResult, error) {
	return writeSeveral(ctx, dirs, o, planImported, func(i int) (*App, error) { return apps[i], nil })
}

func writeSeveral(ctx context.Context, dirs []string, o WriteOptions, plan planner, app func(i int) (*App, error)) ([]*WriteResult, error) {
	o.standing = sync.OnceValue(workingDirs) // once for all
	plans := make([]*writePlan, len(dirs))
	results := make([]*WriteResult, len(dirs))
	err := atOnce(ctx, len(dirs), runtime.GOMAXPROCS(0), func(i int) error {
		a, err := app(i)
		if err != nil {
			return err
		}
		files, err := Files(a)
		if err != nil {
			return fmt.Errorf("%s: %w", dirs[i], err)
		}
		p, err := plan(dirs[i], a.Metadata.Name, files, o)
		if err != nil {
			return err
		}
		results[i] = p.result()
		if o.Approve != nil {
			if err := o.Approve(dirs[i], results[i]); err != nil {
				return err
			}
		}
		if len(p.ordered()) > 0 {
			plans[i] = p // what changes nothing need not be kept
		}
		return nil
	})
	if err != nil || o.DryRun {
		return results, err
	}
	plans = slices.DeleteFunc(plans, func(p *writePlan) bool { return p == nil })
	return results, commitAll(ctx, plans)
}

// PartlyWrittenError says that of several trees some were written before another
// could not be.
type PartlyWrittenError struct {
	Written, Left []string // the folders of the trees
	Err           error
}

// Error tells what failed, which trees are written and which are as they were.
func (e *PartlyWrittenError) Error() string {
	return fmt.Sprintf("%v\nwritten before that: %s; not written: %s. Run it again once this is mended: what is written stays",
		e.Err, someOf(e.Written), someOf(e.Left))
}

func (e *PartlyWrittenError) Unwrap() error { return e.Err }

// someOf lists names, with the number of those that are too many to read.
func someOf(names []string) string {
	const most = 20
	if len(names) > most {
		names = append(slices.Clone(names[:most]), fmt.Sprintf("and %d more", len(names)-most))
	}
	return printable(strings.Join(names, ", "))
}

// commitAll carries out the plans for several trees. The locks of all are taken
// before the first tree is written, so that another run at work on one of them keeps
// all as they are.
func commitAll(ctx context.Context, plans []*writePlan) error {
	if err := enoughFiles(plans); err != nil {
		return err
	}
	workers := runtime.GOMAXPROCS(0)
	for _, p := range plans {
		release, err := p.lock()
		if err != nil {
			return err
		}
		defer release()
		if p.root == nil {
			workers = 1 // new trees may have a folder around them that is new too
		}
	}
	dirs, done := make([]string, len(plans)), make([]bool, len(plans))
	for i, p := range plans {
		dirs[i], p.oneOf = p.dir, len(plans) > 1
	}
	if withinEachOther(dirs) {
		workers = 1 // one is part of what is exchanged with the other
	}
	var failed atomic.Bool
	err := atOnce(ctx, len(plans), workers, func(i int) error {
		if failed.Load() {
			return nil
		}
		err := plans[i].carryOut(ctx)
		plans[i] = nil // its files need not be kept
		done[i] = err == nil
		if err != nil {
			failed.Store(true)
		}
		return err
	})
	if err == nil {
		return nil
	}
	partly := &PartlyWrittenError{Err: err}
	for i, dir := range dirs {
		if done[i] {
			partly.Written = append(partly.Written, dir)
		} else {
			partly.Left = append(partly.Left, dir)
		}
	}
	if len(partly.Written) == 0 {
		return err
	}
	return partly
}

// withinEachOther tells whether one folder is below another.
func withinEachOther(dirs []string) bool {
	all := map[string]bool{}
	for _, dir := range dirs {
		all[filepath.Clean(dir)] = true
	}
	for dir := range all {
		for up := filepath.Dir(dir); up != dir; dir, up = up, filepath.Dir(up) {
			if all[up] {
				return true
			}
		}
	}
	return false
}

// enoughFiles refuses what there are not enough open files for. A lock is one, so
// 1,000 trees that change are 1,000. Taking the locks in batches would do with fewer,
// and leave half of the trees written where a lock of a later batch is taken. When a
// program begins, Go raises its soft limit to the hard one, which is 500,000 and more
// on most systems; who has lowered that hears of it before anything is written.
func enoughFiles(plans []*writePlan) error {
	most := 0 // that a tree has open while it is written
	for _, p := range plans {
		most = max(most, len(p.steps)+16)
	}
	const others = 32
	need := len(plans) + runtime.GOMAXPROCS(0)*most + others
	if limit := maxOpenFiles(); len(plans) > 1 && limit > 0 && uint64(need) > limit {
		return fmt.Errorf("to write %d trees, all of them or none, takes %d open files, and the limit is %d; nothing was changed. "+
			"Raise it (ulimit -n %d), or generate fewer trees at a time", len(plans), need, limit, need)
	}
	return nil
}

// atOnce does n things, so many at a time, and joins their errors in order.
func atOnce(ctx context.Context, n, workers int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, workers) {
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
