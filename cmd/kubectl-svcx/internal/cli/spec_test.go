package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/generate"
)

func TestParseOverlay(t *testing.T) {
	for flag, want := range map[string]string{
		"dev":           "dev      ",
		"dev=clusterip": "dev ClusterIP     ",
		"prod=load-balancer,namespace=shop,replicas=3,image=redis:8": "prod LoadBalancer shop 3 redis:8  ",
		"prod,tag=8,type=headless":                                   "prod Headless    8",
		"stage=ExternalName,external-name=redis.example.com":         "stage ExternalName    redis.example.com ",
	} {
		o, err := parseOverlay(flag)
		replicas := ""
		if o.Replicas != nil {
			replicas = fmt.Sprint(*o.Replicas)
		}
		got := strings.Join([]string{o.Name, string(o.Type), o.Namespace, replicas, o.Image, o.ExternalName, o.tag}, " ")
		if err != nil || strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: %q, %v; want %q", flag, got, err, want)
		}
	}
	if o, err := parseOverlay("dev-"); err != nil || !o.remove || o.Name != "dev" {
		t.Errorf("%+v, %v", o, err)
	}
	for flag, want := range map[string]string{
		"":                             "the name is missing",
		"=NodePort":                    "the name is missing",
		"prod=NodPort":                 "did you mean NodePort?",
		"prod,replica=3":               "did you mean replicas?",
		"prod,replicas=many":           "is not a number",
		"prod,replicas=99999999999":    "is out of range",
		"prod,namespace":               "has no value",
		"prod,image=a,tag=b":           "image and tag are both given",
		"prod,tag=a,tag=b":             "is there twice",
		"prod=NodePort,type=ClusterIP": "type is there twice",
	} {
		if _, err := parseOverlay(flag); err == nil || !strings.Contains(fmt.Sprint(err, hintsOf(err)), want) {
			t.Errorf("%q: %v, want %q", flag, err, want)
		}
	}
}

func hintsOf(err error) string {
	type hinter interface{ Hints() []string }
	if h, ok := err.(hinter); ok {
		return strings.Join(h.Hints(), " ")
	}
	return ""
}

func TestSpecFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	app, err := parseApp(t, strings.Fields("redis --image=redis:alpine --env=A=b=c --overlay=dev,namespace=dev --overlay=prod=LoadBalancer,tag=8 --set=service.ports[0].nodePort=30080 --set=service.externalTrafficPolicy=Local"))
	if err != nil {
		t.Fatal(err)
	}
	prod := app.Environment("prod")
	if app.Environment("dev").Namespace != "dev" || prod.Type != generate.LoadBalancer || prod.Image != "redis:8" ||
		app.Spec.Workload.Env[0].Value != "b=c" || app.Spec.Service.ExternalTrafficPolicy != "Local" {
		t.Errorf("%+v", app.Spec)
	}
	for args, want := range map[string]string{
		"redis --image=redis --overlay=nope-":                 `no overlay "nope" to remove`,
		"redis --image=redis --env=A":                         "is not KEY=VALUE",
		"redis --image=redis --set=service.typ=NodePort":      "did you mean type?",
		"db --external-name=x.example.com --env=A=b":          "an alias runs nothing",
		"redis --image=redis --overlay=dev=ExternalName":      "externalName is missing",
		"redis --image=redis --set=service.loadBalancerClass": "is not FIELD=VALUE",
	} {
		if _, err := parseApp(t, strings.Fields(args)); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), ": is", " is"), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
