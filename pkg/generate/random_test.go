package generate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// words are texts that one YAML reader or another takes for something else, or
// that are hard to write in it.
var words = []string{
	"redis", "on", "y", "no", "null", "~", "1", "1e3", "0x1f", "1_000", "12:30:45", "2024-01-01", ".inf", "=", "<<", "true",
	"- a", "a: b", "a #b", "#", "'", "\"", "\\", "%", "@", "`", "!x", "&x", "*x", "{}", "[]", "|", ">", "?", ":", "---", "...",
	" x", "x ", "\n", "\nx", "x\n", "x\n\n", " x\ny", "a\tb", "\tx\ny", "a\r\nb", "é", "日本", "🚀", "\u2028", "\u200b", "", strings.Repeat("long words ", 40),
}

// details are values of the fields that a Spec may have beside name, image and
// ports, as svcx.yaml holds them; WORD is one of words.
var details = []struct {
	field  string
	values []string
}{
	{"service.labels", []string{`{"on": "off", "empty": ""}`, `{app.kubernetes.io/part-of: shop, version: "1"}`}},
	{"service.annotations", []string{`{example.com/a: WORD, example.com/b: WORD}`}},
	{"service.externalTrafficPolicy", []string{"Local", "Cluster"}},
	{"service.internalTrafficPolicy", []string{"Local", "Cluster"}},
	{"service.trafficDistribution", []string{"PreferClose", "PreferSameZone", "PreferSameNode"}},
	{"service.sessionAffinity", []string{"ClientIP", "None"}},
	{"service.sessionAffinityConfig", []string{"{clientIP: {timeoutSeconds: 1}}", "{clientIP: {timeoutSeconds: 86400}}"}},
	{"service.ipFamilyPolicy", []string{"SingleStack", "PreferDualStack", "RequireDualStack"}},
	{"service.ipFamilies", []string{"[IPv4]", "[IPv6]", "[IPv6, IPv4]"}},
	{"service.loadBalancerClass", []string{"example.com/internal"}},
	{"service.loadBalancerSourceRanges", []string{"[192.0.2.0/24]", "[0.0.0.0/0, 2001:db8::/32]"}},
	{"service.allocateLoadBalancerNodePorts", []string{"false", "true"}},
	{"service.healthCheckNodePort", []string{"31999"}},
	{"service.externalIPs", []string{"[192.0.2.10]", "[2001:db8::1, 192.0.2.10]"}},
	{"service.publishNotReadyAddresses", []string{"true"}},
	{"service.ports[0].name", []string{"peers", "http-admin", "x1"}},
	{"service.ports[0].nodePort", []string{"31998"}},
	{"workload.kind", []string{"StatefulSet", "Deployment"}},
	{"workload.replicas", []string{"0", "1", "4"}},
	{"workload.imagePullPolicy", []string{"Always", "IfNotPresent", "Never"}},
	{"workload.imagePullSecrets", []string{"[{name: registry}, {name: other}]"}},
	{"workload.command", []string{"[WORD]", "[/bin/sh, -c, WORD]"}},
	{"workload.args", []string{"[WORD, WORD]", "[WORD]"}},
	{"workload.ports", []string{"[{name: metrics, containerPort: 9113}]", "[{name: admin, containerPort: 9000}, {name: gossip, containerPort: 7946, protocol: UDP}]"}},
	{"workload.env", []string{
		"[{name: A, value: WORD}, {name: B, value: WORD}]",
		"[{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]",
		"[{name: P, valueFrom: {secretKeyRef: {name: elsewhere, key: password, optional: true}}}, {name: C, valueFrom: {configMapKeyRef: {name: c, key: KEY}}}]",
	}},
	{"workload.envFrom", []string{"[{configMapRef: {name: c}}]", "[{prefix: X_, secretRef: {name: elsewhere, optional: true}}]"}},
	{"workload.resources", []string{
		"{requests: {cpu: 0.5, memory: 0.5Gi}}", "{requests: {cpu: 1000m, memory: 1e3}, limits: {cpu: 2, memory: 1M}}",
		"{limits: {ephemeral-storage: 1Gi, example.com/gpu: 1}, requests: {cpu: 1m}}",
	}},
	{"workload.check", []string{
		"{type: exec, command: [/check, WORD]}", "{type: http, path: /healthz}", "{type: https, port: 8443}", "{type: grpc, service: a.b}", "{type: tcp}", "{type: none}",
	}},
	{"workload.readinessProbe", []string{"{httpGet: {path: /, port: 8080, httpHeaders: [{name: Host, value: x}]}, periodSeconds: 1}", "{exec: {command: [WORD]}, successThreshold: 2}"}},
	{"workload.livenessProbe", []string{"{tcpSocket: {port: 6379}, initialDelaySeconds: 5}", "{grpc: {port: 9000}, terminationGracePeriodSeconds: 5}"}},
	{"workload.startupProbe", []string{"{tcpSocket: {port: 80}, failureThreshold: 30}", "{exec: {command: [true]}, timeoutSeconds: 3}"}},
	{"workload.securityContext", []string{"{readOnlyRootFilesystem: false}", "{capabilities: {add: [NET_BIND_SERVICE]}, runAsUser: 1}", "{privileged: true, allowPrivilegeEscalation: true}", "{privileged: true}", "{runAsUser: 0}"}},
	{"workload.podSecurityContext", []string{"{runAsUser: 1234, fsGroupChangePolicy: OnRootMismatch}", "{runAsUser: 0}", "{runAsNonRoot: false, runAsUser: 0, supplementalGroups: [1, 2]}", `{sysctls: [{name: net.core.somaxconn, value: "1024"}]}`}},
	{"workload.serviceAccountName", []string{"default", "some.body"}},
	{"workload.automountServiceAccountToken", []string{"true", "false"}},
	{"workload.enableServiceLinks", []string{"true", "false"}},
	{"workload.volumes", []string{
		"[{name: scratch, emptyDir: {medium: Memory, sizeLimit: 1Mi}}]", "[{name: scratch, configMap: {name: c, items: [{key: KEY, path: a/b}]}}]",
		"[{name: scratch, projected: {sources: [{configMap: {name: c}}, {serviceAccountToken: {path: t, expirationSeconds: 3600}}]}}, {name: data, emptyDir: {}}]",
		"[{name: scratch, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}]", "[{name: scratch, persistentVolumeClaim: {claimName: x}}]",
		"[{name: scratch, secret: {secretName: s, defaultMode: 256, optional: true}}]",
	}},
	{"workload.volumeMounts", []string{"[{name: scratch, mountPath: /scratch, readOnly: true}]", "[{name: scratch, mountPath: /s, subPath: a/b}, {name: scratch, mountPath: /t}]"}},
	{"workload.volumeClaimTemplates", []string{"[{name: claim, mountPath: /claim, storage: 1Gi}]", "[{name: data, storage: 0.5Gi, storageClassName: fast, accessModes: [ReadWriteMany], mountPath: /claimed}]"}},
	{"workload.nodeSelector", []string{"{kubernetes.io/os: linux}", `{"on": "1"}`}},
	{"workload.affinity", []string{
		"{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b, c]}]}]}}}",
		"{podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {a: b}}, namespaceSelector: {}}}]}}",
		"{podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone, labelSelector: {matchExpressions: [{key: a, operator: Exists}]}, namespaces: [x]}]}}",
	}},
	{"workload.topologySpreadConstraints", []string{"[{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]", "[{maxSkew: 2, topologyKey: a, whenUnsatisfiable: DoNotSchedule, minDomains: 2, labelSelector: {matchLabels: {a: b}}}]"}},
	{"workload.tolerations", []string{"[{operator: Exists}]", "[{key: a, value: b, effect: NoSchedule}, {key: c, operator: Exists, effect: NoExecute, tolerationSeconds: 30}]"}},
	{"workload.priorityClassName", []string{"high"}},
	{"workload.terminationGracePeriodSeconds", []string{"0", "30", "45"}},
	{"workload.lifecycle", []string{"{preStop: {sleep: {seconds: 5}}}", "{postStart: {exec: {command: [WORD]}}, preStop: {httpGet: {path: /stop, port: 80}}}"}},
	{"workload.strategy", []string{"{type: Recreate}", "{type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}}", "{rollingUpdate: {maxSurge: 2}}"}},
	{"workload.updateStrategy", []string{"{type: OnDelete}", "{rollingUpdate: {partition: 1}}", "{type: RollingUpdate}"}},
	{"workload.podManagementPolicy", []string{"Parallel", "OrderedReady"}},
	{"workload.minReadySeconds", []string{"5"}},
	{"workload.podLabels", []string{`{tier: backend, "on": "y"}`}},
	{"workload.podAnnotations", []string{"{example.com/c: WORD}"}},
	{"configMaps", []string{`[{name: c, data: {KEY: WORD, "on": WORD}}]`, "[{name: c, data: {KEY: WORD}}, {name: d.e, data: {a.b-c_d: WORD}}]", "[{name: c, envs: [extra.env], files: [extra.txt, other=extra.txt]}]"}},
	{"secrets", []string{"[{name: s, stringData: {password: WORD}}]", "[{name: s, type: example.com/t, stringData: {a: WORD}, files: [extra.txt]}, {name: e, envs: [extra.env]}]"}},
	{"podDisruptionBudget", []string{"{maxUnavailable: 1}", "{minAvailable: 50%, unhealthyPodEvictionPolicy: AlwaysAllow}", "{maxUnavailable: 0%}"}},
	{"horizontalPodAutoscaler", []string{
		"{maxReplicas: 3}", "{minReplicas: 2, maxReplicas: 5, behavior: {scaleDown: {stabilizationWindowSeconds: 60, policies: [{type: Pods, value: 1, periodSeconds: 60}]}, scaleUp: {selectPolicy: Disabled}}}",
		"{maxReplicas: 9, metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 0.5Gi}}}, {type: Pods, pods: {metric: {name: requests}, target: {type: AverageValue, averageValue: 100}}}]}",
	}},
	{"networkPolicy", []string{"{from: []}", "{from: [{podSelector: {matchLabels: {role: client}}}]}", "{from: [{namespaceSelector: {}, podSelector: {}}, {ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}]}"}},
	{"overlays", []string{
		`[{name: dev, namespace: "on"}, {name: x, type: externalname, externalName: "on"}]`, "[{name: prod, type: loadbalancer, replicas: 3}, {name: peers, type: headless, namespace: shop}]",
		"[{name: e, externalName: other.example.com}, {name: f, namespace: f}]", "[{name: tagged, image: IMAGE}, {name: np, type: NodePort}]",
	}},
}

// baseExtras are the files of base/ that a random App's generators read.
var baseExtras = []File{
	{Path: "base/extra.env", Data: []byte("A=1\n# why\nB=x y\n")},
	{Path: "base/extra.txt", Data: []byte("# a comment\nkey = value\n")},
}

// inlined says in data what ConfigMaps take from baseExtras.
func inlined(list []ConfigMap) []ConfigMap {
	var out []ConfigMap
	for _, c := range list {
		data := maps.Clone(c.Data)
		if data == nil {
			data = map[string]string{}
		}
		for _, f := range c.Files {
			key, _, _ := strings.Cut(f, "=")
			data[key] = string(baseExtras[1].Data)
		}
		if len(c.Envs) > 0 {
			data["A"], data["B"] = "1", "x y"
		}
		out = append(out, ConfigMap{Name: c.Name, Data: data})
	}
	return out
}

// randomApp returns a valid App. Details that are not valid beside the others are
// left out; TestRandomAppsHaveEveryField sees to it that each comes to be.
func randomApp(r *rand.Rand) *App {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	a := &App{Metadata: Metadata{Name: pick("redis", "a", "on", "null", "x-1", "e1"), Namespace: pick("", "", "shop", "y", "123")}}
	s := &a.Spec.Service
	s.Name = pick("", "redis-svc", "no", "e")
	if r.IntN(5) > 0 {
		a.Spec.Workload = &Workload{Image: pick("redis:alpine", "nginx", "example/app:1.0", "redis:6", "postgres:17", "localhost:5000/a@sha256:"+strings.Repeat("0", 64))}
		s.Type = ServiceType(pick("", "clusterIP", "NodePort", "loadbalancer", "HEADLESS"))
	}
	if a.Spec.Workload == nil || r.IntN(2) > 0 {
		s.ExternalName = pick("db.example.com", "db.example.com.", "on", "1.2.3")
	}
	for i := range 1 + r.IntN(4) {
		p := ServicePort{
			Name:        pick("", "", "", fmt.Sprint(i), fmt.Sprintf("which-no-container-has-%d", i)),
			Port:        int32(1000*i) + pickInt(r, 80, 443, 53, 6379, 999),
			Protocol:    corev1.Protocol(pick("", "TCP", "udp", "SCTP")),
			AppProtocol: pick("", "", "http", "kubernetes.io/h2c"),
		}
		if a.Spec.Workload != nil && r.IntN(2) > 0 {
			p.TargetPort = intstr.FromInt32(pickInt(r, 80, 8080, 6379, 1))
		}
		s.Ports = append(s.Ports, p)
	}
	for _, d := range details {
		if r.IntN(3) > 0 {
			continue
		}
		b := *a
		if b.Set(d.field+"="+worded(r, a, pick(d.values...))) != nil {
			continue
		}
		completed := b.copy()
		completed.Complete()
		if completed.Validate() == nil {
			a = &b
		}
	}
	return a
}

// worded puts a word where a detail has WORD, and another tag of the App's image.
func worded(r *rand.Rand, a *App, value string) string {
	for strings.Contains(value, "WORD") {
		word, err := json.Marshal(words[r.IntN(len(words))] + []string{"", "", words[r.IntN(len(words))]}[r.IntN(3)])
		if err != nil {
			panic(err)
		}
		value = strings.Replace(value, "WORD", string(word), 1)
	}
	if a.Spec.Workload != nil {
		value = strings.ReplaceAll(value, "IMAGE", WithTag(a.Spec.Workload.Image, "1e3"))
	}
	return value
}

func pickInt(r *rand.Rand, list ...int32) int32 { return list[r.IntN(len(list))] }

// What holds of random Apps says something only if they have what an App can have.
func TestRandomAppsHaveEveryField(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 2026))
	missing := map[string]bool{}
	ownFields(reflect.TypeFor[App](), func(field string) { missing[field] = true })
	delete(missing, "App.APIVersion") // completing writes them
	delete(missing, "App.Kind")
	for tries := 0; len(missing) > 0 && tries < 400; tries++ {
		setFields(reflect.ValueOf(*randomApp(r)), func(field string) { delete(missing, field) })
	}
	for field := range missing {
		t.Errorf("no random App has %s", field)
	}
}

// ownFields calls found for each field of the Spec's own types.
func ownFields(t reflect.Type, found func(string)) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || !own(t) {
		return
	}
	for i := range t.NumField() {
		found(t.Name() + "." + t.Field(i).Name)
		ownFields(t.Field(i).Type, found)
	}
}

// setFields calls found for each that has a value.
func setFields(v reflect.Value, found func(string)) {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		setFields(v.Elem(), found)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			setFields(v.Index(i), found)
		}
	case v.Kind() == reflect.Struct && own(v.Type()):
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				found(v.Type().Name() + "." + v.Type().Field(i).Name)
			}
			setFields(v.Field(i), found)
		}
	}
}
