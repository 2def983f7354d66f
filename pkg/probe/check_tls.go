package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"
)

// askTLS wants a handshake to complete.
func askTLS(ctx context.Context, a *attempt) error {
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	if _, err := a.startTLS(ctx, conn); err != nil {
		return err
	}
	a.detail = "TLS handshake"
	return nil
}

// tlsConfig returns the client's side of a handshake. It records the peer's
// certificate as facts, and fails where every client would: a certificate out
// of its time, or one without the name that the probe asks for. An authority
// unknown here is only a fact, since the clients of a cluster have their own.
func (a *attempt) tlsConfig() *tls.Config {
	return &tls.Config{
		ServerName: a.serverName(),
		MinVersion: tls.VersionTLS12,
		// Verification is done below, where each finding can be told apart.
		InsecureSkipVerify: true,
		VerifyConnection:   a.verifyTLS,
	}
}

func (a *attempt) serverName() string {
	if a.probe.ServerName != "" {
		return a.probe.ServerName
	}
	host, _, err := net.SplitHostPort(a.probe.Address)
	if err != nil || strings.Contains(host, "/") {
		return ""
	}
	return host
}

func (a *attempt) verifyTLS(cs tls.ConnectionState) error {
	a.fact("tls", tls.VersionName(cs.Version))
	a.fact("alpn", cs.NegotiatedProtocol)
	if len(cs.PeerCertificates) == 0 {
		return errors.New("tls: the peer sent no certificate")
	}
	leaf := cs.PeerCertificates[0]
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && leaf.Subject.CommonName != "" {
		names = append(names, "CN="+leaf.Subject.CommonName)
	}
	a.fact("certNames", strings.Join(names, " "))
	a.fact("certNotAfter", leaf.NotAfter.UTC().Format(time.RFC3339))
	a.fact("certIssuer", leaf.Issuer.String())

	pool := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		pool.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Intermediates: pool}); err != nil {
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			return err
		}
		a.fact("certTrust", err.Error())
	}
	// Verify reports an unknown authority before the leaf's own dates.
	now := time.Now()
	if now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired}
	}
	if a.probe.ServerName != "" {
		if err := leaf.VerifyHostname(a.probe.ServerName); err != nil {
			return err
		}
	}
	return nil
}

// tlsError sorts a failed handshake; a peer that speaks something else is named.
func (a *attempt) tlsError(err error) error {
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		first := a.conn.seenFirst()
		detail := "the peer does not speak TLS: " + firstBytes(first)
		if peer := sniff(first); peer != "" {
			a.fact("peer", peer)
		}
		return seen(ClassTLS, detail)
	}
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) {
		return seen(ClassTLS, verify.Err.Error())
	}
	return err
}
