package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
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
for, wait until it runs, and verify it: every backend, along every path.

On a tree that exists (--dir, or ./NAME) its svcx.yaml is used, and the flags given
change it; with another --type the live Service is switched. A change that
interrupts clients is explained first and asked about; --yes agrees beforehand.

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
	overlay := filepath.Join(o.dir, filepath.FromSlash(app.OverlayDir(o.overlay())))
	objs, err := p.tree(ctx, g, o, app, overlay)
	if err != nil {
		return err
	}
	w := &walk{
		walkFlags: &o.walkFlags, p: p, c: c, g: g, dir: overlay,
		again: o.again(), wait: true, verify: true,
	}
	return w.run(ctx, objs)
}

// again is the command that does the same on the tree that is there now.
func (o *upOptions) again() string {
	again := "kubectl svcx up --dir " + quoted(o.dir)
	if name := o.overlay(); name != "" {
		again += " --overlay=" + name
	}
	return again
}

// tree writes the tree and builds the overlay; on a dry run both in memory.
func (p *program) tree(ctx context.Context, g *progress, o *upOptions, app *generate.App, overlay string) ([]*unstructured.Unstructured, error) {
	dry := o.dryRun != dryRunNone
	res, err := writeTree(ctx, &o.appFlags, app, dry)
	if err != nil {
		return nil, err
	}
	for _, l := range written(o.dir, res, dry) {
		g.step(l.label, "%s", l.text)
	}
	if ctx.Err() != nil {
		return nil, &interruptError{stage: "before anything was applied", err: ctx.Err(),
			stays: []string{"stays      " + o.dir, "go on      " + o.again() + p.sameNamespace() + p.sameCluster()}}
	}
	if dry {
		fsys, dir, err := memoryTree(app, o.overlay())
		if err != nil {
			return nil, err
		}
		return apply.Build(fsys, dir)
	}
	return apply.Build(p.fs, overlay)
}

// upDryRun says what up would do, without asking any server.
func (p *program) upDryRun(ctx context.Context, o *upOptions, app *generate.App) error {
	res, err := writeTree(ctx, &o.appFlags, app, true)
	if err != nil {
		return err
	}
	fsys, dir, err := memoryTree(app, o.overlay())
	if err != nil {
		return err
	}
	objs, err := apply.Build(fsys, dir)
	if err != nil {
		return err
	}
	if isMachine(o.format) {
		return p.printObjects(objs, o.format)
	}
	for _, l := range written(o.dir, res, true) {
		fmt.Fprintf(p.Out, "%-*s%s\n", labelWidth, l.label, l.text)
	}
	fmt.Fprintf(p.Out, "%-*s%s  %s (dry run)\n", labelWidth, "applied", app.OverlayDir(o.overlay()), objectNames(objs))
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
