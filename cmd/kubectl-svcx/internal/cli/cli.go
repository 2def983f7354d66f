// Package cli is the command line of kubectl-svcx: one file a verb, each turning
// flags into calls of the libraries and their results into a report.
package cli

import (
	"context"
	"flag"
	"io"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/tree"
)

// program is what every verb is given: streams, environment, and a way to a cluster.
type program struct {
	genericiooptions.IOStreams
	getenv func(string) string
	now    func() time.Time
	fs     filesys.FileSystem
	screen screen
	out    *checked // what IOStreams.Out is

	// config holds the flags that say which cluster is meant.
	config    *genericclioptions.ConfigFlags
	verbosity int

	// connect opens the cluster that the flags name. Tests put their own in its place.
	connect func() (cluster, error)
}

// Main runs the program with args (the program's name left out) and returns its
// exit code. It ends early, and in order, when ctx does.
func Main(ctx context.Context, args []string, streams genericiooptions.IOStreams, getenv func(string) string) int {
	p := newProgram(streams, getenv)
	return p.run(ctx, args)
}

func newProgram(streams genericiooptions.IOStreams, getenv func(string) string) *program {
	p := &program{
		IOStreams: streams,
		getenv:    getenv,
		now:       time.Now,
		fs:        tree.OnDisk(),
		screen:    newScreen(streams, getenv),
		config:    genericclioptions.NewConfigFlags(true),
	}
	p.connect = p.connectFromFlags
	p.out = &checked{Writer: p.Out}
	p.Out = p.out
	return p
}

// checked is a stream that remembers whether what was written to it arrived: a
// result that is lost is no success.
type checked struct {
	io.Writer
	err error
}

func (c *checked) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

// run executes the verb that args name and turns what came of it into an exit code.
func (p *program) run(ctx context.Context, args []string) int {
	root := newRootCmd(p)
	root.SetArgs(args)
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.ErrOut)
	cmd, err := root.ExecuteContextC(ctx)
	return p.finish(ctx, cmd, err)
}

// quietLogs keeps the client libraries' own logs out of the way, unless --v asks for
// that of the API server's. That of Redis' repeats what servers send as it is.
func (p *program) quietLogs() {
	logging.Disable()
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	_ = fs.Set("logtostderr", "false")
	_ = fs.Set("alsologtostderr", "false")
	_ = fs.Set("stderrthreshold", "FATAL")
	if p.verbosity <= 0 {
		klog.SetOutput(io.Discard)
		return
	}
	_ = fs.Set("v", strconv.Itoa(p.verbosity))
	klog.SetOutput(p.ErrOut)
}
