package probe

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nobody is whom root starts a server as: databases refuse to be root.
const nobody = 65534

// server is a real one with a folder of its own.
type server struct {
	*testing.T
	dir string
}

func newServer(t *testing.T) *server {
	t.Helper()
	// One of the test's own (t.TempDir) lies below a folder that only root may enter.
	dir, err := os.MkdirTemp("", "svcx-server-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &server{T: t, dir: dir}
	d.give(dir)
	return d
}

// give makes a path the server's own.
func (d *server) give(path string) {
	d.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chown(path, nobody, nobody); err != nil {
		d.Fatal(err)
	}
}

func (d *server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = d.dir
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

// run waits for a program that prepares the server's data.
func (d *server) run(program string, args ...string) {
	d.Helper()
	if out, err := d.command(d.Context(), program, args...).CombinedOutput(); err != nil {
		d.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// serve starts the server, which ends with the test. Some go by the name that they
// are called by.
func (d *server) serve(program, called string, args ...string) {
	d.Helper()
	var said bytes.Buffer
	cmd := d.command(context.Background(), program, args...)
	cmd.Args[0] = called
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // Postgres: at once, its children too
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if d.Failed() {
			d.Logf("the server said:\n%s", said.String())
		}
	})
}

// certificate writes one and its key, which only the server may read.
func (d *server) certificate() (certFile, keyFile string) {
	d.Helper()
	cert := certificate(d.T, time.Now().Add(time.Hour), "db.default.svc")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		d.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(d.dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			d.Fatal(err)
		}
		d.give(path)
		return path
	}
	return write("tls.crt", "CERTIFICATE", cert.Certificate[0]), write("tls.key", "PRIVATE KEY", key)
}

// asks wants the check to find that the server takes logins, once it has started.
func (d *server) asks(check Check, address string, encrypted bool) Outcome {
	d.Helper()
	p := Probe{Check: check, Address: address, TLS: encrypted, Timeout: 5 * time.Second, Settle: 30 * time.Second}
	out := askOne(d.T, p, Options{})
	// While it starts, Postgres answers that it does.
	for end := time.Now().Add(30 * time.Second); strings.HasPrefix(out.Detail, "57P03") && time.Now().Before(end); {
		out = askOne(d.T, p, Options{})
	}
	if out.Class != ClassOK || out.Detail != "takes logins" {
		d.Errorf("%s, TLS %t: %+v", check, encrypted, out)
	}
	return out
}

// found returns the first of the programs that this machine has.
func found(t *testing.T, what string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if matches, _ := filepath.Glob(name); len(matches) > 0 {
			return matches[len(matches)-1]
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("%s DID NOT RUN: this machine has no %s; the tests beside it ask what stands in for one", t.Name(), what)
	return ""
}

// TestRealPostgres asks a real server, with and without TLS.
func TestRealPostgres(t *testing.T) {
	postgres := found(t, "Postgres", "/usr/lib/postgresql/*/bin/postgres", "postgres")
	d := newServer(t)
	data := filepath.Join(d.dir, "data")
	d.run(filepath.Join(filepath.Dir(postgres), "initdb"), "-D", data, "-A", "scram-sha-256", "--pwfile=/proc/version", "-N")
	cert, key := d.certificate()
	host, port := ownAddress(t)
	address := net.JoinHostPort(host, port)
	d.serve(postgres, postgres, "-D", data, "-p", port, "-h", host, "-k", d.dir, "-c", "ssl=on", "-c", "ssl_cert_file="+cert, "-c", "ssl_key_file="+key)
	if out := d.asks(CheckPostgres, address, false); out.Facts["sslOffered"] != "yes" {
		t.Errorf("a server with TLS: %+v", out)
	}
	if out := d.asks(CheckPostgres, address, true); out.Facts["certNames"] != "db.default.svc" {
		t.Errorf("its certificate: %+v", out)
	}
	if out := askOne(t, Probe{Check: CheckRedis, Address: address, Timeout: 5 * time.Second}, Options{}); out.Class != ClassClosed {
		t.Errorf("asked as Redis: %+v", out)
	}
}

// TestRealMySQL asks a real server, with and without TLS.
func TestRealMySQL(t *testing.T) {
	mysqld := found(t, "MariaDB or MySQL", "mariadbd", "mysqld", "/usr/sbin/mariadbd", "/usr/sbin/mysqld")
	d := newServer(t)
	data := filepath.Join(d.dir, "data")
	cert, key := d.certificate()
	host, port := ownAddress(t)
	address := net.JoinHostPort(host, port)
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	d.give(data)
	// Without tables of users MariaDB starts from an empty folder, and takes all logins.
	d.serve(mysqld, mysqld, "--no-defaults", "--skip-grant-tables", "--datadir="+data, "--port="+port, "--bind-address="+host,
		"--socket="+filepath.Join(d.dir, "socket"), "--ssl-cert="+cert, "--ssl-key="+key)
	out := d.asks(CheckMySQL, address, false)
	if version := out.Facts["version"]; version == "" || strings.HasPrefix(version, "5.5.5-") || out.Facts["sslOffered"] != "yes" {
		t.Errorf("%+v", out)
	}
	if out := d.asks(CheckMySQL, address, true); out.Facts["certNames"] != "db.default.svc" {
		t.Errorf("its certificate: %+v", out)
	}
	if out := askOne(t, Probe{Check: CheckRedis, Address: address, Timeout: 5 * time.Second}, Options{}); out.Class != ClassProtocol || out.Facts["peer"] != "mysql" {
		t.Errorf("asked as Redis: %+v", out)
	}
}

// TestRealRedis asks a real server that wants a password.
func TestRealRedis(t *testing.T) {
	// The same program, in the package that brings no service, has the second name.
	redis := found(t, "Redis", "redis-server", "redis-check-rdb")
	d := newServer(t)
	host, port := ownAddress(t)
	address := net.JoinHostPort(host, port)
	d.serve(redis, "redis-server", "--port", port, "--bind", host, "--save", "", "--dir", d.dir, "--requirepass", "secret")
	p := Probe{Check: CheckRedis, Address: address, Timeout: 5 * time.Second, Settle: 30 * time.Second}
	out := askOne(t, p, Options{})
	if out.Class != ClassErrorReply || !strings.HasPrefix(out.Detail, "-NOAUTH") {
		t.Errorf("without a password: %+v", out)
	}
	p.PasswordEnv = "P"
	out = askOne(t, p, Options{Getenv: func(string) string { return "wrong" }})
	if out.Class != ClassErrorReply || !strings.HasPrefix(out.Detail, "-WRONGPASS") {
		t.Errorf("with a wrong password: %+v", out)
	}
	p.Attempts = 4
	out = askOne(t, p, Options{Getenv: func(string) string { return "secret" }})
	if out.Class != ClassOK || out.Answers != 4 || len(out.Backends) != 1 || out.Facts["role"] != "master" {
		t.Errorf("with the password: %+v", out)
	}
}

// ownAddress returns a host and port for a server that cannot choose its port. The host
// is one of the 16 million of loopback, so that the port, once given back, is not what
// another test's client or server gets.
func ownAddress(t *testing.T) (host, port string) {
	t.Helper()
	host = fmt.Sprintf("127.%d.%d.%d", 1+rand.N(254), rand.N(256), 1+rand.N(254))
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return host, port
}
