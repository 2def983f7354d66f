package cli

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/nearest"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// cluster is what the verbs ask of a cluster.
type cluster interface {
	// Namespace is the namespace meant, and whether a flag named it.
	Namespace() (name string, given bool)
	Plan(ctx context.Context, objs []*unstructured.Unstructured, o apply.PlanOptions) (*apply.Plan, error)
	Apply(ctx context.Context, plan *apply.Plan, progress func(apply.Event)) error
	Wait(ctx context.Context, plan *apply.Plan, progress func(apply.Event)) error
	Verify(ctx context.Context, t verify.Target, o verify.Options) (*verify.Verdict, error)
	Watch(ctx context.Context, namespaces []string) (<-chan string, error)
	Cleanup(ctx context.Context, namespace string, all bool) ([]verify.ObjectRef, error)
	ServerVersion(ctx context.Context) (string, error)
}

// connection says which cluster is meant, for messages.
type connection struct {
	context string // empty when --server or a Pod's own account is used
	server  string
	same    string // the flags that say so, each led by a space
	config  *rest.Config
	now     func() time.Time
}

// String names the context and the server's address.
func (c connection) String() string {
	if c.context == "" {
		return c.server
	}
	return fmt.Sprintf("context %q (%s)", c.context, c.server)
}

// flags repeats for kubectl the flags that choose this cluster.
func (c connection) flags() string {
	flags := c.same
	if c.context != "" && !strings.Contains(flags, " --context=") {
		flags = " --context=" + shell.Word(c.context) + flags
	}
	if flags == "" {
		return ""
	}
	return flags[1:] + " "
}

// credentialState says what can be told about the credentials without asking.
func (c connection) credentialState() string {
	if cert := c.clientCertificate(); cert != nil && c.now().After(cert.NotAfter) {
		return fmt.Sprintf("the client certificate of %q expired on %s", cert.Subject.CommonName, cert.NotAfter.UTC().Format("2006-01-02 15:04 MST"))
	}
	return "they are wrong, or have expired"
}

// clientCertificate is the one that the kubeconfig holds or names, if it does.
func (c connection) clientCertificate() *x509.Certificate {
	if c.config == nil {
		return nil
	}
	data := c.config.CertData
	if len(data) == 0 && c.config.CertFile != "" {
		data, _ = os.ReadFile(c.config.CertFile)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return cert
}

// realCluster asks an API server.
type realCluster struct {
	conn      connection
	config    *rest.Config
	mapper    meta.RESTMapper
	discovery discovery.CachedDiscoveryInterface
	namespace string
	given     bool
}

// connectFromFlags reads the kubeconfig as the flags say. It asks no server yet.
func (p *program) connectFromFlags() (cluster, error) {
	for _, given := range []struct{ name, path string }{{"--kubeconfig", *p.config.KubeConfig}, {"KUBECONFIG", p.getenv("KUBECONFIG")}} {
		if strings.Contains(given.path, "\n") { // it may hold a key, which client-go's error would repeat
			return nil, withHints(fmt.Errorf("%s holds the text of a kubeconfig, or something else of several lines; it wants the path of a file", given.name),
				"write the text to a file, and give the path of that")
		}
	}
	loader := p.config.ToRawKubeConfigLoader()
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, configError(err)
	}
	conn := connection{context: raw.CurrentContext, same: p.sameCluster(), now: p.now}
	if *p.config.Context != "" {
		conn.context = *p.config.Context
	}
	if err := p.checkContext(&raw, conn.context); err != nil {
		return nil, err
	}
	cfg, err := p.config.ToRESTConfig()
	if err != nil {
		return nil, configError(err)
	}
	// The API server's warnings belong into the plan, not between the lines of
	// a live display.
	cfg.WarningHandler = rest.NoWarnings{}
	cfg.UserAgent = userAgent()
	conn.server, conn.config = cfg.Host, cfg
	namespace, given, err := loader.Namespace()
	if err != nil {
		return nil, configError(err)
	}
	disco, err := p.config.ToDiscoveryClient()
	if err != nil { // nothing has been asked yet: it is a certificate, a key, or a proxy's address
		return nil, withHints(fmt.Errorf("the kubeconfig cannot be used for %s: %w", conn, err), "see it: kubectl config view")
	}
	mapper, err := p.config.ToRESTMapper()
	if err != nil {
		return nil, &apiError{conn: conn, err: err}
	}
	return &realCluster{conn: conn, config: cfg, mapper: mapper, discovery: disco, namespace: namespace, given: given && *p.config.Namespace != ""}, nil
}

// checkContext finds out offline whether there is a cluster to ask at all.
// Without it, client-go would try http://localhost:8080.
func (p *program) checkContext(raw *clientcmdapi.Config, name string) error {
	inPod := p.getenv("KUBERNETES_SERVICE_HOST") != "" && len(raw.Contexts) == 0
	if *p.config.APIServer != "" || inPod {
		return nil
	}
	if named := raw.Contexts[name]; named != nil {
		return p.checkNamed(raw, name, named)
	}
	var names []string
	for n := range raw.Contexts {
		names = append(names, n)
	}
	sort.Strings(names)
	switch {
	case len(raw.Contexts) == 0 && len(raw.Clusters) == 0:
		where := "looked at " + strings.Join(p.config.ToRawKubeConfigLoader().ConfigAccess().GetLoadingPrecedence(), ", ")
		return withHints(errors.New("no kubeconfig was found, so there is no cluster to ask"), where,
			"give one with --kubeconfig or KUBECONFIG")
	case name == "" && len(names) == 0 && *p.config.ClusterName == "":
		return withHints(errors.New("the kubeconfig has no context, so it is not said which cluster to ask"), "is it all there? see it: kubectl config view",
			"make one: kubectl config set-context NAME --cluster=CLUSTER --user=USER")
	case name == "" && *p.config.ClusterName == "":
		return withHints(errors.New("the kubeconfig has no current context"),
			"choose one with --context, or for good: kubectl config use-context NAME", "there are "+listed(names))
	case name != "" && raw.Contexts[name] == nil:
		msg := fmt.Sprintf("context %q is not in the kubeconfig", name)
		if n := nearest.Name(name, names); n != "" {
			msg += "; did you mean " + n + "?"
		}
		return withHints(errors.New(msg), "there are "+listed(names))
	}
	return nil
}

// checkNamed wants what a context names to be there. Without it, client-go would try
// http://localhost:8080, or ask for a user's name on the terminal, or as nobody.
func (p *program) checkNamed(raw *clientcmdapi.Config, name string, c *clientcmdapi.Context) error {
	see := "see it: kubectl config view"
	cluster, user := c.Cluster, c.AuthInfo
	if *p.config.ClusterName != "" {
		cluster = *p.config.ClusterName
	}
	if *p.config.AuthInfoName != "" {
		user = *p.config.AuthInfoName
	}
	switch {
	case raw.Clusters[cluster] == nil:
		return withHints(fmt.Errorf("context %q is for cluster %q, which is not in the kubeconfig; there are %s", name, cluster, keys(raw.Clusters)), see)
	case user != "" && raw.AuthInfos[user] == nil && *p.config.BearerToken == "" && *p.config.CertFile == "":
		return withHints(fmt.Errorf("context %q is for user %q, who is not in the kubeconfig; there are %s", name, user, keys(raw.AuthInfos)), see)
	}
	return nil
}

// keys joins the names of a part of a kubeconfig.
func keys[V any](m map[string]V) string { return listed(slices.Sorted(maps.Keys(m))) }

// listed joins names, leaving out what would not fit a message.
func listed(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (c *realCluster) Namespace() (string, bool) { return c.namespace, c.given }

// wrap marks an error as one of asking this cluster.
func (c *realCluster) wrap(err error) error {
	if err == nil {
		return nil
	}
	return &apiError{conn: c.conn, err: err}
}

func (c *realCluster) client() (*apply.Client, error) {
	return apply.NewClient(c.config, c.mapper)
}

func (c *realCluster) Plan(ctx context.Context, objs []*unstructured.Unstructured, o apply.PlanOptions) (*apply.Plan, error) {
	client, err := c.client()
	if err != nil {
		return nil, c.wrap(err)
	}
	plan, err := client.Plan(ctx, objs, o)
	if err != nil {
		return nil, c.wrap(err)
	}
	for i, n := range plan.Notes {
		plan.Notes[i] = shell.On(n, c.conn.same)
	}
	return plan, nil
}

func (c *realCluster) Apply(ctx context.Context, plan *apply.Plan, progress func(apply.Event)) error {
	client, err := c.client()
	if err != nil {
		return c.wrap(err)
	}
	return c.wrap(client.Apply(ctx, plan, progress))
}

func (c *realCluster) Wait(ctx context.Context, plan *apply.Plan, progress func(apply.Event)) error {
	client, err := c.client()
	if err != nil {
		return c.wrap(err)
	}
	return c.wrap(client.Wait(ctx, plan, progress))
}

func (c *realCluster) Verify(ctx context.Context, t verify.Target, o verify.Options) (*verify.Verdict, error) {
	v, err := verify.Run(ctx, c.config, t, o)
	return v, c.wrap(err)
}

func (c *realCluster) Watch(ctx context.Context, namespaces []string) (<-chan string, error) {
	changes, err := verify.Watch(ctx, c.config, namespaces)
	return changes, c.wrap(err)
}

func (c *realCluster) Cleanup(ctx context.Context, namespace string, all bool) ([]verify.ObjectRef, error) {
	refs, err := verify.Cleanup(ctx, c.config, namespace, all)
	return refs, c.wrap(err)
}

func (c *realCluster) ServerVersion(ctx context.Context) (string, error) {
	v, err := discovery.ToServerVersionInterfaceWithContext(c.discovery).ServerVersionWithContext(ctx)
	if err != nil {
		return "", c.wrap(err)
	}
	return v.GitVersion, nil
}
