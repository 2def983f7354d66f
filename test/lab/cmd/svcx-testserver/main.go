// Command svcx-testserver plays the application behind a Service in the lab: HTTP, gRPC
// health, TCP and UDP echo and a small Redis, each on chosen addresses, plain or inside
// TLS, and each able to misbehave in the ways that real applications do.
//
//	svcx-testserver --http=:8080 --https=:8443,names=shop.example,expires=-24h \
//	    --tcp=127.0.0.1:9000 --udp=:5353 --grpc=:50051,status=NOT_SERVING \
//	    --redis=:6379,loading --control=127.0.0.1:10999
//	svcx-testserver set --control=127.0.0.1:10999 http=slow=2s redis:6379=normal
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(exitCode(run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func exitCode(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "svcx-testserver:", err)
		return 2
	}
	fmt.Fprintln(stderr, "svcx-testserver:", err)
	return 1
}

// run serves until ctx ends, or changes a running server for "set".
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "set" {
		return runSet(ctx, args[1:], stdout, stderr)
	}
	var specs []spec
	flags := flag.NewFlagSet("svcx-testserver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	for _, protocol := range protocols {
		flags.Func(protocol.name, protocol.help+"; `ADDRESS[,OPTION…]`, repeatable", func(value string) error {
			s, err := parseSpec(protocol.name, value)
			specs = append(specs, s)
			return err
		})
	}
	control := flags.String("control", "", "serve the endpoint that changes behaviours on `ADDRESS`")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: svcx-testserver --PROTOCOL=ADDRESS[,OPTION…]… [--control=ADDRESS]\n"+
			"       svcx-testserver set --control=ADDRESS PROTOCOL[:PORT]=BEHAVIOUR…\n\n")
		flags.PrintDefaults()
		fmt.Fprint(stderr, "\nOptions: tls, names=A+B (of the certificate), expires=DURATION (of the certificate, from now;\n"+
			"negative has expired), starts=DURATION, weak and issued (of the certificate, too: valid later, a\n"+
			"short key, an unknown authority), client-cert (clients must show one), username=NAME and password=SECRET (redis), and one behaviour:\n"+behaviourHelp)
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("unexpected argument %q", flags.Arg(0))}
	}
	if len(specs) == 0 {
		return usageError{errors.New("nothing to serve: give at least one of --http, --https, --grpc, --tcp, --udp, --redis")}
	}
	return serve(ctx, specs, *control, stdout)
}

// protocols in the order of the help text.
var protocols = []struct{ name, help string }{
	{"http", "HTTP/1.1, and HTTP/2 without TLS"},
	{"https", "HTTP over TLS, with a certificate of its own"},
	{"grpc", "gRPC health checking"},
	{"tcp", "TCP echo"},
	{"udp", "UDP echo"},
	{"redis", "enough of Redis to answer PING, ROLE, INFO and its errors"},
}
