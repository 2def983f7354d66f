package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

func TestRun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	probes := []probe.Probe{{ID: "open", Check: probe.CheckTCP, Address: l.Addr().String()}, {ID: "odd", Check: "gopher"}}
	vars, err := probe.Encode(probes)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, v := range vars {
		env[v[0]] = v[1]
	}
	list, _ := json.Marshal(probes)
	for name, args := range map[string][]string{"environment": nil, "stdin": {"--stdin"}} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			code := run(t.Context(), args, func(k string) string { return env[k] }, bytes.NewReader(list), &out, &errOut)
			if code != 0 || errOut.Len() > 0 {
				t.Fatalf("exit %d, stderr %s", code, &errOut)
			}
			got := map[string]probe.Class{}
			end, err := probe.ReadOutcomes(&out, func(o probe.Outcome) { got[o.Probe] = o.Class })
			if err != nil || end.Count != 2 || got["open"] != probe.ClassOK || got["odd"] != probe.ClassLocal {
				t.Errorf("%v %+v %v", err, end, got)
			}
		})
	}
	t.Run("no list", func(t *testing.T) {
		var out, errOut bytes.Buffer
		code := run(t.Context(), nil, func(string) string { return "" }, nil, &out, &errOut)
		if code != 1 || !strings.Contains(out.String(), `"end":true`) || !strings.Contains(errOut.String(), "no probe list") {
			t.Errorf("exit %d, stdout %s, stderr %s", code, &out, &errOut)
		}
	})
	t.Run("version", func(t *testing.T) {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"--version"}, nil, nil, &out, &out); code != 0 || !strings.Contains(out.String(), version) {
			t.Errorf("exit %d, %s", code, &out)
		}
	})
	t.Run("bad arguments", func(t *testing.T) {
		for _, args := range [][]string{{"--wat"}, {"--within=soon"}, {"--within=-1s"}, {"--attended"}} {
			var out bytes.Buffer
			if code := run(t.Context(), args, nil, nil, &out, &out); code != 1 || !strings.Contains(out.String(), "usage:") {
				t.Errorf("%s: exit %d, want 1; %s", args, code, &out)
			}
		}
	})
	t.Run("the list never comes", func(t *testing.T) {
		in, w := io.Pipe()
		defer w.Close()
		var out, errOut bytes.Buffer
		if code := run(t.Context(), []string{"--stdin", "--within=50ms"}, nil, in, &out, &errOut); code != 1 || !strings.Contains(errOut.String(), "in time") {
			t.Errorf("exit %d, %s", code, &errOut)
		}
	})
	t.Run("whoever started it is gone", func(t *testing.T) {
		// A listener that takes no connection further: the answer never comes.
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		list, _ := json.Marshal([]probe.Probe{{ID: "slow", Check: probe.CheckRedis, Address: silent.Addr().String(), Timeout: time.Hour}})
		in, w := io.Pipe()
		go func() {
			_, _ = w.Write(list)
			conn, err := silent.Accept() // it is asking
			if err == nil {
				defer conn.Close()
			}
			_ = w.Close()
		}()
		var out, errOut bytes.Buffer
		if code := run(t.Context(), []string{"--stdin", "--attended"}, nil, in, &out, &errOut); code != 0 || !strings.Contains(out.String(), string(probe.ClassCanceled)) {
			t.Errorf("exit %d, %s%s", code, &out, &errOut)
		}
	})
}
