package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
)

const aTree = `apiVersion: svcx/v1alpha1
kind: App
metadata:
  name: redis
spec:
  workload:
    image: redis:alpine
    replicas: 3
  service:
    name: redis-svc
    type: NodePort
    ports:
    - port: 6379
      targetPort: 6380
`

// parseApp reads args as up and generate do, as far as the app.
func parseApp(t *testing.T, args []string) (*generate.App, error) {
	t.Helper()
	p := newProgram(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &bytes.Buffer{}, ErrOut: &bytes.Buffer{}}, func(string) string { return "" })
	var app *generate.App
	f := &appFlags{}
	cmd := &cobra.Command{Use: "up", SilenceErrors: true, SilenceUsage: true, RunE: func(cmd *cobra.Command, args []string) error {
		if err := f.complete(cmd, p, args); err != nil {
			return err
		}
		if err := f.validate(cmd); err != nil {
			return err
		}
		var err error
		app, err = f.app(cmd)
		return err
	}}
	f.add(cmd)
	addGlobalFlags(cmd, p)
	cmd.SetFlagErrorFunc(flagError)
	cmd.SetArgs(args)
	return app, cmd.ExecuteContext(t.Context())
}

func TestAppFromFlags(t *testing.T) {
	const pinned = "    - {name: db, port: 6379, nodePort: 30679, appProtocol: redis, protocol: tcp}\n"
	top, _, _ := strings.Cut(aTree, "    - port: 6379")
	inFolder(t, map[string]string{"there/svcx.yaml": aTree, "pinned/svcx.yaml": top + pinned})
	for _, c := range []struct {
		name  string
		args  string
		check func(*generate.App) bool
	}{
		{"new", "web --image=nginx --port=80:8080/tcp --replicas=2 --type=loadbalancer --service-name=web-svc -n shop", func(a *generate.App) bool {
			p := a.Spec.Service.Ports[0]
			return a.Metadata.Name == "web" && a.Metadata.Namespace == "shop" && a.Spec.Workload.Image == "nginx" && *a.Spec.Workload.Replicas == 2 &&
				a.Spec.Service.Name == "web-svc" && a.Spec.Service.Type == generate.LoadBalancer && p.Port == 80 && toJSON(t, p.TargetPort) == "8080" && p.Protocol == "TCP"
		}},
		{"known image", "redis --image=redis:alpine", func(a *generate.App) bool {
			return a.Spec.Service.Type == generate.ClusterIP && len(a.Spec.Service.Ports) == 1 && a.Spec.Service.Ports[0].Port == 6379 && a.Spec.Workload.Replicas == nil
		}},
		{"the tutorial's spelling", "redis --image=redis --type=clusterIP", func(a *generate.App) bool { return a.Spec.Service.Type == generate.ClusterIP }},
		{"several ports", "dns --image=coredns --port=53/UDP --port=53/TCP", func(a *generate.App) bool {
			return len(a.Spec.Service.Ports) == 2 && a.Spec.Service.Ports[0].Protocol == "UDP"
		}},
		{"target port", "web --image=nginx --port=80 --target-port=8080", func(a *generate.App) bool { return toJSON(t, a.Spec.Service.Ports[0].TargetPort) == "8080" }},
		{"command", "redis --image=redis -- redis-server --bind 127.0.0.1", func(a *generate.App) bool {
			return strings.Join(a.Spec.Workload.Command, " ") == "redis-server --bind 127.0.0.1"
		}},
		{"alias", "db --external-name=db.example.com --port=5432", func(a *generate.App) bool {
			return a.Spec.Workload == nil && a.Spec.Service.Type == generate.ExternalName
		}},
		{"tree as it is", "--dir=there", func(a *generate.App) bool {
			return *a.Spec.Workload.Replicas == 3 && a.Spec.Service.Type == generate.NodePort && toJSON(t, a.Spec.Service.Ports[0].TargetPort) == "6380"
		}},
		{"tree by name", "redis --dir=there --type=Headless", func(a *generate.App) bool {
			return *a.Spec.Workload.Replicas == 3 && a.Spec.Service.Type == generate.Headless && a.Spec.Service.Name == "redis-svc"
		}},
		{"tree changed", "--dir=there --image=redis:8 --replicas=1 --target-port=7000", func(a *generate.App) bool {
			return a.Spec.Workload.Image == "redis:8" && *a.Spec.Workload.Replicas == 1 && toJSON(t, a.Spec.Service.Ports[0].TargetPort) == "7000"
		}},
		{"port of a tree, whose name and node port stay", "--dir=pinned --port=6379:6380 --port=8080", func(a *generate.App) bool {
			return toJSON(t, a.Spec.Service.Ports[0]) == `{"name":"db","port":6379,"targetPort":6380,"protocol":"TCP","appProtocol":"redis","nodePort":30679}` &&
				len(a.Spec.Service.Ports) == 2 && a.Spec.Service.Ports[1].Name == "http"
		}},
		{"target port of a tree that is not said again", "--dir=there --port=6379", func(a *generate.App) bool { return toJSON(t, a.Spec.Service.Ports[0].TargetPort) == "6380" }},
		{"another protocol is another port", "--dir=pinned --port=6379/UDP", func(a *generate.App) bool {
			p := a.Spec.Service.Ports[0]
			return len(a.Spec.Service.Ports) == 1 && p.Protocol == "UDP" && p.NodePort == 0 && p.Name != "db"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			app, err := parseApp(t, strings.Fields(c.args))
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(app) {
				t.Errorf("%+v %+v", app, app.Spec.Workload)
			}
		})
	}
}

func TestAppErrors(t *testing.T) {
	inFolder(t, map[string]string{
		"there/svcx.yaml": aTree,
		"typo/svcx.yaml":  strings.Replace(aTree, "replicas:", "replica:", 1),
		"bad/svcx.yaml":   strings.Replace(aTree, "port: 6379", "port: 70000", 1),
	})
	for _, c := range []struct {
		name string
		args string
		want []string
	}{
		{"nothing", "", []string{"NAME is missing", "--image=IMAGE"}},
		{"no image", "redis", []string{"--image is missing", "--external-name=HOST"}},
		{"the tree has almost that name", "theer --type=NodePort", []string{"--image is missing", "there is no tree in theer; did you mean there?"}},
		{"no host", "db --type=ExternalName", []string{"--external-name is missing"}},
		{"two names", "a b --image=x", []string{`unexpected argument "b"`, "behind --"}},
		{"type", "redis --image=redis --type=LoadBlancer", []string{`--type: unknown Service type "LoadBlancer"; did you mean LoadBalancer?`, "one of ClusterIP"}},
		{"empty type", "redis --image=redis --type=", []string{"--type: unknown Service type"}},
		{"port text", "redis --image=redis --port=redis", []string{`--port: "redis" is not a number`, "1 to 65535"}},
		{"port 0", "redis --image=redis --port=0", []string{"--port: 0 is out of range"}},
		{"port 65536", "redis --image=redis --port=65536", []string{"--port: 65536 is out of range"}},
		{"port huge", "redis --image=redis --port=99999999999999999999", []string{"--port: 99999999999999999999 is out of range"}},
		{"port negative", "redis --image=redis --port=-1", []string{"--port: -1 is out of range"}},
		{"port target", "redis --image=redis --port=80:x", []string{`--port: "x" is the name of no TCP port of the workload`, "or give its number"}},
		{"port protocol", "redis --image=redis --port=80/TPC", []string{"unknown value", "did you mean TCP?"}},
		{"port junk", "redis --image=redis --port=80:1:2", []string{`--port: "80:1:2" is not a port`, "PORT[:TARGETPORT][/PROTOCOL]"}},
		{"target port", "redis --image=redis --target-port=70000", []string{"--target-port: 70000 is out of range"}},
		{"target of many", "redis --image=redis --port=1 --port=2 --target-port=3", []string{"--target-port", "several ports"}},
		{"same port twice", "redis --image=redis --port=80 --port=80", []string{"--port:", "twice"}},
		{"replicas text", "redis --image=redis --replicas=two", []string{`--replicas: "two" is not a whole number`}},
		{"replicas negative", "redis --image=redis --replicas=-1", []string{"--replicas:", "negative"}},
		{"name", "Redis --image=redis", []string{`NAME: "Redis"`, "capital"}},
		{"long name", strings.Repeat("a", 64) + " --image=redis", []string{"NAME:", "63"}},
		{"service name", "redis --image=redis --service-name=1redis", []string{`--service-name: "1redis"`}},
		{"set", "redis --image=redis --set=workload.serviceAccountName=A_b", []string{`--set workload.serviceAccountName: "A_b"`}},
		{"set in a list", "redis --image=redis --port=80 --set=service.ports[0].name=BAD", []string{`--set service.ports[0].name: "BAD"`}},
		{"set of more than what is wrong", "redis --image=Redis --set=service.annotations={a:b}", []string{`--image: "Redis"`}},
		{"image", "redis --image=Redis", []string{`--image: "Redis"`}},
		{"empty image", "redis --image=", []string{"--image:", "missing"}},
		{"external address", "db --external-name=10.0.0.1", []string{`--external-name: "10.0.0.1"`, "IP address"}},
		{"namespace", "redis --image=redis -n Shop_1", []string{`--namespace: "Shop_1"`}},
		{"unknown flag", "redis --imaeg=redis", []string{"unknown flag --imaeg; did you mean --image?"}},
		{"no value", "redis --image", []string{"--image needs a value"}},
		{"another tree", "web --dir=there", []string{`there is the tree of "redis", not of "web"`, "--dir"}},
		{"no tree", "--dir=nowhere", []string{"NAME is missing", "nowhere/svcx.yaml does not exist"}},
		{"typo in the tree", "--dir=typo", []string{"typo/svcx.yaml:8", "replica", "replicas"}},
		{"bad value in the tree", "--dir=bad", []string{"bad/svcx.yaml:13", "ports[0].port", "70000"}},
		{"flag on a tree", "--dir=there --service-name=X", []string{`--service-name: "X"`}},
		{"tree without host", "--dir=there --type=ExternalName", []string{"externalName", "missing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseApp(t, strings.Fields(c.args))
			if err == nil {
				t.Fatal("accepted")
			}
			msg, hints := explain(err)
			wants(t, "the error", msg+"\n"+strings.Join(hints, "\n"), c.want...)
		})
	}
}
