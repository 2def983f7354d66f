package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// probeFlags say how the network is asked: what, as whom, with which
// credentials, and how the prober gets into the cluster.
type probeFlags struct {
	checks      []string
	send        string
	expect      string
	tls         bool
	from        string
	ephemeral   bool
	authSecret  string
	authUser    string
	authKey     string
	authHere    bool
	probeImage  string
	probeVia    string
	probeBinary []string

	// Set by validate.
	asked   verify.Checks
	probers []verify.Prober
}

// The values of --probe-via.
const (
	viaImage  = "image"
	viaStream = "stream"
)

// flagsProbe is the heading of these flags.
const flagsProbe = "How to verify it"

// add declares the flags.
func (f *probeFlags) add(cmd *cobra.Command, p *program) {
	flagGroup(cmd, flagsProbe, func(fs *pflag.FlagSet) {
		fs.StringArrayVar(&f.checks, "check", nil, "The `CHECK` to make ("+strings.Join(verify.CheckNames(), ", ")+"COMMAND); of one port as PORT=CHECK, more after commas; told from the port when not given")
		fs.StringVar(&f.send, "send", "", "What udp and tcp checks send (`TEXT`, with \\n, \\x00 and the like)")
		fs.StringVar(&f.expect, "expect", "", "What the answer to a udp or tcp check must contain (`TEXT`, likewise)")
		fs.BoolVar(&f.tls, "tls", false, "Speak redis, postgres, mysql and grpc inside TLS")
		fs.StringVar(&f.from, "from", "", "Ask inside the cluster as `CLIENT` would be seen (pod/NAME, deploy/NAME, NAMESPACE/deploy/NAME), or from all nodes; implies --in-cluster")
		fs.BoolVar(&f.ephemeral, "ephemeral", false, "With --from: ask from an ephemeral container in the client's Pod, which stays in its spec")
		fs.StringVar(&f.authSecret, "auth-secret", "", "Log in to Redis with the password in `SECRET`[/KEY] (KEY is password when not given); only the probe Pod gets it")
		fs.StringVar(&f.authUser, "auth-user", "", "Log in as this `USER` rather than the server's default one")
		fs.StringVar(&f.authKey, "auth-user-key", "", "Log in as the user that the Secret holds under `KEY`")
		fs.BoolVar(&f.authHere, "auth-from-here", false, "Read the Secret on this machine too, for what is asked from here and through the tunnel")
		fs.StringVar(&f.probeImage, "probe-image", defaultProbeImage(p.getenv), "The `IMAGE` of the probe Pod; $SVCX_PROBE_IMAGE sets the default")
		fs.StringVar(&f.probeVia, "probe-via", viaImage, "How the prober gets into the cluster (`WAY`): image, or stream: sent into a Pod of the target's own image, where no registry can be reached")
		fs.StringArrayVar(&f.probeBinary, "probe-binary", nil, "The svcx-probe (`FILE`) to stream, one for each architecture of nodes; those beside this program when not given")
	})
	_ = cmd.RegisterFlagCompletionFunc("check", fixed(verify.CheckNames()...))
	_ = cmd.RegisterFlagCompletionFunc("from", fixed("nodes", "pod/", "deploy/", "sts/", "ds/"))
	_ = cmd.RegisterFlagCompletionFunc("probe-via", fixed(viaImage, viaStream))
	_ = cmd.MarkFlagFilename("probe-binary")
}

// validate checks what needs no cluster.
func (f *probeFlags) validate(cmd *cobra.Command) (err error) {
	if f.asked, err = verify.ParseChecks(f.checks); err != nil {
		return fmt.Errorf("--check: %w", err)
	}
	if f.send, err = unescape("send", f.send); err != nil {
		return err
	}
	if f.expect, err = unescape("expect", f.expect); err != nil {
		return err
	}
	if err := f.validateFrom(); err != nil {
		return err
	}
	if err := f.validateAuth(); err != nil {
		return err
	}
	return f.validateVia(cmd)
}

// asking names a flag that was given and says how the network is asked; "": none.
func (f *probeFlags) asking(cmd *cobra.Command) string {
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"check", len(f.checks) > 0}, {"send", f.send != ""}, {"expect", f.expect != ""}, {"tls", f.tls}, {"from", f.from != ""},
		{"ephemeral", f.ephemeral}, {"auth-secret", f.authSecret != ""}, {"auth-user", f.authUser != ""}, {"auth-user-key", f.authKey != ""},
		{"auth-from-here", f.authHere}, {"probe-image", changed(cmd, "probe-image")}, {"probe-via", f.probeVia != viaImage}, {"probe-binary", len(f.probeBinary) > 0},
	} {
		if flag.given {
			return flag.name
		}
	}
	return ""
}

func (f *probeFlags) validateFrom() error {
	if f.from == "" {
		if f.ephemeral {
			return withHints(errors.New("--ephemeral: whose Pod? --from is missing"), "such as --from=deploy/web --ephemeral")
		}
		return nil
	}
	from, err := verify.ParseFrom(f.from)
	switch {
	case err != nil:
		return fmt.Errorf("--from: %w", err)
	case from.Nodes && f.ephemeral:
		return errors.New("--ephemeral: nodes have no containers to add to; name a Pod or workload with --from")
	}
	return nil
}

func (f *probeFlags) validateAuth() error {
	name, key, keyed := strings.Cut(f.authSecret, "/")
	switch {
	case f.authSecret != "" && (name == "" || keyed && key == "" || strings.Contains(key, "/")):
		return withHints(fmt.Errorf("--auth-secret: %q is not NAME or NAME/KEY", f.authSecret), "such as --auth-secret=redis-auth/password")
	case f.authSecret == "" && (f.authUser != "" || f.authKey != "" || f.authHere):
		return withHints(errors.New("--auth-secret: the Secret that holds the password is missing"), "such as --auth-secret=redis-auth/password")
	case f.authUser != "" && f.authKey != "":
		return errors.New("--auth-user-key: give the user, or the key that holds it, not both")
	}
	return nil
}

func (f *probeFlags) validateVia(cmd *cobra.Command) (err error) {
	if f.probeVia, err = oneOf("probe-via", f.probeVia, viaImage, viaStream); err != nil {
		return err
	}
	if f.probeVia == viaImage {
		if len(f.probeBinary) > 0 {
			return errors.New("--probe-binary: it is sent into the cluster with --probe-via=stream only")
		}
		return nil
	}
	if f.ephemeral {
		return errors.New("--probe-via=stream: an ephemeral container runs --probe-image; leave one of the two out")
	}
	if !changed(cmd, "probe-image") {
		f.probeImage = "" // the target's own
	}
	f.probers, err = findProbers(f.probeBinary)
	return err
}

// unescape reads what a flag's value writes as in a Go string.
func unescape(flag, s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		return "", withHints(fmt.Errorf("--%s: %q has a \\ that begins nothing known", flag, s), `write \\ for itself; \n, \r, \t, \x00 for bytes`)
	}
	return text, nil
}

// into fills what a verification is told; the flags have been validated.
func (f *probeFlags) into(o *verify.Options) {
	o.Checks, o.Send, o.Expect, o.TLS = f.asked, f.send, f.expect, f.tls
	o.ProbeImage, o.Probers = f.probeImage, f.probers
	if f.from != "" {
		o.From, _ = verify.ParseFrom(f.from)
		o.From.Ephemeral = f.ephemeral
		o.InCluster = true
	}
	if f.authSecret != "" {
		name, key, _ := strings.Cut(f.authSecret, "/")
		o.Auth = &verify.Auth{Secret: name, PasswordKey: key, User: f.authUser, UserKey: f.authKey, Here: f.authHere}
	}
}
