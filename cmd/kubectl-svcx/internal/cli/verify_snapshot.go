package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// outputSnapshot is the value of -o that writes the evidence in place of the verdict.
const outputSnapshot = "snapshot"

// judgeAgain judges what -o snapshot wrote. No cluster is asked, and no
// kubeconfig is read.
func (p *program) judgeAgain(o *verifyOptions) error {
	all, err := p.readSnapshot(o.snapshot)
	if err != nil {
		return err
	}
	verdict := &verify.Verdict{APIVersion: verify.VerdictAPIVersion, Kind: "Verdict"}
	for _, r := range all {
		v, err := judged(r)
		if err != nil {
			return fmt.Errorf("--snapshot %s: %w", o.snapshot, err)
		}
		merge(verdict, v)
	}
	return p.present(o, verdict, all, p.newProgress())
}

// judged judges a recording. It comes from a file that anybody may have written:
// what does not fit together in it, and was not seen when it was read, is an error.
func judged(r *verify.Recording) (v *verify.Verdict, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = withHints(fmt.Errorf("it cannot be judged: something in it does not fit together (%v)", what),
				"if \"kubectl svcx verify -o snapshot\" wrote it as it is, this is a bug of kubectl-svcx")
		}
	}()
	return r.Judge(), nil
}

func (p *program) readSnapshot(path string) ([]*verify.Recording, error) {
	in, name := p.In, "stdin"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			if text, ok := pathError(err); ok {
				err = errors.New(text)
			}
			return nil, withHints(fmt.Errorf("--snapshot: %w", err), "write one with: kubectl svcx verify -o snapshot >FILE")
		}
		defer func() { _ = f.Close() }()
		in, name = io.Reader(f), path
	}
	all, err := verify.ReadRecordings(in)
	if err != nil {
		return nil, fmt.Errorf("--snapshot %s: %w", name, err)
	}
	return all, nil
}

// offlineOnly refuses what needs a cluster beside --snapshot.
func (o *verifyOptions) offlineOnly(cmd *cobra.Command) error {
	switch {
	case len(o.names)+len(o.workloads) > 0 || o.selector != "" || o.allNamespaces:
		return errors.New("--snapshot: the file says which Services it is about; leave out names, -l and -A")
	case len(o.files) > 0:
		return errors.New("-f: a snapshot holds what was expected; leave it out")
	case o.inCluster:
		return errors.New("--in-cluster: nothing is asked of a cluster with --snapshot")
	case o.watch || o.wait:
		return errors.New("--snapshot: a file does not change; leave out --watch and --wait")
	case o.until != untilVerified:
		return errors.New("--for: leave it out beside --snapshot")
	}
	if flag := o.probing.asking(cmd); flag != "" {
		return fmt.Errorf("--%s: the questions of a snapshot have been asked already", flag)
	}
	switch {
	case o.yes:
		return errors.New("--yes: nothing is added to a cluster with --snapshot")
	case o.output == outputSnapshot:
		return errors.New("-o snapshot: the snapshot is there already")
	}
	return nil
}
