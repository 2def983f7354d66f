package cli

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

type upOptions struct {
	appFlags
	walkFlags
}

func newUpCmd(p *program) *cobra.Command {
	o := &upOptions{}
	cmd := &cobra.Command{
		Use:     "up NAME --image=IMAGE [--port=PORT] [--type=TYPE] [flags] [-- COMMAND [ARG...]]",
		Short:   "Generate, apply, wait, and prove that the Service can be reached",
		GroupID: groupWhole,
		Long: `Generate manifests for an app and its Service, apply the overlay of the type asked
for, or that of the one --overlay, wait until it runs, and verify it: every backend,
along every path.

On a tree that exists (--dir, or ./NAME) its svcx.yaml is used, and the flags given
change it; with another --type the live Service is switched. A change that
interrupts clients is explained first and asked about; --yes agrees beforehand.
Nothing is written before that. What does not come up is verified all the same.

Exit codes: 0 verified, 1 an error, 2 verification failed, 3 not proven, 130 interrupted.`,
		Example: `  # Redis with two replicas behind a node port
  kubectl svcx up redis --image=redis:alpine --replicas=2 --port=6379 --type=NodePort

  # Switch the live Service to a load balancer
  kubectl svcx up --dir redis --type=LoadBalancer

  # An environment of the tree instead of the type asked for
  kubectl svcx up --dir redis --overlay=prod

  # Say what would be done
  kubectl svcx up redis --image=redis:alpine --dry-run=server

  # An alias for a host outside the cluster
  kubectl svcx up db --external-name=db.example.com --port=5432 -n prod --create-namespace`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd, p, args); err != nil {
				return err
			}
			if err := o.appFlags.validate(cmd); err != nil {
				return err
			}
			if err := o.oneOverlay(); err != nil {
				return err
			}
			o.verdict = o.dryRun == dryRunNone
			if err := o.walkFlags.validate(cmd); err != nil {
				return err
			}
			return p.runUp(cmd.Context(), cmd, o)
		},
	}
	o.appFlags.add(cmd)
	o.walkFlags.add(cmd, p)
	return cmd
}

func (p *program) runUp(ctx context.Context, cmd *cobra.Command, o *upOptions) error {
	app, err := o.app(cmd)
	if err != nil {
		return err
	}
	warn(p.ErrOut, app)
	if o.dryRun == dryRunClient {
		return p.upDryRun(ctx, o, app)
	}
	// Before anything is written: is there a cluster to ask at all?
	c, err := p.connect()
	if err != nil {
		return err
	}
	g := p.newProgress()
	defer g.clear()
	objs, res, err := p.planned(ctx, o, app)
	if err != nil {
		return err
	}
	if o.dryRun == dryRunServer {
		g.steps(p.written(o.dir, res, true))
	}
	w := &walk{
		walkFlags: &o.walkFlags, p: p, c: c, g: g, dir: o.overlayDir(app), source: "-k " + shell.Word(o.overlayDir(app)),
		again: o.again(), wait: true, verify: true, app: app,
		write: func(ctx context.Context) error { return p.writeNow(ctx, g, o, app) },
	}
	return w.run(ctx, objs)
}

// overlayDir is the folder of the overlay that is to be applied.
func (o *upOptions) overlayDir(app *generate.App) string {
	return filepath.Join(o.dir, filepath.FromSlash(app.OverlayDir(o.overlay())))
}

// again is the command that does the same on the tree that is there now.
func (o *upOptions) again() string {
	again := "kubectl svcx up --dir " + shell.Word(o.dir)
	if name := o.overlay(); name != "" {
		again += " --overlay=" + shell.Word(name)
	}
	return again
}

// planned builds the overlay of the tree as it is going to be. Nothing is
// written: what becomes of a tree is decided, and agreed to, before it changes.
func (p *program) planned(ctx context.Context, o *upOptions, app *generate.App) ([]*unstructured.Unstructured, *generate.WriteResult, error) {
	res, err := p.writeTree(ctx, &o.appFlags, app, true)
	if err != nil {
		return nil, nil, err
	}
	objs, err := apply.Build(withChanges(p.fs, o.dir, res), o.overlayDir(app))
	return objs, res, err
}

// writeNow writes the tree.
func (p *program) writeNow(ctx context.Context, g *progress, o *upOptions, app *generate.App) error {
	res, err := p.writeTree(ctx, &o.appFlags, app, false)
	if err == nil {
		g.steps(p.written(o.dir, res, false))
	}
	if ctx.Err() != nil {
		stays := []string{"go on      " + o.again() + o.repeated + p.sameNamespace() + p.sameCluster()}
		if err == nil {
			stays = append([]string{"stays      " + o.dir}, stays...)
		}
		return &interruptError{stage: "before anything was applied", err: ctx.Err(), stays: stays}
	}
	return err
}

// steps says what became of a tree.
func (g *progress) steps(lines []labelled) {
	for _, l := range lines {
		g.step(l.label, "%s", l.text)
	}
}

// upDryRun says what up would do, without asking any server.
func (p *program) upDryRun(ctx context.Context, o *upOptions, app *generate.App) error {
	objs, res, err := p.planned(ctx, o, app)
	if err != nil {
		return err
	}
	if isMachine(o.format) {
		return p.printObjects(objs, o.format)
	}
	for _, l := range p.written(o.dir, res, true) {
		p.line(l.label, "%s", l.text)
	}
	p.line("applied", "%s  %s (dry run)", app.OverlayDir(o.overlay()), objectNames(objs))
	return nil
}

// objectNames is Kind/name of each object.
func objectNames(objs []*unstructured.Unstructured) string {
	names := make([]string, 0, len(objs))
	for _, o := range objs {
		names = append(names, o.GetKind()+"/"+o.GetName())
	}
	return strings.Join(names, ", ")
}
