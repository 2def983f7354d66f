package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// clientFlags say as whom a verification asks, and with which credentials.
type clientFlags struct {
	from       string
	authSecret string
	authUser   string
	authKey    string
	authHere   bool
	tls        bool
}

// add declares the flags; from only where a run may ask as somebody else.
func (f *clientFlags) add(cmd *cobra.Command, from bool) {
	flagGroup(cmd, "How to verify it", func(fs *pflag.FlagSet) {
		if from {
			fs.StringVar(&f.from, "from", "", "Ask inside the cluster as `CLIENT` would be seen (pod/NAME, deploy/NAME, NAMESPACE/deploy/NAME), or from all nodes; implies --in-cluster")
		}
		fs.StringVar(&f.authSecret, "auth-secret", "", "Log in to Redis with the password in `SECRET`[/KEY] (KEY is password when not given); only the probe Pod gets it")
		fs.StringVar(&f.authUser, "auth-user", "", "Log in as this `USER` rather than the server's default one")
		fs.StringVar(&f.authKey, "auth-user-key", "", "Log in as the user that the Secret holds under `KEY`")
		fs.BoolVar(&f.authHere, "auth-from-here", false, "Read the Secret on this machine too, for what is asked from here and through the tunnel")
		fs.BoolVar(&f.tls, "tls", false, "Speak redis, postgres and mysql inside TLS")
	})
	if from {
		_ = cmd.RegisterFlagCompletionFunc("from", fixed("nodes", "pod/", "deploy/", "sts/", "ds/"))
	}
}

// validate checks what needs no cluster.
func (f *clientFlags) validate() error {
	if f.from != "" {
		if _, err := verify.ParseFrom(f.from); err != nil {
			return fmt.Errorf("--from: %w", err)
		}
	}
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

// into fills what a verification is told; the flags have been validated.
func (f *clientFlags) into(o *verify.Options) {
	if f.from != "" {
		o.From, _ = verify.ParseFrom(f.from)
		o.InCluster = true
	}
	if f.authSecret != "" {
		name, key, _ := strings.Cut(f.authSecret, "/")
		o.Auth = &verify.Auth{Secret: name, PasswordKey: key, User: f.authUser, UserKey: f.authKey, Here: f.authHere}
	}
	o.TLS = f.tls
}
