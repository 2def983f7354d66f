package generate

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// WriteOptions say how Write deals with what is there.
type WriteOptions struct {
	// Overwrite lets generated content win over a person's edits where both
	// cannot be had, and one app's tree take the place of another's. Edits that
	// nothing stands against are kept (but for EditedError.Whole), and files that this
	// program did not write stay untouched, all the same.
	Overwrite bool
	// KeepEdits lets a person's edits win instead: where both have changed the same
	// lines, theirs stay, and are what the next generation begins with. svcx.yaml is
	// not among them: what it cannot be made to say is a conflict still.
	KeepEdits bool
	// DryRun decides everything and writes nothing.
	DryRun bool
	// Approve is asked before anything changes, with what is to; its error ends the
	// write. Nil approves of all.
	Approve func(dir string, r *WriteResult) error

	halt     func(change string) // a test's, called before each change on the disk
	standing func() []string     // workingDirs, when it was asked already
	also     func(p *writePlan)  // plans what is to change besides

	generated []File // of files that come with edits, as imported ones do: without them
}

// WriteResult lists the files of a tree by what became of them, slash-separated
// paths relative to the tree, each list sorted.
type WriteResult struct {
	Created   []string `json:"created,omitempty"`
	Updated   []string `json:"updated,omitempty"`
	Unchanged []string `json:"unchanged,omitempty"`
	// Kept were edited by a person, and their generated content has not changed
	// since; or they are generated no longer, and a kustomization.yaml names them still
	// or nothing is generated in their folder any more.
	Kept []string `json:"kept,omitempty"`
	// Unused were edited too, and are generated no longer in a folder that is: no
	// kustomization.yaml names them any more, so they have no effect.
	Unused []string `json:"unused,omitempty"`
	// KeptWith are generated no longer and were not edited, and stay for the sake of a
	// file of the same folder that was.
	KeptWith []string `json:"keptWith,omitempty"`
	Removed  []string `json:"removed,omitempty"`
	// Unlisted are generated, and a person has taken them out of their folder's
	// kustomization.yaml: they have no effect.
	Unlisted []string `json:"unlisted,omitempty"`
	// Edited are those of Updated that a person has edited.
	Edited []string `json:"edited,omitempty"`
	// Held are what of the new content did not reach them, as the edits won.
	Held []HeldField `json:"held,omitempty"`
	// Restored tells that the tree was half written, by a run that was killed, and
	// was put back to what it was before the rest.
	Restored bool `json:"restored,omitempty"`
	// Content is what the created and updated files hold, by path; never nil.
	Content map[string][]byte `json:"-"`

	dir     string
	changes []step // what Diff shows
	gone    []Gone
}

// HeldField is a field of a file that stays as a person has edited it.
type HeldField struct {
	File  string `json:"file"`            // relative to the tree
	Field string `json:"field,omitempty"` // empty for all that changes in the file
}

// EditedError says that files which a person has edited would be generated
// differently now. Nothing was written.
type EditedError struct {
	Dir   string
	Files []string // relative to Dir
	// Whole are those of Files that can only be had from one side, all of it: what was
	// generated last is not known, or makes no sound file with the edits.
	Whole []string
	// Diff goes from what is there to what would be generated, in the unified
	// format, without control characters.
	Diff string
}

// Error names the files and the ways on.
func (e *EditedError) Error() string {
	whole := ""
	if len(e.Whole) > 0 {
		whole = fmt.Sprintf("Which lines of %s are edited cannot be told from %s, or they do not go together with the new ones: whichever side wins there, all of the other is lost. ",
			inDir(e.Dir, e.Whole), lastSpecFile)
	}
	return fmt.Sprintf("edited by hand, and generated differently now: %s; nothing was written. %s"+
		"Take the change over by hand, or let the generated content win", inDir(e.Dir, e.Files), whole)
}

// ForeignError says that files which this program did not write stand where it
// would write, or where it cannot tell that the directory is one of its trees.
// Nothing was written.
type ForeignError struct {
	Dir    string
	Files  []string // relative to Dir
	Reason string
	Next   string
}

// Error names the files, why they are in the way and what to do.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s: %s; nothing was written. %s", inDir(e.Dir, e.Files), e.Reason, e.Next)
}

// OtherAppError says that the directory holds the tree of another app. Nothing was written.
type OtherAppError struct {
	Dir  string
	Have string // the app in the directory
	Want string // the app to generate
}

// Error names both apps and the ways on.
func (e *OtherAppError) Error() string {
	return fmt.Sprintf("%s holds the app %q, not %q; nothing was written. Choose another --dir, or replace the tree with --overwrite", e.Dir, e.Have, e.Want)
}

func inDir(dir string, files []string) string {
	const most = 5
	shown := make([]string, 0, most+1)
	for i, f := range files {
		if i == most {
			shown = append(shown, fmt.Sprintf("and %d more", len(files)-most))
			break
		}
		shown = append(shown, printable(filepath.Join(dir, filepath.FromSlash(f))))
	}
	return strings.Join(shown, ", ")
}

// Write brings the tree at dir in line with an App, which is completed and
// validated first, as a copy.
//
// Each generated file carries a stamp (see stamp) that tells whether a person
// has edited it. An unedited file is updated, or removed when it is generated no
// longer, unless an edited file of the same overlay may name it. An edited one stays
// as it is (Kept) as long as its generated content is what it was; when that changes,
// only the lines that must change do, and where a person has changed the same lines
// Write fails with an *EditedError.
//
// svcx.yaml is a person's to edit, so whoever changes an existing tree begins with
// what LoadApp returns. When it says the same as the App its text stays; when not,
// only the lines that must change do, and where that cannot be, an edited one is
// an *EditedError too.
//
// A directory that does not exist is made. One that has files but no svcx.yaml,
// and a file at a path of the tree without a stamp, are a *ForeignError; other
// files in the tree are left alone.
//
// All files change or none. The new tree is made beside the old one and the two
// are exchanged in one step of the file system, so that a full disk, missing
// permission, the end of ctx or a kill at any moment leaves the one or the other.
// Where that cannot be (no such step on Windows and some file systems, a process
// that stands in the tree, something mounted in it) everything is first written to
// temporary files beside their targets; then the files are renamed. A kill amid
// the renames leaves a record by which the next Write puts the old tree back, and
// which Interrupted tells of.
func Write(ctx context.Context, dir string, a *App, o WriteOptions) (*WriteResult, error) {
	files, err := Files(a)
	if err != nil {
		return nil, err
	}
	return writeFiles(ctx, dir, a.Metadata.Name, files, o, planWrite)
}

// planner is planWrite, or what takes more care.
type planner func(dir, app string, files []File, o WriteOptions) (*writePlan, error)

// writeFiles brings the tree at dir in line with the files of an app.
func writeFiles(ctx context.Context, dir, app string, files []File, o WriteOptions, plan planner) (*WriteResult, error) {
	p, err := plan(dir, app, files, o)
	if err != nil {
		return nil, err
	}
	r := p.result()
	if o.Approve != nil {
		if err := o.Approve(dir, r); err != nil {
			return nil, err
		}
	}
	if !o.DryRun {
		if err := p.commit(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}
