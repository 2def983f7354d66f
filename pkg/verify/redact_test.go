package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// planter makes secrets that are told apart by a number, so that a test's
// failure says where one came through.
type planter struct{ n int }

func (p *planter) one() string {
	p.n++
	return fmt.Sprintf("planted%dX", p.n)
}

// plant fills v with objects in which every place that people keep secrets in
// holds one: each field of the API's types is set, to a depth.
func (p *planter) plant(v reflect.Value, depth int) {
	if v.CanAddr() {
		switch o := v.Addr().Interface().(type) {
		case *metav1.ObjectMeta:
			o.Name, o.Namespace, o.Labels = "demo", "demo", map[string]string{"app": "demo"}
			o.Annotations = map[string]string{"example.com/injected": p.one(), corev1.LastAppliedConfigAnnotation: `{"kind":"Service","metadata":{"annotations":{"x":"` + p.one() + `"}},"spec":{}}`,
				corev1.EndpointsOverCapacity: "token=" + p.one()}
			o.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: p.one(), FieldsV1: metav1.NewFieldsV1(`"` + p.one() + `"`)}}
			return
		case *corev1.EnvVar:
			o.Name, o.Value = fmt.Sprintf("DB_PASSWORD_%d", p.n), p.one()
			return
		case *corev1.HTTPHeader:
			o.Name, o.Value = "X-Api", p.one()
			return
		case *corev1.Container:
			o.Command = []string{"redis-server", "--requirepass", p.one()}
			o.Args = []string{"-a", p.one(), "--password=" + p.one(), "redis://u:" + p.one() + "@h:1", "PGPASSWORD=" + p.one() + " psql",
				"-p", p.one(), "-p" + p.one(), "exec redis-cli -a " + p.one() + " monitor", "-uroot -p" + p.one()}
		case *corev1.EphemeralContainerCommon:
			o.Args = []string{"--auth-token", p.one()}
		case *corev1.ExecAction:
			switch p.n % 3 {
			case 0:
				o.Command = []string{"sh", "-c", "redis-cli --pass " + p.one() + " ping", "--secret", p.one()}
			case 1:
				o.Command = []string{"mysqladmin", "ping", "-uroot", "-p" + p.one()}
			default:
				o.Command = []string{"sh", "-c", "redis-cli -a " + p.one() + " ping; mysql -u root -p '" + p.one() + "'"}
			}
			return
		case *corev1.CSIVolumeSource:
			o.VolumeAttributes = map[string]string{"a": p.one()}
			return
		case *corev1.FlexVolumeSource:
			o.Options = map[string]string{"a": p.one()}
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				switch name := v.Type().Field(i).Name; {
				case f.Kind() == reflect.String && (name == "Message" || name == "Text" || name == "Detail" || name == "Reason"):
					f.SetString(p.sentence())
				case f.Kind() == reflect.String && name == "Path":
					f.SetString("/health?token=" + p.one() + "&x=1")
				default:
					p.plant(f, depth)
				}
			}
		}
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			p.plant(v.Elem(), depth-1)
		}
	case reflect.Slice:
		if depth > 0 && v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			p.plant(v.Index(0), depth-1)
		}
	}
}

// sentence is what programs write into logs and messages.
func (p *planter) sentence() string {
	forms := []string{
		`could not connect to postgres://app:%s@db:5432/app?sslmode=off`, `config: {"password": "%s", "user": "app"}`, `password: '%s'`,
		`Authorization: Bearer %s`, `Authorization: Basic %s`, `starting with --api-key=%s`, `AWS_SECRET_ACCESS_KEY=%s`, `login with password %s failed`,
		`GET /v1?access_token=%s&page=2 HTTP/1.1`, "-----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY-----", `client_secret = "%s"`,
		`jwt eyJhbGciOiJIUzI1NiJ9.%s.c2ln`, `url=amqp://%s@mq/`, `requirepass %s`,
	}
	return fmt.Sprintf(forms[p.n%len(forms)], p.one())
}

// No secret is in a snapshot, wherever it stood.
func TestSnapshotHasNoSecrets(t *testing.T) {
	p := &planter{}
	r := &Recording{}
	p.plant(reflect.ValueOf(r).Elem(), 9)
	for range 20 { // every form of sentence, in a log
		r.Logs = append(r.Logs, ContainerLog{Pod: "demo/demo", Container: "demo", Text: "line\n" + p.sentence() + "\nline"})
	}
	// Known from a variable, it is hidden where no word says what it is.
	r.Pods[0].Spec.Containers[0].Env = append(r.Pods[0].Spec.Containers[0].Env, corev1.EnvVar{Name: "REDIS_PASSWORD", Value: "planted-hunter2"})
	r.Logs = append(r.Logs, ContainerLog{Pod: "demo/demo", Text: "got planted-hunter2, and planted-hunter2 is not it"})
	r.Outcomes = []probe.Outcome{{Probe: "a", Detail: "ERR planted-hunter2", Facts: map[string]string{"banner": "secret: " + p.one()}}}
	r.Probes = []probe.Probe{{ID: "a", Send: p.one(), Command: []string{"redis-cli", "-a", p.one(), "--pass=" + p.one()}},
		{ID: "b", Command: []string{"sh", "-c", "redis-cli -a " + p.one() + " ping"}}}
	var out bytes.Buffer
	if p.n < 300 {
		t.Fatalf("only %d secrets were planted", p.n)
	}
	if err := WriteRecordings(&out, []*Recording{r}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for at := strings.Index(text, "planted"); at >= 0; at = strings.Index(text, "planted") {
		t.Errorf("a secret: %q", text[max(at-120, 0):min(at+40, len(text))])
		text = text[at+7:]
	}
}

// Of a variable only the address of a Service is kept, by which clients are found.
func TestAddressInVariable(t *testing.T) {
	x := &redactor{services: []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "redis"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 6379}}}}}}
	for _, c := range [][3]string{
		{"REDIS_URL", "redis://app:hunter2@redis:6379/0", "***@redis:6379"}, {"REDIS", "redis:6379", "redis:6379"}, {"REDIS_HOST", "redis", "redis"},
		{"REDIS_PASSWORD", "redis", ""}, {"MODE", "redis-cluster", ""}, {"X", "hunter2", ""},
	} {
		if got := x.address(c[0], c[1]); got != c[2] {
			t.Errorf("%s=%s: kept %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

// What says nothing secret stays, since a judgement rests on it.
func TestHideKeeps(t *testing.T) {
	for _, s := range []string{
		"NOAUTH Authentication required.", "password authentication failed for user \"app\"", "the password is wrong", "token expired",
		"http://example.com:80/path", "connect: connection refused", "Secret/redis has no key password", "10.0.0.1:6379", "app@example.com",
		"failed to authorize: 401 Unauthorized", `secret "redis-auth" not found`, "WRONGPASS invalid username-password pair or user is disabled.",
	} {
		if got := hide(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// What -p and -a give beside passwords stays.
func TestArgumentsKeep(t *testing.T) {
	for _, line := range []string{"redis-server -p 6379", "mkdir -p data/dir", "nginx -p /etc/nginx", "app -port=127.0.0.1:8080", "app -p 8080 -path=/x", "psql -p $PORT", "ls -a; exit"} {
		args := []string{"sh", "-c", line}
		(&redactor{}).arguments(args)
		words := strings.Fields(line)
		(&redactor{}).arguments(words)
		if args[2] != line || strings.Join(words, " ") != line && !strings.HasPrefix(line, "mkdir") {
			t.Errorf("%q became %q and %q", line, args[2], words)
		}
	}
}

// Objects whose names are words for secrets are told apart, and judged, as any other.
func TestJudgedAgainByName(t *testing.T) {
	for _, name := range []string{"auth", "oauth", "token", "secret", "my-secret", "api-key"} {
		i := slices.IndexFunc(loadCases(t), func(jc judgeCase) bool { return slices.Contains(jc.Findings, "SVC205") })
		jc := loadCases(t)[i]
		data, _ := json.Marshal(jc.snapshot(t))
		s := &Snapshot{}
		text := strings.NewReplacer("redis-7f9c", name+"-7f9c", "redis:alpine", "reg.io/shop/"+name+":1.4", "demo/redis", "demo/"+name,
			`"name":"redis"`, `"name":"`+name+`"`, `"kubernetes.io/service-name":"redis"`, `"kubernetes.io/service-name":"`+name+`"`).Replace(string(data))
		if err := json.Unmarshal([]byte(text), s); err != nil {
			t.Fatal(err)
		}
		probes := PlanProbes(s, PlanOptions{})
		outcomes := answerAll(probes, jc.Network)
		for i := range outcomes {
			if outcomes[i].Class != probe.ClassOK {
				outcomes[i].Detail = "dial tcp " + name + "-7f9c-a:6379: it failed"
			}
		}
		want, _ := json.Marshal(Judge(s, probes, outcomes))
		ids := fmt.Sprint(probes)
		r := &Recording{Snapshot: *s, Probes: probes, Outcomes: outcomes}
		var file bytes.Buffer
		if err := WriteRecordings(&file, []*Recording{r}); err != nil {
			t.Fatal(err)
		}
		all, err := ReadRecordings(&file)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(all[0].Judge()); !bytes.Equal(got, want) {
			t.Errorf("%s: judged again: %s\nwant %s", name, got, want)
		}
		if got := fmt.Sprint(all[0].Probes); got != ids {
			t.Errorf("%s: probes %s\nwere %s", name, got, ids)
		}
		if got := all[0].Pods[0].Spec.Containers[0].Image; got != "reg.io/shop/"+name+":1.4" {
			t.Errorf("%s: image %s", name, got)
		}
	}
}

// A snapshot, written and read again, is judged as what was seen was.
func TestJudgedAgain(t *testing.T) {
	for _, jc := range loadCases(t) {
		t.Run(jc.Case, func(t *testing.T) {
			s := jc.snapshot(t)
			probes := PlanProbes(s, PlanOptions{Client: jc.Client})
			outcomes := answerAll(probes, jc.Network)
			more := PlanExploration(s, probes, outcomes)
			probes, outcomes = append(probes, more...), append(outcomes, answerAll(more, jc.Network)...)
			want := Judge(s, probes, outcomes)
			var file bytes.Buffer
			if err := WriteRecordings(&file, []*Recording{{Snapshot: *s, Probes: probes, Outcomes: outcomes}}); err != nil {
				t.Fatal(err)
			}
			all, err := ReadRecordings(&file)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := json.MarshalIndent(all[0].Judge(), "", " ")
			if want, _ := json.MarshalIndent(want, "", " "); !bytes.Equal(got, want) {
				i := 0
				for i < min(len(got), len(want)) && got[i] == want[i] {
					i++
				}
				t.Errorf("judged again: …%.300s\nwant …%.300s", got[max(i-100, 0):], want[max(i-100, 0):])
			}
		})
	}
}
