package generate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestValidate(t *testing.T) {
	long := strings.Repeat("a", 64)
	port := func(change func(p *ServicePort)) func(a *App) {
		return func(a *App) { change(&a.Spec.Service.Ports[0]) }
	}
	external := func(name string) func(a *App) {
		return func(a *App) { a.Spec.Service.ExternalName = name }
	}
	image := func(ref string) func(a *App) {
		return func(a *App) { a.Spec.Workload.Image = ref }
	}
	tests := []struct {
		name   string
		change func(a *App)
		want   string // "field: part of the reason or of the next step"; empty: valid
	}{
		{"the example", func(*App) {}, ""},
		{"no name", func(a *App) { a.Metadata.Name = "" }, "metadata.name: is missing"},
		{"name with capitals", func(a *App) { a.Metadata.Name = "Redis" }, "metadata.name: capital letters"},
		{"name with a dot", func(a *App) { a.Metadata.Name = "a.b" }, "metadata.name: may hold only lower-case"},
		{"name that leads out of the tree", func(a *App) { a.Metadata.Name = "../etc" }, "metadata.name: may hold only lower-case"},
		{"name of 64", func(a *App) { a.Metadata.Name = long }, "metadata.name: has 64 letters; 63 is the most"},
		{"name of 63", func(a *App) { a.Metadata.Name = long[1:] }, ""},
		{"name with a dash at its end", func(a *App) { a.Metadata.Name = "a-" }, "metadata.name: begins or ends with '-'"},
		{"namespace", func(a *App) { a.Metadata.Namespace = "my_ns" }, "metadata.namespace: may hold only"},
		{"version", func(a *App) { a.APIVersion = "svcx/v9" }, "apiVersion: svcx/v1alpha1"},
		{"kind", func(a *App) { a.Kind = "Deployment" }, "kind: App"},

		{"Service name that begins with a digit", func(a *App) { a.Spec.Service.Name = "1redis" }, "spec.service.name: before 1.36"},
		{"Service name of 64", func(a *App) { a.Spec.Service.Name = long }, "spec.service.name: 63 is the most"},
		{"app's name that is no Service name", func(a *App) { a.Metadata.Name, a.Spec.Service.Name = "1redis", "" }, "spec.service.name: before 1.36"},
		{"unknown type", func(a *App) { a.Spec.Service.Type = "LoadBlancer" }, "spec.service.type: did you mean LoadBalancer?"},
		{"type in another case", func(a *App) { a.Spec.Service.Type = "nodePORT" }, ""},
		{"type without an external name", func(a *App) { a.Spec.Service.Type, a.Spec.Service.ExternalName = ExternalName, "" }, "spec.service.externalName: is missing"},
		{"type without a workload", func(a *App) { a.Spec.Service.Type, a.Spec.Workload = NodePort, nil }, "spec.workload: is missing"},
		{"alias", func(a *App) { a.Spec.Workload = nil }, ""},

		{"no image", image(""), "spec.workload.image: is missing"},
		{"image with capitals", image("Redis:alpine"), "spec.workload.image: did you mean redis:alpine?"},
		{"image with a space", image("redis: alpine"), "spec.workload.image: white space"},
		{"image as a URL", image("https://registry.example.com/redis"), "spec.workload.image: is a URL"},
		{"image with a bad tag", image("redis:-x"), "spec.workload.image: malformed tag"},
		{"image with an empty tag", image("redis:"), "spec.workload.image: malformed tag"},
		{"image with a short digest", image("redis@sha256:abcd"), "spec.workload.image: malformed digest"},
		{"image that ends in a slash", image("team/"), "spec.workload.image: empty part"},
		{"image of letters that none has", image("re$dis"), "spec.workload.image: malformed name"},
		{"image that is too long", image(strings.Repeat("a/", 128) + "a"), "spec.workload.image: more than 255"},
		{"image from a registry with a port", image("localhost:5000/a/b_c__d-e.f:1@sha256:" + strings.Repeat("0", 64)), ""},
		{"image from an IPv6 registry", image("[fd00::1]:5000/redis"), ""},
		{"replicas", func(a *App) { a.Spec.Workload.Replicas = int32p(-1) }, "spec.workload.replicas: 0 or more"},
		{"no replicas", func(a *App) { a.Spec.Workload.Replicas = int32p(0) }, ""},
		{"argument with NUL", func(a *App) { a.Spec.Workload.Args = []string{"ok", "a\x00b"} }, "spec.workload.args[1]: control characters"},
		{"argument that kustomize cannot build", func(a *App) { a.Spec.Workload.Args = []string{"\x7f"} }, "spec.workload.args[0]: control characters"},
		{"command that is no text", func(a *App) { a.Spec.Workload.Command = []string{"\xff"} }, "spec.workload.command[0]: not UTF-8"},

		{"port 0", port(func(p *ServicePort) { p.Port = 0 }), "spec.service.ports[0].port: 1 to 65535"},
		{"port 65536", port(func(p *ServicePort) { p.Port = 65536 }), "spec.service.ports[0].port: 1 to 65535"},
		{"port -1", port(func(p *ServicePort) { p.Port = -1 }), "spec.service.ports[0].port: 1 to 65535"},
		{"port 65535", port(func(p *ServicePort) { p.Port = 65535 }), ""},
		{"target port", port(func(p *ServicePort) { p.TargetPort = intstr.FromInt32(70000) }), "spec.service.ports[0].targetPort: 1 to 65535"},
		{"protocol", port(func(p *ServicePort) { p.Protocol = "tpc" }), "spec.service.ports[0].protocol: did you mean TCP?"},
		{"protocol in lower case", port(func(p *ServicePort) { p.Protocol = "sctp" }), ""},
		{"port name of 64", port(func(p *ServicePort) { p.Name = long }), "spec.service.ports[0].name: 63 is the most"},
		{"port name of 63", port(func(p *ServicePort) { p.Name = long[1:] }), ""},
		{"port name of digits", port(func(p *ServicePort) { p.Name = "8080" }), ""},
		{"port name with --", port(func(p *ServicePort) { p.Name = "a--b" }), ""},
		{"two port names that no container's port has", func(a *App) {
			a.Spec.Service.Ports = []ServicePort{{Port: 80, Name: "80"}, {Port: 81, Name: "81"}}
		}, ""},
		{"a container's port name of digits", func(a *App) {
			a.Spec.Workload.Ports = []corev1.ContainerPort{{ContainerPort: 9121, Name: "9121"}}
		}, "spec.workload.ports[0].name: no letter"},
		{"port name with capitals", port(func(p *ServicePort) { p.Name = "Redis" }), "spec.service.ports[0].name: capital"},
		{"appProtocol", port(func(p *ServicePort) { p.AppProtocol = "h2 c" }), "spec.service.ports[0].appProtocol: such as http"},
		{"the same port twice", func(a *App) {
			a.Spec.Service.Ports = []ServicePort{{Port: 80}, {Port: 80, Name: "b"}}
		}, "spec.service.ports[1].port: is there twice with protocol TCP"},
		{"the same port with two protocols", func(a *App) {
			a.Spec.Service.Ports = []ServicePort{{Port: 53}, {Port: 53, Protocol: "UDP"}}
		}, ""},
		{"the same port name twice", func(a *App) {
			a.Spec.Service.Ports = []ServicePort{{Port: 80, Name: "a"}, {Port: 81, Name: "a"}}
		}, "spec.service.ports[1].name: is there twice"},
		{"no port of an unknown image", func(a *App) {
			a.Spec.Workload.Image, a.Spec.Service.Ports = "example/app", nil
		}, "spec.service.ports: is missing"},
		{"no port of a known image", func(a *App) { a.Spec.Service.Ports = nil }, ""},

		{"external IPv4 address", external("10.0.0.7"), "spec.service.externalName: is an IP address"},
		{"external IPv6 address", external("fd00::7"), "spec.service.externalName: is an IP address"},
		{"external address in brackets with a port", external("[fd00::7]:80"), "spec.service.externalName: is an IP address"},
		{"external URL", external("redis://db.example.com"), "spec.service.externalName: is a URL"},
		{"external host and port", external("db.example.com:6379"), "spec.service.externalName: has a port"},
		{"external capitals", external("DB.example.com"), "spec.service.externalName: write db.example.com"},
		{"external underscore", external("a_b.example.com"), "spec.service.externalName: is not a host name"},
		{"external long part", external(long + ".example.com"), "spec.service.externalName: more than 63"},
		{"external long name", external(strings.Repeat("a.", 127) + "a"), "spec.service.externalName: 253 at the most"},
		{"external dots", external("a..b"), "spec.service.externalName: is not a host name"},
		{"external name with a dot at its end", external("db.example.com."), ""},
		{"external name of one part", external("db"), ""},
		{"alias of itself", func(a *App) {
			a.Metadata.Namespace, a.Spec.Service.ExternalName = "prod", "redis-svc.prod.svc.cluster.local"
		}, "spec.service.externalName: alias of itself"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := redisApp()
			test.change(a)
			a.Complete()
			err := a.Validate()
			if test.want == "" {
				if err != nil {
					t.Errorf("error is %v", err)
				}
				return
			}
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("error is %v", err)
			}
			field, words, _ := strings.Cut(test.want, ": ")
			if len(invalid.Problems) != 1 {
				t.Errorf("%d problems:\n%v", len(invalid.Problems), err)
			}
			if p := invalid.Problems[0]; p.Field != field || !strings.Contains(p.Reason+"; "+p.Next, words) {
				t.Errorf("problem is %+v, want %s", p, test.want)
			}
			if _, err := Files(a); err == nil {
				t.Error("Files takes it")
			}
		})
	}
}

func TestValidateTellsEverythingAtOnce(t *testing.T) {
	a := &App{
		Metadata: Metadata{Name: "Redis", Namespace: "-"},
		Spec: Spec{
			Workload: &Workload{Image: ":", Replicas: int32p(-2)},
			Service:  Service{Name: "x_y", Type: "Nodeprt", ExternalName: "1.2.3.4", Ports: []ServicePort{{Port: 0, Protocol: "UPD", Name: "-"}}},
		},
	}
	a.Complete()
	err := a.Validate()
	var fields []string
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		for _, p := range invalid.Problems {
			fields = append(fields, p.Field)
		}
	}
	want := "[metadata.name metadata.namespace spec.workload.image spec.workload.replicas spec.service.type spec.service.name spec.service.externalName spec.service.ports[0].port spec.service.ports[0].protocol spec.service.ports[0].name]"
	if fmt.Sprint(fields) != want {
		t.Errorf("problems of %v, want %s", fields, want)
	}
	if strings.Count(err.Error(), "\n") != len(fields)-1 {
		t.Errorf("not one line each:\n%v", err)
	}
}

func TestParseServiceType(t *testing.T) {
	for in, want := range map[string]ServiceType{
		"ClusterIP": ClusterIP, "clusterIP": ClusterIP, "CLUSTERIP": ClusterIP, "cluster-ip": ClusterIP, " clusterip ": ClusterIP,
		"nodePort": NodePort, "load_balancer": LoadBalancer, "externalname": ExternalName, "headless": Headless,
	} {
		if got, err := ParseServiceType(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"LoadBlancer": `unknown Service type "LoadBlancer"; did you mean LoadBalancer?; one of ClusterIP, NodePort, LoadBalancer, ExternalName, Headless`,
		"nodeprot":    `unknown Service type "nodeprot"; did you mean NodePort?; one of ClusterIP, NodePort, LoadBalancer, ExternalName, Headless`,
		"\x1b[2J":     `unknown Service type "\x1b[2J"; one of ClusterIP, NodePort, LoadBalancer, ExternalName, Headless`,
		"":            `unknown Service type ""; one of ClusterIP, NodePort, LoadBalancer, ExternalName, Headless`,
	} {
		if _, err := ParseServiceType(in); err == nil || err.Error() != want {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestComplete(t *testing.T) {
	port := func(image string, ports ...ServicePort) *App {
		return &App{Metadata: Metadata{Name: "app"}, Spec: Spec{Workload: &Workload{Image: image}, Service: Service{Ports: ports}}}
	}
	tests := map[string]struct {
		app  *App
		want string // name port target protocol appProtocol
	}{
		"a known image":                    {port("docker.io/library/redis:8"), "redis 6379 6379 TCP redis"},
		"valkey":                           {port("valkey/valkey:9"), "redis 6379 6379 TCP redis"},
		"nginx":                            {port("nginx"), "http 80 80 TCP http"},
		"a known image on another port":    {port("redis", ServicePort{Port: 7000}), "redis 7000 6379 TCP redis"},
		"a known image told where":         {port("redis", ServicePort{Port: 7000, TargetPort: intstr.FromInt32(7000)}), "redis 7000 7000 TCP redis"},
		"an image that says what it is":    {port("bitnami/redis", ServicePort{Port: 7000}), "redis 7000 7000 TCP redis"},
		"a well-known port":                {port("x", ServicePort{Port: 5432}), "postgresql 5432 5432 TCP postgresql"},
		"a well-known target":              {port("x", ServicePort{Port: 9, TargetPort: intstr.FromInt32(443)}), "https 9 443 TCP https"},
		"a well-known port, other target":  {port("x", ServicePort{Port: 80, TargetPort: intstr.FromInt32(3000)}), "http 80 3000 TCP http"},
		"nothing to tell by":               {port("x", ServicePort{Port: 12345}), "tcp-12345 12345 12345 TCP "},
		"a name that tells":                {port("x", ServicePort{Port: 80, Name: "grpc-api"}), "grpc-api 80 80 TCP grpc"},
		"a name that says nothing":         {port("x", ServicePort{Port: 80, Name: "tcp-raw"}), "tcp-raw 80 80 TCP "},
		"what was asked":                   {port("redis", ServicePort{Port: 6379, AppProtocol: "example.com/mine"}), "tcp-6379 6379 6379 TCP example.com/mine"},
		"UDP on a TCP port":                {port("x", ServicePort{Port: 443, Protocol: "udp"}), "udp-443 443 443 UDP "},
		"DNS on both":                      {port("x", ServicePort{Port: 53, Protocol: "UDP"}, ServicePort{Port: 53}), "dns 53 53 UDP domain, dns-tcp 53 53 TCP domain"},
		"three of a kind":                  {port("x", ServicePort{Port: 80}, ServicePort{Port: 8080}, ServicePort{Port: 8000, AppProtocol: "http"}), "http 80 80 TCP http, http-tcp 8080 8080 TCP http, http-8000 8000 8000 TCP http"},
		"a name that another takes":        {port("x", ServicePort{Port: 80}, ServicePort{Port: 81, Name: "http"}), "http-tcp 80 80 TCP http, http 81 81 TCP http"},
		"an alias":                         {&App{Spec: Spec{Service: Service{ExternalName: "a.b", Ports: []ServicePort{{Port: 6379}}}}}, "redis 6379 0 TCP redis"},
		"an alias without ports":           {&App{Spec: Spec{Service: Service{ExternalName: "a.b"}}}, ""},
		"two ports, not the image's, both": {port("redis", ServicePort{Port: 6379}, ServicePort{Port: 9121}), "redis 6379 6379 TCP redis, tcp-9121 9121 9121 TCP "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 { // completing twice changes nothing
				test.app.Complete()
				var got []string
				for _, p := range test.app.Spec.Service.Ports {
					got = append(got, fmt.Sprint(p.Name, " ", p.Port, " ", p.TargetPort.String(), " ", p.Protocol, " ", p.AppProtocol))
				}
				if s := strings.Join(got, ", "); s != test.want {
					t.Errorf("ports are %q, want %q", s, test.want)
				}
			}
		})
	}
	a := port("redis")
	a.Complete()
	if a.Spec.Service.Type != ClusterIP || a.Spec.Service.Name != "app" || a.Kind != Kind || a.APIVersion != APIVersion {
		t.Errorf("%+v", a)
	}
}

func TestPresetFor(t *testing.T) {
	for image, user := range map[string]int64{
		"mongo": 999, "mongo:8": 999, "docker.io/library/mongo": 999, "registry.lab:5000/mongo": 999,
		"mongo@sha256:" + strings.Repeat("0", 64): 999,
		"nginx:1.29":    101,
		"bitnami/mongo": 10001, "example.com/team/mongo": 10001, "Mongo": 10001, "": 10001,
	} {
		if p, known := presetFor(image); p.user != user || known != (user != 10001) {
			t.Errorf("%s: %v, user %d", image, known, p.user)
		}
	}
	for image, shell := range map[string]bool{"redis:6.2-alpine": true, "redis:5": true, "redis:7": false, "redis:10.1": false, "redis:alpine": false, "redis": false} {
		a := redisApp()
		a.Spec.Workload.Image = image
		a.Complete()
		command := a.deployment().Spec.Template.Spec.Containers[0].ReadinessProbe.Exec.Command
		if (command[0] == "sh") != shell {
			t.Errorf("%s is asked with %q", image, command)
		}
	}
}
