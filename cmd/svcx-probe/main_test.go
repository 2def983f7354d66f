package main

import (
	"bytes"
	"encoding/json"
	"net"
	"strings"
	"testing"

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
	t.Run("unknown argument", func(t *testing.T) {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"--wat"}, nil, nil, &out, &out); code != 1 {
			t.Errorf("exit %d, want 1", code)
		}
	})
}
