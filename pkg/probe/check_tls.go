package probe

import (
	"cmp"
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
		// There is none to give; it is only seen that the server asks.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			a.certAsked = true
			return &tls.Certificate{}, nil
		},
	}
}

// remoteAlert is how crypto/tls begins what the peer says against a handshake.
const remoteAlert = "remote error: tls"

// alertWait is how long a server may take to refuse a client without a certificate.
const alertWait = 500 * time.Millisecond

// refusesUncertified shakes hands once more and sends nothing. With TLS 1.3 a
// server says only after the handshake that it wants a certificate, and closes:
// who is writing by then sees the one or the other.
func (a *attempt) refusesUncertified(ctx context.Context) bool {
	if a.probe.Check != CheckHTTPS && a.probe.Check != CheckRedis && a.probe.Check != CheckGRPC {
		return false // others do not begin with a handshake
	}
	again := &attempt{probe: a.probe, opts: a.opts}
	defer again.close()
	conn, err := again.dial(ctx)
	if err == nil {
		conn, err = again.startTLS(ctx, conn)
	}
	if err == nil {
		_ = conn.SetReadDeadline(time.Now().Add(alertWait))
		_, err = conn.Read(make([]byte, 1))
	}
	return err != nil && strings.Contains(err.Error(), remoteAlert)
}

func (a *attempt) serverName() string {
	if name := cmp.Or(a.probe.ServerName, a.probe.SNI); name != "" {
		return name
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
