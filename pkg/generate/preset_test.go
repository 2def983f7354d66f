package generate

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// seenRunning are the presets whose image was run, verified and had its probes
// answered on a real cluster; the others say what the official images document.
var seenRunning = []string{"redis:alpine"}

// Each known image gets its port, protocol, user, paths and probes, and a Pod
// that the restricted Pod Security standard admits.
func TestPresets(t *testing.T) {
	for _, tt := range []struct {
		image, protocol string
		port            int32
		user            int64
		paths           string
		ready           string
	}{
		{"redis:6.2", "redis", 6379, 10001, "/data", "sh -c"},
		{"redis:alpine", "redis", 6379, 10001, "/data", "redis-cli -e -p 6379 ping"},
		{"valkey/valkey:8", "redis", 6379, 10001, "/data", "valkey-cli -e -p 6379 ping"},
		{"postgres:17", "postgresql", 5432, 999, "/var/lib/postgresql/data /var/run/postgresql /tmp", "pg_isready"},
		{"postgres:17-alpine", "postgresql", 5432, 70, "/var/lib/postgresql/data /var/run/postgresql /tmp", "pg_isready"},
		{"postgres", "postgresql", 5432, 999, "/var/lib/postgresql /var/run/postgresql /tmp", "pg_isready"},
		{"docker.io/library/postgres:18-alpine", "postgresql", 5432, 70, "/var/lib/postgresql /var/run/postgresql /tmp", "pg_isready"},
		{"mysql:8.4", "mysql", 3306, 999, "/var/lib/mysql /var/run/mysqld /tmp", "mysqladmin ping"},
		{"mariadb:11", "mysql", 3306, 999, "/var/lib/mysql /run/mysqld /tmp", "healthcheck.sh"},
		{"mongo:8", "mongodb", 27017, 999, "/data/db /data/configdb /tmp", "tcp mongodb"},
		{"nginx:1.29", "http", 80, 101, "/var/cache/nginx /run /tmp", "http / http"},
		{"httpd:2.4", "http", 80, 33, "/usr/local/apache2/logs /tmp", "http / http"},
		{"memcached:1-alpine", "memcache", 11211, 11211, "", "tcp memcache"},
		{"rabbitmq:4", "amqp", 5672, 999, "/var/lib/rabbitmq /var/log/rabbitmq /tmp", "tcp amqp"},
		{"rabbitmq:4-alpine", "amqp", 5672, 100, "/var/lib/rabbitmq /var/log/rabbitmq /tmp", "tcp amqp"},
		{"nats:2", "nats", 4222, 10001, "/tmp", "tcp nats"},
		{"bitnami/redis:8", "redis", 7000, 10001, "/tmp", "tcp redis"},
		{"example/app:1", "", 7000, 10001, "/tmp", "tcp tcp-7000"},
	} {
		t.Run(tt.image, func(t *testing.T) {
			a := &App{Metadata: Metadata{Name: "a"}, Spec: Spec{Workload: &Workload{Image: tt.image}}}
			if presetKey(tt.image) < 0 {
				a.Spec.Service.Ports = []ServicePort{{Port: tt.port}}
			}
			a.Complete()
			if err := a.Validate(); err != nil {
				t.Fatal(err)
			}
			if p := a.Spec.Service.Ports[0]; p.Port != tt.port || p.AppProtocol != tt.protocol {
				t.Errorf("port %d, %q", p.Port, p.AppProtocol)
			}
			pod := a.deployment().Spec.Template.Spec
			c := pod.Containers[0]
			var paths []string
			for _, m := range c.VolumeMounts {
				paths = append(paths, m.MountPath)
			}
			if *pod.SecurityContext.RunAsUser != tt.user || strings.Join(paths, " ") != tt.paths {
				t.Errorf("user %d, paths %v", *pod.SecurityContext.RunAsUser, paths)
			}
			if got := probeText(c.ReadinessProbe); !strings.HasPrefix(got, tt.ready) {
				t.Errorf("ready when %q, want %q", got, tt.ready)
			}
			if !*pod.SecurityContext.RunAsNonRoot || *c.SecurityContext.AllowPrivilegeEscalation || !*c.SecurityContext.ReadOnlyRootFilesystem || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%+v", c.SecurityContext)
			}
		})
	}
	if !slices.Contains(seenRunning, redisApp().Spec.Workload.Image) {
		t.Error("the example of the README was not seen to run")
	}
}

func probeText(p *corev1.Probe) string {
	switch {
	case p.Exec != nil:
		return strings.Join(p.Exec.Command, " ")
	case p.HTTPGet != nil:
		return "http " + p.HTTPGet.Path + " " + p.HTTPGet.Port.String()
	case p.TCPSocket != nil:
		return "tcp " + p.TCPSocket.Port.String()
	}
	return ""
}

// A claim, a volume or a mount of the Spec takes the place of a known image's.
func TestPresetVolumesGiveWay(t *testing.T) {
	for spec, want := range map[string]string{
		"volumes: [{name: data, hostPath: {path: /srv}}]":                                                      "volumes data, mounts data=/data",
		"volumes: [{name: x, emptyDir: {}}]\n    volumeMounts: [{name: x, mountPath: /data}]":                  "volumes x, mounts x=/data",
		"kind: StatefulSet\n    volumeClaimTemplates: [{name: data, storage: 1Gi}]":                            "volumes , mounts data=/data",
		"kind: StatefulSet\n    volumeClaimTemplates: [{name: disk, storage: 1Gi, mountPath: /data}]":          "volumes , mounts disk=/data",
		"kind: StatefulSet\n    volumeClaimTemplates: [{name: more, storage: 1Gi, mountPath: /var/lib/redis}]": "volumes data, mounts data=/data more=/var/lib/redis",
	} {
		a, err := ParseApp([]byte("apiVersion: svcx/v1alpha1\nkind: App\nmetadata: {name: a}\nspec:\n  service: {}\n  workload:\n    image: redis:8\n    "+spec), "x")
		if err != nil {
			t.Fatal(err)
		}
		a.Complete()
		if err := a.Validate(); err != nil {
			t.Fatal(err)
		}
		known, _ := presetFor("redis:8")
		volumes, mounts := a.volumes(known)
		var v, m []string
		for _, x := range volumes {
			v = append(v, x.Name)
		}
		for _, x := range mounts {
			m = append(m, x.Name+"="+x.MountPath)
		}
		if got := "volumes " + strings.Join(v, " ") + ", mounts " + strings.Join(m, " "); got != want {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for spec, want := range map[string]string{
		"  service: {externalIPs: [192.0.2.1]}\n  workload: {image: redis}":                                                                       "spec.service.externalIPs",
		"  service: {ports: [{port: 6379, nodePort: 4000}]}\n  workload: {image: redis}":                                                          "spec.service.ports[0].nodePort",
		"  service: {publishNotReadyAddresses: true}\n  workload: {image: redis}":                                                                 "spec.service.publishNotReadyAddresses",
		"  service: {type: Headless, sessionAffinity: ClientIP}\n  workload: {image: redis}":                                                      "spec.service.sessionAffinity",
		"  service: {}\n  workload: {image: postgres}":                                                                                            "spec.workload.env",
		"  service: {}\n  workload: {image: postgres, env: [{name: POSTGRES_PASSWORD_FILE, value: /x}]}":                                          "",
		"  service: {}\n  workload: {image: mysql, envFrom: [{secretRef: {name: x}}]}":                                                            "",
		"  service: {}\n  workload: {image: redis}\n  secrets: [{name: s, stringData: {a: b}}]":                                                   "spec.secrets[0].stringData",
		"  service: {}\n  workload: {image: redis}\n  podDisruptionBudget: {minAvailable: 1}":                                                     "spec.podDisruptionBudget",
		"  service: {type: NodePort}\n  workload: {image: redis}\n  networkPolicy: {from: [{podSelector: {}}]}":                                   "spec.networkPolicy.from",
		"  service: {type: NodePort}\n  workload: {image: redis}\n  networkPolicy: {from: [{ipBlock: {cidr: 192.0.2.0/24}}]}":                     "",
		"  service: {type: NodePort}\n  workload: {image: redis}\n  networkPolicy: {from: []}":                                                    "",
		"  service: {}\n  workload: {image: redis}\n  networkPolicy: {from: [{podSelector: {}}]}":                                                 "",
		"  service: {}\n  workload: {image: redis}\n  networkPolicy: {from: [{podSelector: {}}]}\n  overlays: [{name: prod, type: LoadBalancer}]": "spec.networkPolicy.from",
	} {
		a, err := ParseApp([]byte("apiVersion: svcx/v1alpha1\nkind: App\nmetadata: {name: a}\nspec:\n"+spec), "x")
		if err != nil {
			t.Fatal(err)
		}
		a.Complete()
		if err := a.Validate(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range a.Warnings() {
			got = append(got, w.Field)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %q", spec, got, want)
		}
	}
}
