package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// seenError is a failure that a check has already sorted.
type seenError struct {
	class  Class
	detail string
}

func (e *seenError) Error() string { return string(e.class) + ": " + e.detail }

// seen returns an error of the class given.
func seen(class Class, detail string) error { return &seenError{class: class, detail: detail} }

// DialError is for a Dialer that knows what class its failure is of, since the
// connecting was done somewhere else.
type DialError struct {
	Class Class
	Text  string
}

// Error returns the text.
func (e *DialError) Error() string { return e.Text }

// errTooMuch ends an attempt whose peer sends without end.
var errTooMuch = errors.New("the peer sent more than 64 KiB without an end")

// classify sorts an error of an attempt. connected says whether the connection
// had been opened when it came; ctx is the attempt's own context.
func classify(ctx context.Context, err error, connected bool) (Class, string) {
	var s *seenError
	if errors.As(err, &s) {
		return s.class, s.detail
	}
	var d *DialError
	if errors.As(err, &d) && !errors.Is(ctx.Err(), context.Canceled) {
		return d.Class, d.Text
	}
	if errors.Is(err, errTooMuch) {
		return ClassProtocol, errTooMuch.Error()
	}
	// The attempt's own end closes the connection, which shows as many errors.
	switch {
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(err, context.Canceled):
		return ClassCanceled, "canceled"
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		if connected {
			return ClassNoAnswer, "connected, but no answer in time"
		}
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return ClassNameFailed, "no answer from DNS in time"
		}
		return ClassTimeout, "no connection in time"
	}
	return classifyError(err, connected)
}

// classifyError sorts by the error alone.
func classifyError(err error, connected bool) (Class, string) {
	detail := err.Error()
	var dns *net.DNSError
	if errors.As(err, &dns) {
		if dns.IsNotFound {
			return ClassNameUnknown, detail
		}
		return ClassNameFailed, detail
	}
	if isTLS(err) {
		return ClassTLS, detail
	}
	var nerr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return ClassRefused, "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN), errors.Is(err, syscall.ENETDOWN):
		return ClassUnreachable, detail
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return ClassLocal, detail
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &nerr) && nerr.Timeout(), errors.Is(err, syscall.ETIMEDOUT):
		if connected {
			return ClassNoAnswer, "connected, but no answer in time"
		}
		return ClassTimeout, "no connection in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe), errors.Is(err, syscall.ECONNABORTED):
		return ClassClosed, "the peer closed the connection"
	}
	return classifyText(detail, connected)
}

// isTLS reports whether err came out of a TLS handshake.
func isTLS(err error) bool {
	var (
		record  tls.RecordHeaderError
		alert   tls.AlertError
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) ||
		errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) ||
		strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "remote error: tls")
}

// classifyText sorts an error that arrived as text, as a port-forward's does:
// it was an error on the node, and only its words came through.
func classifyText(text string, connected bool) (Class, string) {
	low := strings.ToLower(text)
	switch {
	case strings.Contains(low, "connection refused"), strings.Contains(low, "actively refused"): // the latter on Windows
		return ClassRefused, "connection refused"
	case strings.Contains(low, "no route to host"), strings.Contains(low, "network is unreachable"), strings.Contains(low, "unreachable host"), strings.Contains(low, "unreachable network"):
		return ClassUnreachable, text
	case strings.Contains(low, "i/o timeout"), strings.Contains(low, "timed out"):
		if connected {
			return ClassNoAnswer, text
		}
		return ClassTimeout, text
	case strings.Contains(low, "connection reset"), strings.Contains(low, "broken pipe"), strings.Contains(low, "forcibly closed"):
		return ClassClosed, text
	}
	if connected {
		return ClassProtocol, text
	}
	return ClassLocal, text
}

// ClassifyText sorts the text of an error that happened while dialing
// somewhere else and reached this process only in words.
func ClassifyText(text string) Class {
	class, _ := classifyText(text, false)
	return class
}
