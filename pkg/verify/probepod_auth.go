package verify

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// Auth says with what a check logs in. The password is named, never given: the
// probe Pod gets it from the Secret by reference, and this process does not see
// it unless Here is set.
type Auth struct {
	// Secret is in the namespace that the questions are asked from.
	Secret string
	// PasswordKey is its key of the password; empty: "password", as in a Secret
	// of type kubernetes.io/basic-auth.
	PasswordKey string
	// User is who logs in; or UserKey, the Secret's key of that name. Both empty:
	// the server's default user.
	User    string
	UserKey string
	// Here reads the Secret in this process too, for the questions that are asked
	// from here and through tunnels.
	Here bool
}

// DefaultPasswordKey is the key of a Secret that holds a password where none is given.
const DefaultPasswordKey = corev1.BasicAuthPasswordKey

// The variables that hold credentials. Those of this process never are in its
// environment: they are looked up by these names, with the namespace added.
const (
	envUser     = "SVCX_AUTH_USER"
	envPassword = "SVCX_AUTH_PASSWORD"
)

func (a *Auth) passwordKey() string {
	if a.PasswordKey == "" {
		return DefaultPasswordKey
	}
	return a.PasswordKey
}

// into makes a probe log in. Where it is not asked in the cluster, the names of
// its variables say which namespace the Secret is in.
func (a *Auth) into(p *probe.Probe, client *Client) {
	ns, _, _ := strings.Cut(p.Service, "/")
	if client != nil {
		ns = client.Namespace
	}
	suffix := ""
	if p.From != probe.FromCluster {
		suffix = "/" + ns
	}
	p.PasswordEnv = envPassword + suffix
	if a.User != "" || a.UserKey != "" {
		p.UsernameEnv = envUser + suffix
	}
	p.PasswordFrom = fmt.Sprintf("key %q of Secret %s/%s", a.passwordKey(), ns, a.Secret)
}

// env returns the variables of a probe Pod. The references are optional: a Pod
// without its Secret would not start, and could ask nothing at all.
func (a *Auth) env() []corev1.EnvVar {
	if a == nil {
		return nil
	}
	yes := true
	ref := func(key string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: a.Secret}, Key: key, Optional: &yes}}
	}
	vars := []corev1.EnvVar{{Name: envPassword, ValueFrom: ref(a.passwordKey())}}
	switch {
	case a.User != "":
		vars = append(vars, corev1.EnvVar{Name: envUser, Value: a.User})
	case a.UserKey != "":
		vars = append(vars, corev1.EnvVar{Name: envUser, ValueFrom: ref(a.UserKey)})
	}
	return vars
}

// credentials are what this process itself may log in with.
type credentials struct {
	values   map[string]string
	withheld string // why there are none
	needs    string
}

func (c *credentials) getenv(name string) string { return c.values[name] }

// options adds them to those of a run of probes.
func (c *credentials) options(o probe.Options) probe.Options {
	o.Getenv, o.Withheld = c.getenv, c.withheld
	return o
}

// explain says what would help, on outcomes that end for want of a password.
func (c *credentials) explain(o probe.Outcome) probe.Outcome {
	if c.withheld != "" && o.Class == probe.ClassLocal && o.Detail == c.withheld {
		if o.Facts == nil {
			o.Facts = map[string]string{}
		}
		o.Facts[factNeeds] = c.needs
	}
	return o
}

// credentialsHere reads the Secrets that the probes name, where that is wanted.
func credentialsHere(ctx context.Context, c *clients, a *Auth, probes []probe.Probe) *credentials {
	out := &credentials{values: map[string]string{}}
	if a == nil {
		return out
	}
	if !a.Here {
		out.withheld = "asked for the password, which is used inside the cluster only"
		out.needs = "reading the Secret here (--auth-from-here)"
		return out
	}
	read := map[string]bool{}
	for _, p := range probes {
		_, ns, ok := strings.Cut(p.PasswordEnv, "/")
		if !ok || read[ns] {
			continue
		}
		read[ns] = true
		s, err := c.core.Secrets(ns).Get(ctx, a.Secret, metav1.GetOptions{})
		if err != nil {
			out.withheld = probe.Printable(fmt.Sprintf("asked for the password, and Secret %s/%s was not read: %v", ns, a.Secret, err), probe.MaxDetail)
			out.needs = "a Secret that exists, and permission to get it"
			continue
		}
		out.values[envPassword+"/"+ns] = string(s.Data[a.passwordKey()])
		out.values[envUser+"/"+ns] = a.User
		if a.User == "" && a.UserKey != "" {
			out.values[envUser+"/"+ns] = string(s.Data[a.UserKey])
		}
	}
	return out
}
