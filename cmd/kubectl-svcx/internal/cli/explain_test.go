package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

func TestExplainAPI(t *testing.T) {
	conn := connection{context: "prod", server: "https://10.0.0.1:6443", same: " --as=jo", now: time.Now}
	dial := func(err error) error {
		return &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	pods := schema.GroupResource{Resource: "pods"}
	deployments := schema.GroupResource{Group: "apps", Resource: "deployments"}
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"refused", dial(syscall.ECONNREFUSED), []string{`cannot reach the API server of context "prod" (https://10.0.0.1:6443): connection refused`, "kubectl --context=prod --as=jo get --raw=/readyz"}},
		{"wrapped", fmt.Errorf("planning: %w", dial(syscall.EHOSTUNREACH)), []string{"no route to it"}},
		{"in the middle of applying", &apply.IncompleteError{Object: apply.Ref{Kind: "Deployment", Name: "b"}, Applied: []apply.Ref{{Kind: "Service", Name: "a"}}, Pending: []apply.Ref{{Kind: "Deployment", Name: "b"}}, Err: dial(syscall.ECONNREFUSED)},
			[]string{"connection refused", "\napplied: Service/a\n", "not applied, or not known to be: Deployment/b"}},
		{"in the middle of a change of type", &apply.IncompleteError{Object: apply.Ref{Kind: "Service", Name: "a"}, Pending: []apply.Ref{{Kind: "Service", Name: "a"}},
			Err: &apply.SwitchError{Object: apply.Ref{Kind: "Service", Name: "a"}, From: apply.LoadBalancer, Now: apply.ExternalName, Err: dial(syscall.ECONNREFUSED), Undo: errors.New("gone")}},
			[]string{"connection refused", "\nService/a: it could not be put back as it was (gone) and is of type ExternalName now, an alias of nothing", "\napplied: none\n"}},
		{"no such host", dial(&net.DNSError{Name: "nowhere.example", IsNotFound: true}), []string{"no such host nowhere.example"}},
		{"timeout", &url.Error{Op: "Get", URL: "x", Err: context.DeadlineExceeded}, []string{"no answer in time"}},
		{"the time of the run is over", fmt.Errorf("reading the cluster: %w", context.DeadlineExceeded), []string{"cannot reach", "no answer in the time given (--timeout)"}},
		{"the time to wait is over", &apply.WaitError{Waiting: []apply.Event{{Object: apply.Ref{Kind: "Deployment", Name: "a"}, Message: "pulling"}}, Err: context.DeadlineExceeded}, []string{"Deployment/a: pulling"}},
		{"unauthorized", apierrors.NewUnauthorized("no"), []string{`credentials of context "prod"`, "wrong, or have expired", "kubectl config get-contexts"}},
		{"forbidden", apierrors.NewForbidden(pods, "", errors.New(`User "jo" cannot create resource "pods" in API group "" in the namespace "shop"`)),
			[]string{`forbidden: user "jo" may not create pods in namespace "shop"`, "kubectl auth can-i create pods -n shop --as=jo"}},
		{"forbidden in a group", apierrors.NewForbidden(deployments, "x", errors.New(`User "jo" cannot patch resource "deployments" in API group "apps" in the namespace "shop"`)),
			[]string{"kubectl auth can-i patch deployments.apps -n shop --as=jo"}},
		{"forbidden for the cluster", apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "", errors.New(`User "jo" cannot list resource "nodes" in API group "" at the cluster scope`)),
			[]string{`may not list nodes in the whole cluster`, "kubectl auth can-i list nodes --as=jo"}},
		{"forbidden twice", errors.Join(apierrors.NewForbidden(deployments, "x", errors.New(`User "jo" cannot patch resource "deployments" in API group "apps" in the namespace "shop"`)),
			apierrors.NewForbidden(pods, "", errors.New(`User "jo" cannot get resource "pods" in API group "" in the namespace "shop"`)),
			apierrors.NewForbidden(pods, "", errors.New(`User "jo" cannot get resource "pods" in API group "" in the namespace "shop"`))),
			[]string{`user "jo" may not patch deployments in namespace "shop", nor get pods in namespace "shop"` + "\n", "can-i patch deployments.apps -n shop --as=jo\nkubectl auth can-i get pods -n shop --as=jo\nask"}},
		{"forbidden by admission", apierrors.NewForbidden(pods, "x", errors.New("violates PodSecurity \"restricted\"")), []string{"not allowed: ", "PodSecurity"}},
		{"login program missing", errors.New("Get \"https://x\": getting credentials: exec: executable aws not found\n\nIt looks like you are\n\nTo learn more\n\napt install aws"),
			[]string{`no credentials for context "prod" (https://10.0.0.1:6443): executable aws not found` + "\n", "install it", "apt install aws"}},
		{"login program failed", errors.New("getting credentials: exec: executable aws failed with exit code 1"), []string{"executable aws failed with exit code 1", "run that login again"}},
		{"another server", apierrors.NewGenericServerResponse(404, "GET", pods, "", "404 page not found", 0, true), []string{"no Kubernetes API server", "HTTP status 404 Not Found", "kubectl --context=prod --as=jo get --raw=/version"}},
		{"a proxy that refuses", apierrors.NewGenericServerResponse(403, "GET", pods, "", "<html>", 0, true), []string{"no Kubernetes API server, or a proxy answers for it: HTTP status 403 Forbidden"}},
		{"a proxy without the server", fmt.Errorf("planning: %w", apierrors.NewGenericServerResponse(502, "GET", pods, "", "<html>", 0, true)), []string{"not able to answer now: HTTP status 502 Bad Gateway"}},
		{"a login page", errors.New("reading: serializer for text/html doesn't exist"), []string{"no Kubernetes API server, or a proxy answers for it: HTTP status 200 OK"}},
		{"a login page, to discovery", errors.New("invalid character '<' looking for beginning of value"), []string{"no Kubernetes API server"}},
		{"unknown authority", &url.Error{Op: "Get", URL: "x", Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}, []string{"signed by an authority that the kubeconfig does not name"}},
		{"expired certificate of the server", dial(x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}), []string{"is not secure", "renewed"}},
		{"client certificate refused", dial(errors.New("remote error: tls: expired certificate")), []string{"refuses the client certificate", "get a new kubeconfig"}},
		{"no TLS", errors.New("http: server gave HTTP response to HTTPS client"), []string{"does not speak TLS"}},
		{"busy", apierrors.NewTooManyRequests("slow down", 1), []string{"not able to answer now", "try again"}},
		{"namespace", &apply.NamespaceError{Namespace: "shop", Err: errors.New("x")}, []string{`namespace "shop" does not exist`, "--create-namespace"}},
		{"conflict", &apply.ConflictError{Object: apply.Ref{Kind: "Service", Name: "a"}, Conflicts: []apply.Conflict{{Field: "spec.type", Manager: "kubectl-edit"}}}, []string{"kubectl-edit owns spec.type", "--force-conflicts"}},
		{"conflict with kubectl", &apply.ConflictError{Object: apply.Ref{Kind: "Service", Name: "a"}, Conflicts: []apply.Conflict{{Field: "spec.type", Manager: "kubectl"}}}, []string{"Service/a: kubectl owns spec.type"}},
		{"stuck", &apply.StuckError{Object: apply.Ref{Kind: "Deployment", Name: "a"}, Reason: "Paused", Next: "resume it: kubectl rollout resume deployment/a -n shop"}, []string{"\nresume it: kubectl --as=jo rollout resume deployment/a -n shop"}},
		{"being deleted", errors.New("planning Service/a: it is being deleted; wait until it is gone: kubectl wait --for=delete service/a -n shop"), []string{"gone: kubectl --as=jo wait --for=delete service/a -n shop"}},
		{"not found", &verify.NotFoundError{Namespace: "shop", Name: "a", Elsewhere: []string{"prod"}}, []string{"Service/a does not exist in namespace shop", "-n prod"}},
		{"none found", &verify.NoServicesError{Where: "in any namespace"}, []string{"kubectl --as=jo get services -A"}},
		{"unknown", errors.New("something else"), []string{"something else"}},
		{"hostile", apierrors.NewBadRequest("a\x1b[31mb\x07"), []string{"ab"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, hints := explain(&apiError{conn: conn, err: c.err})
			text := msg + "\n" + strings.Join(hints, "\n")
			wants(t, "the message", text, c.want...)
			if strings.ContainsAny(text, "\x1b\x07") {
				t.Errorf("control characters: %q", text)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	terminated, end := context.WithCancelCause(t.Context())
	end(errors.New("terminated signal received"))
	stuck := &apply.StuckError{Object: apply.Ref{Kind: "Deployment", Name: "a"}, Reason: "x"}
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		code int
	}{
		{"done", t.Context(), nil, 0},
		{"error", t.Context(), errors.New("x"), 1},
		{"failed", t.Context(), &codeError{exitFailed}, 2},
		{"not proven", t.Context(), &codeError{exitNotProven}, 3},
		{"stuck", t.Context(), &apiError{err: stuck}, 2},
		{"late", t.Context(), fmt.Errorf("not ready: %w", &apply.WaitError{Err: context.DeadlineExceeded}), 2},
		{"interrupted", canceled, &interruptError{stage: "while waiting", err: context.Canceled}, 130},
		{"interrupted somewhere", canceled, fmt.Errorf("reading: %w", context.Canceled), 130},
		{"an error before the signal", canceled, errors.New("x"), 1},
		{"terminated", terminated, &interruptError{stage: "while waiting", err: context.Canceled}, 143},
		{"reader gone", t.Context(), syscall.EPIPE, 1},
	} {
		inFolder(t, nil)
		p := newProgram(quiet(), func(string) string { return "" })
		if got := p.finish(c.ctx, nil, c.err); got != c.code {
			t.Errorf("%s: exit %d, want %d", c.name, got, c.code)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"apply", "cleanup", "diff", "generate", "up", "verify", "version"}
	for s, want := range map[string]string{
		"aply": "apply", "verfiy": "verify", "vers": "version", "gen": "generate", "UP": "up",
		"delete": "", "x": "", "": "", strings.Repeat("v", 1000): "",
	} {
		if got := nearest.Name(s, names); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
