package cli

import (
	"errors"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/apply"
	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
)

// everyField has what any type has a use for, so that each change has something to
// take away.
const everyField = `apiVersion: svcx/v1alpha1
kind: App
metadata: {name: web}
spec:
  workload: {image: "nginx:1.29"}
  service:
    ports: [{name: http, port: 80, nodePort: 30080}, {name: http-udp, port: 80, protocol: UDP, nodePort: 30080}]
    externalTrafficPolicy: Local
    sessionAffinity: ClientIP
    ipFamilies: [IPv4]
    ipFamilyPolicy: SingleStack
    loadBalancerClass: example.com/internal
    loadBalancerSourceRanges: [192.0.2.0/24]
    allocateLoadBalancerNodePorts: false
    healthCheckNodePort: 31080
    externalName: web.example.com
  overlays: [{name: prod, type: TYPE}]
`

// byHand are patches that a person writes for a type beside what is generated.
var byHand = map[generate.ServiceType]string{
	generate.ClusterIP:    "spec:\n  internalTrafficPolicy: Local\n",
	generate.NodePort:     "spec:\n  externalTrafficPolicy: Local\n  ports:\n  - port: 80\n    protocol: TCP\n    nodePort: 30081\n",
	generate.LoadBalancer: "  annotations:\n    service.beta.kubernetes.io/load-balancer-source-ranges: 198.51.100.0/24\nspec:\n  loadBalancerClass: example.com/mine\n  loadBalancerSourceRanges:\n  - 198.51.100.0/24\n  healthCheckNodePort: 31081\n",
	generate.Headless:     "spec:\n  clusterIP: None\n  publishNotReadyAddresses: true\n",
}

// What retype leaves is valid, from each type to each, also of what a person wrote for
// the old one. pkg/generate has those changes that nobody has edited; into an alias and
// out of it the overlay has other files, in which no patch of the other kind has a place.
func TestRetypeLeavesAValidTree(t *testing.T) {
	for from := range byHand {
		for to := range byHand {
			if from == to {
				continue
			}
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				inFolder(t, map[string]string{"web/svcx.yaml": strings.Replace(everyField, "TYPE", string(from), 1)})
				svcx := func(args ...string) ran {
					t.Helper()
					r := runWith(t, t.Context(), &fakeCluster{}, nil, args...)
					if r.code != 0 {
						t.Fatalf("%v: exit %d\n%s%s", args, r.code, r.out, r.err)
					}
					return r
				}
				svcx("generate", "--dir=web")
				patchByHand(t, "web/overlays/prod/", byHand[from])
				svcx("retype", "web", "--overlay=prod", "--type="+string(to))
				svcx("validate", "--strict", "web")
				want := "\n  type: " + strings.Replace(string(to), "Headless", "ClusterIP", 1) + "\n"
				if out := svcx("generate", "--dir=web", "--overlay=prod", "-o", "yaml").out; !strings.Contains(out, want) || strings.Contains(out, "clusterIP: None") != (to == generate.Headless) {
					t.Errorf("it is not %s:\n%s", to, out)
				}
			})
		}
	}
}

// What the API server will do is said in a dry run too; where it cannot be asked, why.
func TestRetypeSaysWhatTheServerDoes(t *testing.T) {
	inFolder(t, map[string]string{"web/svcx.yaml": strings.Replace(everyField, "type: TYPE", "type: NodePort, namespace: shop", 1)})
	if r := runWith(t, t.Context(), &fakeCluster{}, nil, "generate", "--dir=web"); r.code != 0 {
		t.Fatal(r.err)
	}
	live := &fakeCluster{transition: &apply.Transition{From: "NodePort", To: "ClusterIP", Effects: []string{"the node ports are given up"}, Interrupts: true}}
	retype := []string{"retype", "web", "--overlay=prod", "--type=ClusterIP"}
	r := runWith(t, t.Context(), live, nil, append(retype, "--dry-run")...)
	wants(t, "a dry run", r.out, "live       Service/web  NodePort → ClusterIP\n           the node ports are given up\n           clients are interrupted\n")
	if len(live.objs) != 1 || live.objs[0].GetNamespace() != "shop" || strings.Contains(r.out, "diff -k") {
		t.Errorf("asked of %v\n%s", live.objs, r.out)
	}
	for what, err := range map[string]error{
		`forbidden: user "jo" may not get services in namespace "shop"`: apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "web",
			errors.New(`User "jo" cannot get resource "services" in API group "" in the namespace "shop"`)),
		"something else": errors.New("something else\nand more of it"),
	} {
		c := &fakeCluster{planErr: &apiError{err: err}}
		r := runWith(t, t.Context(), c, nil, append(retype, "--dry-run")...)
		wants(t, "a dry run", r.out, "live       not asked: "+what+"\n           a Service as the tree had it:  NodePort → ClusterIP\n")
	}
	r = runWith(t, t.Context(), live, nil, retype...)
	wants(t, "the run", r.out, "clients are interrupted: see it first with kubectl svcx diff -k web/overlays/prod")
}

func patchByHand(t *testing.T, overlay, fields string) {
	t.Helper()
	patch := "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n" + fields
	if err := os.WriteFile(overlay+"hand.yaml", []byte(patch), 0o644); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(overlay + "kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// Behind the generated patch, so that it wins.
	const generated = "- path: service-patch.yaml\n"
	text := strings.Replace(string(data), generated, generated+"- path: hand.yaml\n", 1)
	if text == string(data) {
		t.Fatalf("nothing is patched there:\n%s", data)
	}
	if err := os.WriteFile(overlay+"kustomization.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What is proposed goes to the cluster, the user and the namespace that were named.
func TestProposedForTheSameCluster(t *testing.T) {
	inFolder(t, map[string]string{
		"web/svcx.yaml": strings.Replace(everyField, "TYPE", "NodePort", 1),
		"db.yaml":       "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {type: ExternalName, externalName: db.example.com}\n",
	})
	flags := []string{"-n", "shop", "--context=prod", "--tls-server-name=api", "--as=jo", "--as-uid=7", "--as-group=dev", "--as-group=on call", "--token=secret"}
	const same = " -n shop --context=prod --tls-server-name=api --as=jo --as-uid=7 --as-group=dev --as-group='on call'\n"
	for _, c := range []struct{ args, want string }{
		{"retype web --overlay=prod --type=LoadBalancer", "kubectl svcx apply -k web/overlays/prod"},
		{"import -f db.yaml", "kubectl svcx diff -k db/overlays/externalname"},
	} {
		r := runWith(t, t.Context(), &fakeCluster{}, nil, append(strings.Fields(c.args), flags...)...)
		if r.code != 0 {
			t.Errorf("%s: exit %d\n%s", c.args, r.code, r.err)
		}
		wants(t, c.args, r.out, c.want+same)
	}
}
