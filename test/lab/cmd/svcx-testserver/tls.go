package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// tlsConfig makes a self-signed certificate for the names asked for, or nil without TLS.
func tlsConfig(s spec) (*tls.Config, error) {
	if !s.tls {
		return nil, nil
	}
	key, err := certificateKey(s.weak)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	notAfter := time.Now().Add(s.expires)
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: s.names[0]},
		// Valid for a time even when it ends in the past.
		NotBefore:   notAfter.Add(-365 * 24 * time.Hour),
		NotAfter:    notAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// Its own authority, so that a client can be told to trust it.
		IsCA: true, BasicConstraintsValid: true,
	}
	for _, name := range s.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	if s.expires > 364*24*time.Hour {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if s.starts > 0 {
		template.NotBefore, template.NotAfter = time.Now().Add(s.starts), time.Now().Add(s.starts+s.expires)
	}
	parent, signer := template, key
	if s.issued {
		// An authority that lives only here; the certificate is not one itself.
		if signer, err = certificateKey(false); err != nil {
			return nil, err
		}
		authority := *template
		authority.Subject.CommonName = "svcx-testserver authority"
		parent, template.IsCA = &authority, false
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	if s.clientCert {
		config.ClientAuth = tls.RequireAnyClientCert
	}
	switch s.protocol {
	case "http", "https":
		config.NextProtos = []string{"http/1.1"}
	case "grpc":
		config.NextProtos = []string{"h2"}
	}
	return config, nil
}

// certificateKey makes a key; a weak one has the fewest bits that are still used.
func certificateKey(weak bool) (crypto.Signer, error) {
	if weak {
		return rsa.GenerateKey(rand.Reader, 1024)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}
