package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// maxMessage bounds an error's text, in bytes: parts of it come from elsewhere.
const maxMessage = 4096

// explain turns an error into what is printed: a message and what to do next.
func explain(err error) (msg string, hints []string) {
	var hint *hintError
	if errors.As(err, &hint) {
		hints = hint.hints
	}
	var stage *interruptError
	if errors.As(err, &stage) {
		return stage.Error(), hints // our own words, in columns
	}
	msg, more := message(err)
	return safe(msg), append(more, hints...)
}

// safe is probe.Printable for text of several lines.
func safe(s string) string {
	var lines []string
	for l := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		body := strings.TrimLeft(l, " ")
		lines = append(lines, l[:len(l)-len(body)]+probe.Printable(body, maxMessage))
	}
	return strings.Join(lines, "\n")
}

func message(err error) (string, []string) {
	var api *apiError
	var stuck *apply.StuckError
	var invalid *generate.InvalidError
	same := ""
	if errors.As(err, &api) {
		same = api.conn.same
	}
	switch {
	case errors.As(err, &stuck):
		return stuckMessage(stuck, same)
	case errors.As(err, &invalid):
		return err.Error(), nil
	case api != nil:
		if msg, hints, ok := explainAPI(api); ok {
			return msg, append(halfDone(err), hints...)
		}
	case errors.Is(err, syscall.ENOSPC):
		return err.Error(), []string{"free some space and run it again"}
	}
	return shell.On(err.Error(), same), nil
}

// halfDone says how far applying got before the API server could not be asked
// any more: the words for that leave it out, and the cluster has changed.
func halfDone(err error) []string {
	var e *apply.IncompleteError
	if !errors.As(err, &e) {
		return halfSwitched(err)
	}
	names := func(refs []apply.Ref) string {
		var out []string
		for _, r := range refs {
			out = append(out, r.String())
		}
		return listed(out)
	}
	return append(halfSwitched(err), "applied: "+names(e.Applied), "not applied, or not known to be: "+names(e.Pending))
}

// halfSwitched says what became of a Service whose change of type failed on its way.
func halfSwitched(err error) []string {
	var e *apply.SwitchError
	if !errors.As(err, &e) {
		return nil
	}
	return []string{e.Object.String() + ": " + probe.Printable(e.State(), maxMessage)}
}

// stuckMessage puts the next step of a workload that cannot run on its own line.
func stuckMessage(e *apply.StuckError, same string) (string, []string) {
	next := e.Next
	bare := *e
	bare.Next = ""
	if next == "" {
		return bare.Error(), nil
	}
	return bare.Error(), []string{shell.On(next, same)}
}

// apiError is an error that came while asking the API server.
type apiError struct {
	conn connection
	err  error
}

func (e *apiError) Error() string { return e.err.Error() }
func (e *apiError) Unwrap() error { return e.err }

// explainAPI finds words for the ways in which a cluster cannot be asked.
// What it does not know is left as it is.
func explainAPI(e *apiError) (string, []string, bool) {
	err, conn := e.err, e.conn
	where := conn.String()
	var missing *apply.NamespaceError
	var conflict *apply.ConflictError
	var late *apply.WaitError
	switch {
	case errors.As(err, &missing), errors.As(err, &conflict), errors.As(err, &late):
		return "", nil, false // they say it better
	case apierrors.IsUnauthorized(err), strings.Contains(err.Error(), "the server has asked for the client to provide credentials"):
		return "the API server does not accept the credentials of " + where + ": " + conn.credentialState(),
			[]string{"log in again, or choose another context: kubectl config get-contexts"}, true
	case strings.Contains(err.Error(), loginFailed):
		msg, hints := failedLogin(err, where)
		return msg, hints, true
	}
	if msg, hints, ok := foreignAnswer(err, conn); ok {
		return msg, hints, true
	}
	switch {
	case apierrors.IsForbidden(err):
		msg, hints := forbidden(err, conn)
		return msg, hints, true
	case apierrors.IsServiceUnavailable(err), apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err):
		return "the API server of " + where + " is not able to answer now: " + err.Error(),
			[]string{"try again in a moment"}, true
	}
	if msg, hints, ok := tlsError(err, conn); ok {
		return msg, hints, true
	}
	return unreachable(err, conn)
}

// loginFailed begins what client-go says when the program that a kubeconfig
// names for credentials gave none.
const loginFailed = "getting credentials: exec: "

// failedLogin names the program, and how to get it where the kubeconfig says
// so; client-go puts a paragraph about plugins between them.
func failedLogin(err error, where string) (string, []string) {
	_, text, _ := strings.Cut(err.Error(), loginFailed)
	parts := strings.Split(text, "\n\n")
	msg := "no credentials for " + where + ": " + parts[0]
	if !strings.HasSuffix(parts[0], "not found") {
		return msg, []string{"the kubeconfig asks another program for them; run that login again"}
	}
	hints := []string{"the kubeconfig asks that program for them; install it, or choose another context: kubectl config get-contexts"}
	const about = 2 // the paragraphs after which an install hint comes
	if len(parts) > 1+about {
		hints = append(hints, probe.Printable(strings.Join(parts[1+about:], " "), maxMessage))
	}
	return msg, hints
}

// foreignAnswer explains an answer that no API server gives: a page of a proxy,
// of a login, or of another server altogether.
func foreignAnswer(err error, conn connection) (string, []string, bool) {
	see := "see what answers there: kubectl " + conn.flags() + "get --raw=/version"
	code := int32(0)
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &status) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse):
		code = status.Status().Code
	case strings.Contains(err.Error(), "serializer for text/"), strings.Contains(err.Error(), "invalid character '<' looking for beginning of value"):
		code = http.StatusOK
	default:
		return "", nil, false
	}
	what := strings.TrimSpace(fmt.Sprintf("HTTP status %d %s", code, http.StatusText(int(code))))
	if code >= http.StatusInternalServerError {
		return "the API server of " + conn.String() + " is not able to answer now: " + what,
			[]string{"it, or a proxy before it, has a fault; try again in a moment", see}, true
	}
	return "the server of " + conn.String() + " is no Kubernetes API server, or a proxy answers for it: " + what + ", and what comes with it is none of Kubernetes",
		[]string{"is the address right, and is a login wanted on the way?", see}, true
}

// forbidPattern reads the API server's own sentence about a missing permission.
var forbidPattern = regexp.MustCompile(`User "([^"]+)" cannot (\S+) resource "([^"]+)"(?: in API group "([^"]*)")?(?: (?:in|at) the (?:namespace "([^"]+)"|cluster scope))?`)

// forbidden names who may not do what, and how to ask about it.
func forbidden(err error, conn connection) (string, []string) {
	all := forbidPattern.FindAllStringSubmatch(err.Error(), -1)
	if all == nil {
		return "not allowed: " + err.Error(), nil
	}
	msg := fmt.Sprintf("forbidden: user %q", all[0][1])
	var hints []string
	said := map[string]bool{}
	for _, m := range all {
		what, can := refused(m, conn)
		switch {
		case said[what]:
			continue
		case len(said) == 0:
			msg += " may not " + what
		default:
			msg += ", nor " + what
		}
		said[what] = true
		hints = append(hints, can...)
	}
	if all[0][1] == "system:anonymous" {
		return msg, append(hints, "no credentials were given, or none that count: log in, or choose another context: kubectl config get-contexts")
	}
	return msg, append(hints, "ask whoever runs the cluster for that permission")
}

// refused says of one match of forbidPattern what may not be done, and how to ask about it.
func refused(m []string, conn connection) (string, []string) {
	verb, resource, group, ns := m[2], m[3], m[4], m[5]
	place := "in the whole cluster"
	can := "kubectl auth can-i " + verb + " " + resource
	if group != "" {
		base, sub, _ := strings.Cut(resource, "/")
		can = "kubectl auth can-i " + verb + " " + base + "." + group
		if sub != "" {
			can += "/" + sub
		}
	}
	var local []string // what may be done instead
	switch {
	case ns != "":
		place = fmt.Sprintf("in namespace %q", ns)
		can += " -n " + ns
	case resource != "nodes" && resource != "namespaces":
		can += " -A"
		local = []string{"where it is allowed in one namespace, name that: -n NAMESPACE"}
	}
	return fmt.Sprintf("%s %s %s", verb, resource, place), append(local, can+conn.same)
}

// tlsError explains a handshake that one side refused.
func tlsError(err error, conn connection) (string, []string, bool) {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	head := "the connection to the API server of " + conn.String() + " is not secure: "
	switch {
	case errors.As(err, &authority):
		return head + "its certificate is signed by an authority that the kubeconfig does not name",
			[]string{"is the kubeconfig still the cluster's own? a cluster made anew has a new authority"}, true
	case errors.As(err, &host):
		return head + host.Error(), []string{"use an address that the certificate is for, or --tls-server-name"}, true
	case errors.As(err, &invalid):
		return head + invalid.Error(), []string{"the API server's certificate has to be renewed, or this machine's clock is wrong"}, true
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the server of " + conn.String() + " does not speak TLS: it is no API server, or not on that port", nil, true
	case strings.Contains(err.Error(), "remote error: tls:"):
		return "the API server refuses the client certificate of " + conn.String() + ": " + conn.credentialState(),
			[]string{"get a new kubeconfig, or choose another context: kubectl config get-contexts"}, true
	}
	return "", nil, false
}

// unreachable explains a server that does not answer.
func unreachable(err error, conn connection) (string, []string, bool) {
	reason := ""
	var dns *net.DNSError
	var op *net.OpError
	var ue *url.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		reason = "connection refused"
	case errors.As(err, &dns):
		reason = "no such host " + dns.Name
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		reason = "no route to it"
	case errors.As(err, &ue) && ue.Timeout(), os.IsTimeout(err):
		reason = "no answer in time"
	case errors.Is(err, context.DeadlineExceeded):
		reason = "no answer in the time given (--timeout)"
	case errors.As(err, &op):
		reason = op.Err.Error()
	default:
		return "", nil, false
	}
	if op = nil; errors.As(err, &op) && op.Op == "proxyconnect" {
		return "the proxy on the way to the API server of " + conn.String() + " cannot be reached: " + reason,
			[]string{"is it the right one? it comes from proxy-url in the kubeconfig, or from HTTPS_PROXY; NO_PROXY leaves it out for an address"}, true
	}
	return "cannot reach the API server of " + conn.String() + ": " + reason,
		[]string{
			"is the cluster running, and this machine on its network? ask it: kubectl " + conn.flags() + "get --raw=/readyz",
			"or choose another cluster with --context: kubectl config get-contexts",
		}, true
}

// configError explains a kubeconfig that cannot be used.
func configError(err error) error {
	switch {
	case clientcmd.IsEmptyConfig(err):
		return withHints(errors.New("no kubeconfig was found, so there is no cluster to ask"),
			"give one with --kubeconfig or KUBECONFIG, or put it at ~/.kube/config")
	case clientcmd.IsConfigurationInvalid(err):
		return withHints(fmt.Errorf("the kubeconfig cannot be used: %w", err), "see it: kubectl config view")
	}
	if msg, ok := pathError(err); ok {
		return withHints(fmt.Errorf("the kubeconfig cannot be read: %s", msg), "give another with --kubeconfig or KUBECONFIG")
	}
	return fmt.Errorf("the kubeconfig cannot be used: %w", err)
}
