package generate

import (
	"bytes"
	"errors"
	"path"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/validate"
)

// odd are fields of a workload, or beside it, that an API server refuses; field is
// the one that generate names.
var odd = []struct{ field, spec string }{
	{"workload.minReadySeconds", "minReadySeconds: 600"},
	{"workload.readinessProbe.terminationGracePeriodSeconds", "readinessProbe: {tcpSocket: {port: 8080}, terminationGracePeriodSeconds: 5}"},
	{"workload.lifecycle.preStop.httpGet.port", "lifecycle: {preStop: {httpGet: {port: a_b}}}"},
	{"workload.lifecycle.postStart.tcpSocket.port", "lifecycle: {postStart: {tcpSocket: {port: 0}}}"},
	{"workload.resources.requests.example.com/gpu", "resources: {requests: {example.com/gpu: 1}}"},
	{"workload.resources.requests.example.com/gpu", "resources: {requests: {example.com/gpu: 1}, limits: {example.com/gpu: 2}}"},
	{"workload.podSecurityContext.sysctls[0].name", "podSecurityContext: {sysctls: [{name: '', value: '1'}]}"},
	{"workload.podSecurityContext.sysctls[0].name", "podSecurityContext: {sysctls: [{name: A.b, value: '1'}]}"},
	{"workload.podSecurityContext.sysctls[1].name", "podSecurityContext: {sysctls: [{name: a.b, value: '1'}, {name: a.b, value: '1'}]}"},
	{"workload.volumes[0]", "volumes: [{name: v, emptyDir: {medium: Memory}, hostPath: {path: /a}}]"},
	{"workload.volumes[0].configMap.items[0].path", "volumes: [{name: v, configMap: {name: c, items: [{key: a, path: ../x}]}}]"},
	{"workload.volumes[0].configMap.items[0].path", "volumes: [{name: v, configMap: {name: c, items: [{key: a}]}}]"},
	{"workload.volumes[0].secret.items[0].key", "volumes: [{name: v, secret: {secretName: c, items: [{path: a}]}}]"},
	{"workload.volumes[0].projected.sources[0].secret.items[0].path", "volumes: [{name: v, projected: {sources: [{secret: {name: c, items: [{key: a, path: /x}]}}]}}]"},
	{"workload.volumes[0].emptyDir.sizeLimit", "volumes: [{name: v, emptyDir: {sizeLimit: -1}}]"},
	{"workload.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator", required("matchExpressions: [{key: a, operator: Is, values: [b]}]")},
	{"workload.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key", required("matchExpressions: [{key: a b, operator: Exists}]")},
	{"workload.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values", required("matchExpressions: [{key: a, operator: In}]")},
	{"workload.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values", required("matchExpressions: [{key: a, operator: Exists, values: [b]}]")},
	{"workload.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values", required("matchExpressions: [{key: a, operator: Gt, values: ['1', '2']}]")},
	{"workload.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key", required("matchFields: [{key: a, operator: In, values: [b]}]")},
	{"workload.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator", required("matchFields: [{key: metadata.name, operator: Exists}]")},
	{"workload.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].operator",
		"affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: Is}]}}]}}"},
	{"workload.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaceSelector",
		"affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaceSelector: {matchLabels: {a b: c}}}]}}"},
	{"workload.tolerations[0].value", "tolerations: [{key: a, value: b c}]"},
	{"workload.strategy.rollingUpdate.maxSurge", "strategy: {rollingUpdate: {maxSurge: +5%}}"},
	{"workload.strategy.rollingUpdate.maxUnavailable", "strategy: {rollingUpdate: {maxUnavailable: -0%}}"},
	{"workload.updateStrategy.rollingUpdate.maxUnavailable", "kind: StatefulSet\n    updateStrategy: {rollingUpdate: {maxUnavailable: 0}}"},
	{"workload.updateStrategy.rollingUpdate.maxUnavailable", "kind: StatefulSet\n    updateStrategy: {rollingUpdate: {maxUnavailable: 101%}}"},
	{"workload.updateStrategy.rollingUpdate.maxUnavailable", "kind: StatefulSet\n    updateStrategy: {rollingUpdate: {maxUnavailable: all}}"},
	{"podDisruptionBudget.maxUnavailable", "image: example/a\n  podDisruptionBudget: {maxUnavailable: +5%}"},
	{"podDisruptionBudget.minAvailable", "image: example/a\n  podDisruptionBudget: {minAvailable: -0%}"},
	{"workload.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes", "volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {resources: {requests: {storage: 1Gi}}}}}}]"},
	{"workload.volumes[0].nfs.server", "volumes: [{name: v, nfs: {server: '', path: /a}}]"},
	{"workload.securityContext.seccompProfile.localhostProfile", "securityContext: {seccompProfile: {type: Localhost}}"},
	{"workload.securityContext.allowPrivilegeEscalation", "securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}, allowPrivilegeEscalation: false}"},
	{"workload.envFrom[0].secretRef.name", "envFrom: [{secretRef: {name: a_b}}]"},
	{"networkPolicy.from[0].ipBlock.cidr", "image: example/a\n  networkPolicy: {from: [{ipBlock: {cidr: '::ffff:192.0.2.0/120'}}]}"},

	{"workload.tolerations[0].value", "tolerations: [{key: a, operator: Gt, value: b}]"},
	{"workload.topologySpreadConstraints[1]", "topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 2, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]"},
	{"workload.topologySpreadConstraints[0].minDomains", "topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway, minDomains: 2}]"},
	{"workload.volumes[0].hostPath.path", "volumes: [{name: v, hostPath: {path: /a/../b}}]"},
	{"workload.resources.limits.example.com/gpu", "resources: {limits: {example.com/gpu: 500m}}"},
	{"workload.resources.requests.hugepages-2Mi", "resources: {requests: {cpu: 1, hugepages-2Mi: 2Mi}}"},
	{"workload.volumeClaimTemplates[0].accessModes[0]", "kind: StatefulSet\n    volumeClaimTemplates: [{name: v, storage: 1Gi, mountPath: /a, accessModes: [ReadWriteOncePod, ReadWriteOnce]}]"},
	{"horizontalPodAutoscaler.metrics[0].resource", "image: example/a\n  horizontalPodAutoscaler: {maxReplicas: 2, metrics: [{type: Resource}]}"},
	{"horizontalPodAutoscaler.metrics[0].resource.target", "image: example/a\n  horizontalPodAutoscaler: {maxReplicas: 2, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 5, averageValue: 1}}}]}"},
	{"horizontalPodAutoscaler.behavior.scaleDown.stabilizationWindowSeconds", "image: example/a\n  horizontalPodAutoscaler: {maxReplicas: 2, behavior: {scaleDown: {stabilizationWindowSeconds: 4000}}}"},
	{"secrets[0].stringData..dockerconfigjson", "image: example/a\n  secrets: [{name: s, type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: a}}]"},

	// What was refused before, so that both go on saying so.
	{"workload.topologySpreadConstraints[0].maxSkew", "topologySpreadConstraints: [{maxSkew: 0, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]"},
	{"workload.tolerations[0].operator", "tolerations: [{value: a}]"},
	{"workload.livenessProbe.successThreshold", "livenessProbe: {tcpSocket: {port: 8080}, successThreshold: 2}"},
	{"workload.securityContext.runAsUser", "securityContext: {runAsUser: -1}"},
	{"secrets[0].stringData.tls.crt", "image: example/a\n  secrets: [{name: s, type: kubernetes.io/tls, stringData: {tls.key: a}}]"},
	{"workload.env[0].valueFrom.fieldRef", "env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.nope}}}]"},
	{"workload.readinessProbe.httpGet.httpHeaders", "readinessProbe: {httpGet: {port: 8080, httpHeaders: [{name: 'a b', value: c}]}}"},
	{"workload.podSecurityContext.fsGroupChangePolicy", "podSecurityContext: {fsGroupChangePolicy: Never}"},
	{"workload.volumes[0].hostPath.type", "volumes: [{name: v, hostPath: {path: /a, type: Nope}}]"},
	{"workload.securityContext.seccompProfile", "securityContext: {seccompProfile: {type: Nope}}"},
	{"workload.volumes[0].configMap.defaultMode", "volumes: [{name: v, configMap: {name: c, defaultMode: 4096}}]"},
	{"workload.ports", "ports: [{containerPort: 80, protocol: tcp}]"},

	// What limits leaves to the schema, of which validate tells by that.
	{"workload.tolerations[0].operator", "tolerations: [{key: a, operator: Like}]"},
	{"workload.tolerations[0].effect", "tolerations: [{key: a, effect: Never}]"},
	{"workload.topologySpreadConstraints[0].whenUnsatisfiable", "topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ''}]"},
	{"workload.readinessProbe.httpGet.scheme", "readinessProbe: {httpGet: {port: 8080, scheme: ftp}}"},
	{"workload.strategy.type", "strategy: {type: Rolling}"},
	{"workload.updateStrategy.type", "kind: StatefulSet\n    updateStrategy: {type: Rolling}"},
}

func required(term string) string {
	return "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{" + term + "}]}}}"
}

// even are those that look the same and are taken.
var even = []string{
	"minReadySeconds: 599",
	"kind: StatefulSet\n    minReadySeconds: 600",
	"livenessProbe: {tcpSocket: {port: 8080}, terminationGracePeriodSeconds: 5}",
	"lifecycle: {preStop: {httpGet: {port: http}}, postStart: {tcpSocket: {port: 8080}}}",
	"resources: {limits: {example.com/gpu: 1}}",
	"resources: {requests: {example.com/gpu: 1}, limits: {example.com/gpu: 1}}",
	"podSecurityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: '0'}, {name: net/ipv4/tcp_syncookies, value: '1'}]}",
	"volumes: [{name: v, configMap: {name: c, items: [{key: a, path: b/c}]}}, {name: w, projected: {sources: [{secret: {name: s, items: [{key: a, path: b}]}}]}}]",
	required("matchExpressions: [{key: a, operator: Gt, values: ['1']}], matchFields: [{key: metadata.name, operator: In, values: [b]}]"),
}

func oddApp(t *testing.T, fields string) *App {
	t.Helper()
	image := "image: example/a\n    "
	if strings.HasPrefix(fields, "image:") {
		image = ""
	}
	a, err := ParseApp([]byte("apiVersion: svcx/v1alpha1\nkind: App\nmetadata: {name: a}\nspec:\n  service: {ports: [{name: http, port: 80, targetPort: 8080}]}\n  workload:\n    "+image+fields+"\n"), "svcx.yaml")
	if err != nil {
		t.Fatalf("%s: %v", fields, err)
	}
	a.Complete()
	return a
}

// builtBase builds the base of an App, which need not be valid.
func builtBase(t *testing.T, a *App) []byte {
	t.Helper()
	tree := &tree{}
	tree.base(a)
	if tree.err != nil {
		t.Fatal(tree.err)
	}
	fsys := filesys.MakeFsInMemory()
	for _, f := range tree.files {
		if err := fsys.WriteFile(path.Join("/tree", f.Path), f.Data); err != nil {
			t.Fatal(err)
		}
	}
	built, err := kustomizeBuild(fsys, "/tree/base")
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// refusals are what validate has against the base of an App.
func refusals(t *testing.T, a *App) []string {
	t.Helper()
	r, err := validate.Files(t.Context(), []string{"-"}, bytes.NewReader(builtBase(t, a)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range r.Findings {
		if f.Severity == validate.Error {
			out = append(out, f.String())
		}
	}
	return out
}

// What validate refuses in a tree, generate does not write.
func TestValidatorsAgree(t *testing.T) {
	for _, c := range odd {
		a := oddApp(t, c.spec)
		var invalid *InvalidError
		if err := a.Validate(); !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Problems[0].Field, "spec."+c.field) {
			t.Errorf("%s: generate says %v, and not %s", c.spec, err, c.field)
		}
		if len(refusals(t, a)) == 0 {
			t.Errorf("%s: validate accepts it", c.spec)
		}
	}
	usual := oddApp(t, "minReadySeconds: 1") // an affinity that lasts as long as the API server has it last
	usual.Spec.Service.SessionAffinity, usual.Spec.Service.SessionAffinityConfig = corev1.ServiceAffinityClientIP, &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{}}
	if err := usual.Validate(); err != nil {
		t.Error(err)
	}
	for _, spec := range even {
		a := oddApp(t, spec)
		if err := a.Validate(); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
		for _, refused := range refusals(t, a) {
			t.Errorf("%s: validate says %s", spec, refused)
		}
	}
}
