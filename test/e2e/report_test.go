//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/report"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/verify"
)

// hostile is a Redis that answers with terminal escapes, whose Pods and Service
// say more of them, and an app that dies with some in its last words.
const hostile = `apiVersion: apps/v1
kind: Deployment
metadata: {name: hostile, annotations: {evil: "\e[2J<script>alert(1)</script>"}}
spec:
  selector: {matchLabels: {app: hostile}}
  template:
    metadata: {labels: {app: hostile}, annotations: {evil: "\e[2J<script>alert(1)</script>"}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: app
        image: kubectlsvcx/svcx-testserver
        args: ["--redis=:6379,escapes"]
        env: [{name: REDIS_PASSWORD, value: planted-secret}]
        ports: [{name: redis, containerPort: 6379}]
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: hostile, annotations: {evil: "\e[2J<script>alert(1)</script>"}}
spec:
  selector: {app: hostile}
  ports: [{name: redis, port: 6379, targetPort: redis}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dying}
spec:
  selector: {matchLabels: {app: dying}}
  template:
    metadata: {labels: {app: dying}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: app
        image: kubectlsvcx/svcx-testserver
        args: ["--redis=:6379,\e[31m<script>alert(1)</script>\e]0;x\a planted-secret"]
        env: [{name: REDIS_PASSWORD, value: planted-secret}]
        ports: [{name: redis, containerPort: 6379}]
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: dying}
spec:
  selector: {app: dying}
  ports: [{name: redis, port: 6379, targetPort: redis}]
`

// TestHostileReports wants nothing that commands a terminal, and no markup, in
// any format; and a snapshot without the secrets that is judged as what was seen.
func TestHostileReports(t *testing.T) {
	t.Parallel()
	ns, dir := namespace(t, restricted), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hostile.yaml"), []byte(hostile), 0o644); err != nil {
		t.Fatal(err)
	}
	kubectl(t, dir, "apply", "-n", ns, "-f", "hostile.yaml").want(t, 0)
	svcx(t, dir, "verify", "hostile", "-n", ns, "--for=endpoints", "--wait", "--timeout=60s").want(t, 0)

	r := svcx(t, dir, "verify", "-n", ns, "--in-cluster", "-o", "snapshot").want(t, 2)
	snapshot := r.stdout
	if err := os.WriteFile(filepath.Join(dir, "seen.json"), []byte(snapshot), 0o644); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(snapshot, "planted-secret") {
		t.Error("a secret is in the snapshot")
	}
	// The other Service's app dies and comes back, which changes what there is to see.
	live := summary(svcx(t, dir, "verify", "hostile", "-n", ns, "--in-cluster", "-o", "json").want(t, 2).verdict(t))
	again := summary(svcx(t, dir, "verify", "--snapshot", "seen.json", "-o", "json").want(t, 2).verdict(t))
	if !strings.Contains(again, live) || !strings.Contains(again, "dying failed") {
		t.Errorf("judged again:\n%s\nlive:\n%s", again, live)
	}
	for _, f := range append(report.VerdictFormats(), "snapshot") {
		r := svcx(t, dir, "verify", "-n", ns, "-o", string(f)).want(t, 2)
		if i := strings.IndexFunc(r.stdout+r.stderr, func(x rune) bool { return unicode.Is(unicode.C, x) && x != '\n' }); i >= 0 {
			t.Errorf("-o %s: a control character: %q", f, (r.stdout + r.stderr)[max(i-60, 0):i+1])
		}
		if (f == report.HTML || f == report.JUnit) && strings.Contains(r.stdout, "<script") {
			t.Errorf("-o %s: markup", f)
		}
	}
}

// summary is what a verdict says, without what differs from run to run.
func summary(v verify.Verdict) string {
	var lines []string
	for _, s := range v.Services {
		ids := []string{}
		for _, f := range s.Findings {
			ids = append(ids, f.ID)
		}
		lines = append(lines, s.Name+" "+string(s.State)+" ["+strings.Join(ids, " ")+"]")
		for _, c := range s.Checks {
			lines = append(lines, "  "+c.Name+" "+string(c.State))
		}
	}
	return strings.Join(lines, "\n")
}

// TestUpThatCannotStart wants a verdict on stdout, in every case, and exit 2.
func TestUpThatCannotStart(t *testing.T) {
	t.Parallel()
	ns, dir := namespace(t, restricted), t.TempDir()
	r := svcx(t, dir, "up", "web", "--image=registry.invalid/nothing", "--port=80", "-n", ns, "-o", "json", "--timeout=60s").want(t, 2)
	v := r.verdict(t)
	if v.State != verify.StateFailed || len(v.Services) != 1 || len(v.Services[0].Findings) == 0 || !strings.HasPrefix(v.Services[0].Findings[0].ID, "SVC3") {
		data, _ := json.Marshal(v)
		t.Errorf("%s\n%s", data, r)
	}
	r.contains(t, "error: Deployment/web")
	// A change that nobody agreed to leaves the tree as it was.
	before, err := os.ReadFile(filepath.Join(dir, "web/svcx.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	svcx(t, dir, "up", "--dir", "web", "--type=Headless", "-n", ns).want(t, 1).contains(t, "--yes")
	after, err := os.ReadFile(filepath.Join(dir, "web/svcx.yaml"))
	if err != nil || string(after) != string(before) {
		t.Errorf("svcx.yaml has changed: %v\n%s", err, after)
	}
}
