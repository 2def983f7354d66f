//go:build e2e

package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/test/cluster"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newAuthority makes an authority that nobody knows.
func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "svcx-e2e"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

// clusterAuthority is the one whose client certificates the API server knows:
// the lab keeps it beside the kubeconfig. Elsewhere one is made up, and what it
// signs is as little accepted as what has expired.
func clusterAuthority(t *testing.T) authority {
	t.Helper()
	dir := filepath.Join(filepath.Dir(cluster.Kubeconfig(t)), "pki")
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
	if os.IsNotExist(err) {
		return newAuthority(t)
	}
	if err != nil {
		t.Fatal(err)
	}
	return authority{pair.Leaf, pair.PrivateKey.(crypto.Signer)}
}

// pem is the authority's certificate.
func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// sign makes a certificate for a user, and for a server on loopback, that ends
// so long from now. It gives the certificate and the key.
func (a authority) sign(t *testing.T, user string, groups []string, life time.Duration) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: user, Organization: groups},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(life),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
}

// clusterOf is the cluster of the tests' kubeconfig.
func clusterOf(t *testing.T) clientcmdapi.Cluster {
	t.Helper()
	cfg, err := clientcmd.LoadFromFile(cluster.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	return *cfg.Clusters[cfg.Contexts[cfg.CurrentContext].Cluster]
}

// kubeconfigFor writes a kubeconfig of one context, named "test".
func kubeconfigFor(t *testing.T, cluster clientcmdapi.Cluster, user clientcmdapi.AuthInfo) string {
	t.Helper()
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["test"], cfg.AuthInfos["test"] = &cluster, &user
	cfg.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	cfg.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// everyVerb are the verbs that ask a cluster; each has to say what is wrong.
func everyVerb(t *testing.T, dir string) [][]string {
	t.Helper()
	svcx(t, dir, "generate", "redis", "--image=redis:alpine", "--port=6379").want(t, 0)
	overlay := filepath.Join("redis", "overlays", "clusterip")
	return [][]string{
		{"verify", "redis"}, {"verify", "-A"}, {"apply", "-k", overlay}, {"diff", "-k", overlay},
		{"up", "--dir", "redis"}, {"cleanup"}, {"import", "svc/redis", "--dir", "live"},
	}
}

// TestContextsThatDoNotWork wants each way in which a kubeconfig leads nowhere
// told by its name, by every verb, with a next step and nothing else.
func TestContextsThatDoNotWork(t *testing.T) {
	t.Parallel()
	real := clusterOf(t)
	known := clusterAuthority(t)
	own := newAuthority(t)
	past := time.Now().Add(-24 * time.Hour).UTC().Format("2006-01-02")

	oldCert, oldKey := known.sign(t, "jo", []string{"system:masters"}, -24*time.Hour)
	goodCert, goodKey := known.sign(t, "jo", []string{"system:masters"}, time.Hour)
	otherCert, otherKey := own.sign(t, "jo", []string{"system:masters"}, time.Hour)

	// A server whose own certificate has expired, as seen by who knows its authority.
	serverCert, serverKey := own.sign(t, "server", nil, -24*time.Hour)
	pair, err := tls.X509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	silent := log.New(io.Discard, "", 0)
	expired := httptest.NewUnstartedServer(http.NotFoundHandler())
	expired.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	expired.Config.ErrorLog = silent
	expired.StartTLS()
	t.Cleanup(expired.Close)

	page := func(code int, contentType, body string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	const login = "<html><head><title>Sign in</title></head><body>\x1b[31mCorporate proxy\x1b[0m<script>alert(1)</script></body></html>"

	for _, tc := range []struct {
		name    string
		cluster clientcmdapi.Cluster
		user    clientcmdapi.AuthInfo
		says    []string
	}{
		{"client certificate expired", real, clientcmdapi.AuthInfo{ClientCertificateData: oldCert, ClientKeyData: oldKey},
			[]string{"does not accept the credentials", `context "test"`, `the client certificate of "jo" expired on ` + past, "kubectl config get-contexts"}},
		{"client certificate of another authority", real, clientcmdapi.AuthInfo{ClientCertificateData: otherCert, ClientKeyData: otherKey},
			[]string{"does not accept the credentials", `context "test"`, "kubectl config get-contexts"}},
		{"token refused", real, clientcmdapi.AuthInfo{Token: "expired"},
			[]string{"does not accept the credentials", `context "test"`}},
		{"server certificate expired", clientcmdapi.Cluster{Server: expired.URL, CertificateAuthorityData: own.pem()}, clientcmdapi.AuthInfo{},
			[]string{"is not secure", "expired", "has to be renewed"}},
		{"server of another authority", clientcmdapi.Cluster{Server: real.Server, CertificateAuthorityData: own.pem()}, clientcmdapi.AuthInfo{ClientCertificateData: goodCert, ClientKeyData: goodKey},
			[]string{"is not secure", "authority that the kubeconfig does not name"}},
		{"login program missing", real, clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{Command: "no-such-login", APIVersion: "client.authentication.k8s.io/v1",
			InteractiveMode: clientcmdapi.NeverExecInteractiveMode, InstallHint: "install no-such-login from its maker"}},
			[]string{`no credentials for context "test"`, "no-such-login"}},
		{"not Kubernetes", clientcmdapi.Cluster{Server: page(404, "text/plain", "404 page not found\n")}, clientcmdapi.AuthInfo{},
			[]string{`context "test"`, "no Kubernetes API server"}},
		{"a login page", clientcmdapi.Cluster{Server: page(200, "text/html", login)}, clientcmdapi.AuthInfo{},
			[]string{`context "test"`, "no Kubernetes API server", "proxy"}},
		{"a proxy's error page", clientcmdapi.Cluster{Server: page(502, "text/html", login)}, clientcmdapi.AuthInfo{},
			[]string{`context "test"`, "not able to answer now"}},
		{"a proxy that refuses", clientcmdapi.Cluster{Server: page(403, "text/html", login)}, clientcmdapi.AuthInfo{},
			[]string{`context "test"`, "no Kubernetes API server", "proxy"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			config := kubeconfigFor(t, tc.cluster, tc.user)
			for _, args := range everyVerb(t, dir) {
				r := svcx(t, dir, append(args, "--kubeconfig", config)...)
				if want := map[bool]int{true: 2, false: 1}[args[0] == "diff"]; r.code != want {
					t.Errorf("exit %d, want %d\n%s", r.code, want, r)
				}
				for _, text := range tc.says {
					if !strings.Contains(r.stderr, text) {
						t.Errorf("stderr lacks %q\n%s", text, r)
					}
				}
				if r.stdout != "" || strings.ContainsAny(r.stderr, "\x1b<>") || strings.Count(r.stderr, "\n") > 8 {
					t.Errorf("it says more than what is wrong\n%s", r)
				}
			}
		})
	}
	// What the proof rests on: the same authority's certificate is taken while it lasts.
	if _, err := os.Stat(filepath.Join(filepath.Dir(cluster.Kubeconfig(t)), "pki", "ca.key")); err == nil {
		config := kubeconfigFor(t, real, clientcmdapi.AuthInfo{ClientCertificateData: goodCert, ClientKeyData: goodKey})
		svcx(t, t.TempDir(), "verify", "-n", "default", "--for=endpoints", "--kubeconfig", config).want(t, 0)
	}
}
