package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// serveControl changes behaviours at run time: GET / lists the listeners, and
// POST / with the form values listener (protocol or protocol:port) and behaviour sets one.
func serveControl(ctx context.Context, l net.Listener, all []listener, log io.Writer) error {
	s := &http.Server{Handler: controlHandler(all, log), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func controlHandler(all []listener, log io.Writer) http.Handler {
	list := func(w io.Writer) {
		for _, l := range all {
			fmt.Fprintf(w, "%s %s\n", l.label(), l.get())
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { list(w) })
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		changed, err := setBehaviour(all, r.FormValue("listener"), r.FormValue("behaviour"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, l := range changed {
			fmt.Fprintf(log, "changed %s %s\n", l.label(), l.get())
		}
		list(w)
	})
	return mux
}

// setBehaviour changes every listener that the name fits.
func setBehaviour(all []listener, name, text string) ([]listener, error) {
	var changed []listener
	var labels []string
	for _, l := range all {
		labels = append(labels, l.label())
		protocol, _, _ := strings.Cut(l.label(), ":")
		if name != l.label() && name != protocol {
			continue
		}
		b, err := parseBehaviour(protocol, text)
		if err != nil {
			return nil, err
		}
		if err := l.change(b); err != nil {
			return nil, fmt.Errorf("%s: %w", l.label(), err)
		}
		changed = append(changed, l)
	}
	if len(changed) == 0 {
		return nil, fmt.Errorf("no listener %q; there are %s", name, strings.Join(labels, ", "))
	}
	return changed, nil
}

// runSet is the client of the control endpoint, for "kubectl exec".
func runSet(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("svcx-testserver set", flag.ContinueOnError)
	flags.SetOutput(stderr)
	control := flags.String("control", "127.0.0.1:10999", "`ADDRESS` of the control endpoint")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err}
	}
	if flags.NArg() == 0 {
		return usageError{errors.New("nothing to set: give PROTOCOL[:PORT]=BEHAVIOUR")}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// No proxy of the environment: the endpoint is this Pod's own.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i, arg := range flags.Args() {
		name, text, ok := strings.Cut(arg, "=")
		if !ok {
			return usageError{fmt.Errorf("%q is not PROTOCOL[:PORT]=BEHAVIOUR", arg)}
		}
		form := url.Values{"listener": {name}, "behaviour": {text}}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+*control+"/", strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		resp.Body.Close()
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", arg, strings.TrimSpace(string(body)))
		}
		if i == flags.NArg()-1 {
			if _, err := stdout.Write(body); err != nil {
				return err
			}
		}
	}
	return nil
}
