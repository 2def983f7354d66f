package generate

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// matrixSpecs are Specs as a person writes them, which between them use every
// field; each has a golden tree.
var matrixSpecs = map[string]string{
	"every-service-field": `
metadata: {name: web, namespace: shop}
spec:
  workload:
    image: nginx:1.29
    ports:
    - {name: metrics, containerPort: 9113}
  service:
    name: web-svc
    type: loadbalancer
    labels: {app.kubernetes.io/part-of: shop, empty: ""}
    annotations: {example.com/owner: team-a, example.com/none: ""}
    ports:
    - {name: http, port: 80, targetPort: 80, nodePort: 30080}
    - {name: http-udp, port: 80, targetPort: 80, protocol: udp, nodePort: 30080}
    - {name: telemetry, port: 9000, targetPort: metrics, appProtocol: http}
    - {name: signal, port: 9001, protocol: SCTP}
    externalTrafficPolicy: Local
    internalTrafficPolicy: Cluster
    trafficDistribution: PreferSameZone
    sessionAffinity: ClientIP
    sessionAffinityConfig: {clientIP: {timeoutSeconds: 600}}
    ipFamilies: [IPv4]
    ipFamilyPolicy: SingleStack
    loadBalancerClass: example.com/internal
    loadBalancerSourceRanges: [192.0.2.0/24, 198.51.100.7/32]
    allocateLoadBalancerNodePorts: true
    healthCheckNodePort: 31080
    externalIPs: [192.0.2.10]
    publishNotReadyAddresses: true
    externalName: web.example.com
`,
	"every-workload-field": `
metadata: {name: api}
spec:
  workload:
    image: registry.example.com/team/api@sha256:` + strings.Repeat("0a", 32) + `
    imagePullPolicy: IfNotPresent
    imagePullSecrets: [{name: registry}]
    command: [/api]
    args: [--verbose]
    env:
    - {name: LOG_LEVEL, value: info}
    - {name: EMPTY, value: ""}
    - name: PASSWORD
      valueFrom: {secretKeyRef: {name: api-secret, key: password}}
    - name: POD_IP
      valueFrom: {fieldRef: {fieldPath: status.podIP}}
    envFrom:
    - {configMapRef: {name: api-config}}
    - {prefix: X_, secretRef: {name: elsewhere, optional: true}}
    resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 0.5Gi}}
    check: {type: http, path: /healthz, port: http}
    livenessProbe: {tcpSocket: {port: http}, periodSeconds: 20}
    startupProbe: {grpc: {port: 8080, service: api}, failureThreshold: 30}
    securityContext: {readOnlyRootFilesystem: false}
    podSecurityContext: {runAsUser: 1234, fsGroupChangePolicy: OnRootMismatch}
    serviceAccountName: api
    automountServiceAccountToken: true
    enableServiceLinks: true
    volumes:
    - {name: config, configMap: {name: api-config, items: [{key: app.conf, path: app.conf}]}}
    - {name: scratch, emptyDir: {}}
    volumeMounts:
    - {name: config, mountPath: /etc/api, readOnly: true}
    - {name: scratch, mountPath: /scratch}
    nodeSelector: {kubernetes.io/os: linux}
    affinity:
      podAntiAffinity:
        preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector: {matchLabels: {app.kubernetes.io/name: api}}
            namespaceSelector: {}
    topologySpreadConstraints:
    - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}
    tolerations: [{key: dedicated, operator: Equal, value: api, effect: NoSchedule}]
    priorityClassName: high
    terminationGracePeriodSeconds: 45
    lifecycle: {preStop: {sleep: {seconds: 5}}}
    strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}}
    minReadySeconds: 5
    podLabels: {tier: backend}
    podAnnotations: {example.com/scrape: "true"}
  service:
    ports: [{name: http, port: 80, targetPort: 8080}]
  configMaps:
  - name: api-config
    data:
      MODE: "on"
      EMPTY: ""
      QUOTED: '"quoted"'
      app.conf: |
        # a comment
        key = value
  secrets:
  - {name: api-secret, type: Opaque, stringData: {password: "p=a'ss\"word"}}
  podDisruptionBudget: {maxUnavailable: 25%, unhealthyPodEvictionPolicy: AlwaysAllow}
  horizontalPodAutoscaler:
    minReplicas: 2
    maxReplicas: 5
    behavior: {scaleDown: {stabilizationWindowSeconds: 60}}
  networkPolicy:
    from:
    - {podSelector: {matchLabels: {role: client}}}
    - {namespaceSelector: {}, podSelector: {}}
    - {ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}
`,
	"statefulset-peers": `
metadata: {name: redis}
spec:
  workload:
    kind: StatefulSet
    image: redis:8-alpine
    replicas: 3
    podManagementPolicy: Parallel
    updateStrategy: {rollingUpdate: {partition: 1}}
    volumeClaimTemplates: [{name: data, storage: 1Gi}]
  service: {type: headless}
  networkPolicy: {from: [{podSelector: {matchLabels: {app: client}}}]}
`,
	"environments": `
metadata: {name: redis}
spec:
  workload: {image: "redis:alpine"}
  service:
    name: redis-svc
    ports: [{port: 6379, nodePort: 30679}]
    loadBalancerSourceRanges: [192.0.2.0/24]
  overlays:
  - {name: dev, namespace: dev}
  - {name: local, type: nodePort, image: "redis:8-alpine"}
  - {name: staging, type: externalname, externalName: redis.staging.example.com, namespace: staging}
  - {name: prod, type: LoadBalancer, namespace: shop, replicas: 3, image: "mirror.example.com/redis:8"}
`,
	"alias-environments": `
metadata: {name: db}
spec:
  service: {externalName: db.example.com, ports: [{port: 5432}]}
  overlays:
  - {name: dev, externalName: db.dev.example.com, namespace: dev}
  - {name: prod, namespace: prod}
`,
	"postgres": `
metadata: {name: db}
spec:
  workload:
    image: postgres:17
    envFrom: [{secretRef: {name: db-secret}}]
  service: {}
  secrets: [{name: db-secret, envs: [db.env]}]
`,
}

func matrixApps(t testing.TB) map[string]*App {
	t.Helper()
	apps := map[string]*App{}
	for name, spec := range matrixSpecs {
		a, err := ParseApp([]byte("apiVersion: svcx/v1alpha1\nkind: App"+spec), name)
		if err != nil {
			t.Fatal(err)
		}
		a.Complete()
		if err := a.Validate(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		apps[name] = a
	}
	return apps
}

func TestMatrixGolden(t *testing.T) {
	for name, app := range matrixApps(t) {
		t.Run(name, func(t *testing.T) {
			compareTree(t, filepath.Join("testdata", "golden", name), mustFiles(t, app))
		})
	}
}

// Every overlay of the matrix builds, and svcx.yaml reads back as the same App.
func TestMatrixBuilds(t *testing.T) {
	for name, app := range matrixApps(t) {
		t.Run(name, func(t *testing.T) {
			files := mustFiles(t, app)
			fsys := inMemory(t, files)
			if name == "postgres" {
				if err := fsys.WriteFile("/tree/base/db.env", []byte("POSTGRES_PASSWORD=secret\n")); err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range files {
				dir := filepath.Dir(f.Path)
				if !strings.HasSuffix(f.Path, "/kustomization.yaml") {
					continue
				}
				body := buildBoth(t, fsys, "/tree/"+dir)
				compareTree(t, filepath.Join("testdata", "built", name, filepath.Base(dir)), []File{{Path: "built.yaml", Data: body}})
			}
			spec := files[slices.IndexFunc(files, func(f File) bool { return f.Path == SpecFile })]
			back, err := ParseApp(spec.Data, SpecFile)
			if err != nil {
				t.Fatal(err)
			}
			again := mustFiles(t, back)
			for i := range again {
				if string(again[i].Data) != string(files[i].Data) {
					t.Errorf("%s is another after svcx.yaml was read back", again[i].Path)
				}
			}
		})
	}
}
