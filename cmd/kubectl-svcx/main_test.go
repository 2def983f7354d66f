package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-svcx": main})
}

// TestScripts runs the scripts of testdata/script on the real program. None
// needs a cluster; what stands in for one is made in setup.
func TestScripts(t *testing.T) {
	refusing := httptest.NewTLSServer(http.HandlerFunc(unauthorized))
	t.Cleanup(refusing.Close)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("KUBECONFIG", filepath.Join(e.WorkDir, "kubeconfig"))
			e.Setenv("NEWLINE", "\n")
			e.Setenv("KUBECACHEDIR", filepath.Join(e.WorkDir, ".cache"))
			closed, err := closedPort(e.Defer)
			if err != nil {
				return err
			}
			e.Setenv("CLOSED", closed)
			ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: refusing.Certificate().Raw})
			cert, key, err := expiredCertificate()
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(e.WorkDir, "kubeconfig.expired"), []byte(strings.NewReplacer(
				"SERVER", refusing.URL, "AUTHORITY", base64.StdEncoding.EncodeToString(ca),
				"CERT", base64.StdEncoding.EncodeToString(cert), "KEY", base64.StdEncoding.EncodeToString(key),
			).Replace(kubeconfig)), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lines": lines,
		},
	})
}

// lines fails when stdout or stderr holds a line wider than a number of columns.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines stdout|stderr WIDTH")
	}
	var width int
	if _, err := fmt.Sscan(args[1], &width); err != nil {
		ts.Fatalf("lines: %v", err)
	}
	for l := range strings.SplitSeq(ts.ReadFile(args[0]), "\n") {
		if len([]rune(l)) > width {
			ts.Fatalf("a line of %d columns: %q", len([]rune(l)), l)
		}
	}
}

const kubeconfig = `apiVersion: v1
kind: Config
current-context: old
contexts:
- name: old
  context: {cluster: here, user: me}
clusters:
- name: here
  cluster: {server: SERVER, certificate-authority-data: AUTHORITY}
users:
- name: me
  user: {client-certificate-data: CERT, client-key-data: KEY}
`

// unauthorized answers as an API server does to credentials it does not know.
func unauthorized(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`)
}

// closedPort is an address of this machine at which nothing listens, and nobody else
// will until the end: it is the client's end of a connection.
func closedPort(atEnd func(func())) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	atEnd(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return "", err
	}
	atEnd(func() { c.Close() })
	return c.LocalAddr().String(), nil
}

// expiredCertificate is a client certificate of the past, as PEM.
func expiredCertificate() (cert, key []byte, err error) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jo"},
		NotBefore: time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &priv.PublicKey, priv)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalECPrivateKey(priv)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), nil
}
