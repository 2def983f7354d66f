package generate

import (
	"errors"
	"strings"
	"testing"
)

// Each field where it has no use, and each value that the API would refuse, is
// told of by its field and with a reason.
func TestValidatePairs(t *testing.T) {
	const pod = "metadata: {name: a}\nspec:\n  workload: {image: example/a}\n  service:\n    ports: [{port: 80}]\n"
	const alias = "metadata: {name: a}\nspec:\n  service:\n    externalName: db.example.com\n    ports: [{port: 80}]\n"
	workload := func(fields string) string {
		return "metadata: {name: a}\nspec:\n  service: {ports: [{name: http, port: 80, targetPort: 8080}]}\n  workload:\n    image: example/a\n    " + fields + "\n"
	}
	for _, tt := range []struct{ name, spec, want string }{
		{"node port of an alias", "metadata: {name: a}\nspec: {service: {externalName: x.example.com, ports: [{port: 80, nodePort: 30080}]}}", "spec.service.ports[0].nodePort: has no use in an ExternalName Service"},
		{"policy of an alias", alias + "    externalTrafficPolicy: Local", "spec.service.externalTrafficPolicy: has no use"},
		{"internal policy of an alias", alias + "    internalTrafficPolicy: Local", "spec.service.internalTrafficPolicy: has no use"},
		{"distribution of an alias", alias + "    trafficDistribution: PreferClose", "spec.service.trafficDistribution: has no use"},
		{"affinity of an alias", alias + "    sessionAffinity: ClientIP", "spec.service.sessionAffinity: has no use"},
		{"families of an alias", alias + "    ipFamilies: [IPv4]", "spec.service.ipFamilies: has no use in an ExternalName Service: an alias has no address"},
		{"family policy of an alias", alias + "    ipFamilyPolicy: SingleStack", "spec.service.ipFamilyPolicy: has no use"},
		{"class of an alias", alias + "    loadBalancerClass: x.example.com/y", "spec.service.loadBalancerClass: has no use"},
		{"ranges of an alias", alias + "    loadBalancerSourceRanges: [192.0.2.0/24]", "spec.service.loadBalancerSourceRanges: has no use"},
		{"allocation of an alias", alias + "    allocateLoadBalancerNodePorts: false", "spec.service.allocateLoadBalancerNodePorts: has no use"},
		{"health port of an alias", alias + "    healthCheckNodePort: 31000", "spec.service.healthCheckNodePort: has no use"},
		{"addresses of an alias", alias + "    externalIPs: [192.0.2.1]", "spec.service.externalIPs: has no use"},
		{"unready Pods of an alias", alias + "    publishNotReadyAddresses: true", "spec.service.publishNotReadyAddresses: has no use"},
		{"autoscaler of an alias", alias + "  horizontalPodAutoscaler: {maxReplicas: 2}", "spec.horizontalPodAutoscaler: is for Pods"},
		{"target name of an alias", "metadata: {name: a}\nspec: {service: {externalName: x.example.com, ports: [{port: 80, targetPort: http}]}}", `spec.service.ports[0].targetPort: "http": names a port of a container`},

		{"unknown policy", pod + "    externalTrafficPolicy: local", `"local": is not a value that it takes; did you mean Local?; one of Cluster, Local`},
		{"unknown distribution", pod + "    trafficDistribution: Near", "spec.service.trafficDistribution"},
		{"unknown affinity", pod + "    sessionAffinity: ClientIp", "did you mean ClientIP?"},
		{"affinity's time without it", pod + "    sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}", "sessionAffinityConfig: says how long an affinity lasts"},
		{"affinity's time too long", pod + "    sessionAffinity: ClientIP\n    sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}", `timeoutSeconds: "86401": is out of range`},
		{"a family twice", pod + "    ipFamilies: [IPv4, IPv4]\n    ipFamilyPolicy: PreferDualStack", "spec.service.ipFamilies[1]"},
		{"two families, one stack", pod + "    ipFamilies: [IPv4, IPv6]", "names two families"},
		{"class", pod + "    loadBalancerClass: a b", "spec.service.loadBalancerClass"},
		{"range of one address", pod + "    loadBalancerSourceRanges: [192.0.2.1]", "for one address write 192.0.2.1/32"},
		{"range with host bits", pod + "    loadBalancerSourceRanges: [192.0.2.1/24]", "write 192.0.2.0/24"},
		{"health port without Local", pod + "    healthCheckNodePort: 31000", "write externalTrafficPolicy: Local"},
		{"external loopback", pod + "    externalIPs: [127.0.0.1]", "spec.service.externalIPs[0]"},
		{"external name as an address", pod + "    externalIPs: [a.example.com]", "is not an IP address"},
		{"node port twice", "metadata: {name: a}\nspec: {workload: {image: example/a}, service: {ports: [{port: 80, nodePort: 30080}, {port: 81, nodePort: 30080}]}}", "ports[1].nodePort"},
		{"node port not a port", "metadata: {name: a}\nspec: {workload: {image: example/a}, service: {ports: [{port: 80, nodePort: 70000}]}}", `nodePort: "70000": is not a port`},
		{"own label", pod + "    labels: {app.kubernetes.io/name: b}", "is set by the generator"},
		{"label value", pod + "    labels: {a: 'x y'}", "spec.service.labels.a"},
		{"annotation name", pod + "    annotations: {'a b': x}", "is not an annotation's name"},
		{"annotation kustomize cannot write", pod + "    annotations: {a: \"\\tx\\ny\"}", "begins with a tab and has more than one line"},
		{"annotation kustomize cannot read", pod + "    annotations: {'true': x}", "spec.service.annotations.true: is a key that YAML reads as bool"},
		{"data kustomize cannot read", pod + "  configMaps: [{name: c, data: {'0o7': x}}]", "spec.configMaps[0].data.0o7: is a key that YAML reads as int"},
		{"data kustomize cannot write", pod + "  configMaps: [{name: c, data: {a: \"\\tx\\n\"}}]", "spec.configMaps[0].data.a"},
		{"source ranges as annotation", pod + "    annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: 192.0.2.0/24}", "use loadBalancerSourceRanges"},
		{"unknown target name", "metadata: {name: a}\nspec: {workload: {image: example/a, ports: [{name: http, containerPort: 8080}]}, service: {ports: [{port: 80, targetPort: htpt}]}}", "is the name of no TCP port of the workload; did you mean http?"},

		{"kind", workload("kind: DaemonSet"), "spec.workload.kind"},
		{"strategy of the other kind", workload("kind: StatefulSet\n    strategy: {type: Recreate}"), "use updateStrategy"},
		{"claims of a Deployment", workload("volumeClaimTemplates: [{name: data, storage: 1Gi, mountPath: /data}]"), "write kind: StatefulSet"},
		{"claim's path", workload("kind: StatefulSet\n    volumeClaimTemplates: [{name: data, storage: 1Gi, mountPath: data}]"), `volumeClaimTemplates[0].mountPath: "data": is not a path that a volume can be mounted at`},
		{"rolling with Recreate", workload("strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}"), "has no use with type Recreate"},
		{"variable twice", workload("env: [{name: A, value: x}, {name: A, value: y}]"), "env[1].name"},
		{"variable from nowhere", workload("env: [{name: A, valueFrom: {}}]"), "must name exactly one source"},
		{"request over limit", workload("resources: {requests: {cpu: 2}, limits: {cpu: 1}}"), "is more than its limit"},
		{"unknown resource", workload("resources: {requests: {memroy: 1Gi}}"), "did you mean memory?"},
		{"check without a type", workload("check: {path: /}"), "spec.workload.check.type"},
		{"check of another port", workload("check: {type: http, port: htpp}"), "spec.workload.check.port"},
		{"check and probe", workload("check: {type: tcp}\n    readinessProbe: {tcpSocket: {port: 8080}}"), "readinessProbe is there too"},
		{"probe in two ways", workload("livenessProbe: {tcpSocket: {port: 80}, exec: {command: [a]}}"), "must ask in exactly one way"},
		{"probe of an unknown name", workload("livenessProbe: {tcpSocket: {port: web}}"), "livenessProbe.tcpSocket.port"},
		{"mount of no volume", workload("volumeMounts: [{name: x, mountPath: /x}]"), "is the name of no volume"},
		{"mount twice", workload("volumes: [{name: x, emptyDir: {}}]\n    volumeMounts: [{name: x, mountPath: /x}, {name: x, mountPath: /x}]"), "is mounted twice"},
		{"spread without a key", workload("topologySpreadConstraints: [{maxSkew: 1, whenUnsatisfiable: DoNotSchedule}]"), "topologyKey: is missing"},
		{"sleep beyond the end", workload("terminationGracePeriodSeconds: 4\n    lifecycle: {preStop: {sleep: {seconds: 5}}}"), "is more than terminationGracePeriodSeconds, 4"},
		{"two budgets", pod + "  podDisruptionBudget: {minAvailable: 1, maxUnavailable: 1}", "exactly one of the two"},
		{"budget in words", pod + "  podDisruptionBudget: {minAvailable: half}", "neither a number nor a percentage"},
		{"autoscaler and replicas", workload("replicas: 2") + "  horizontalPodAutoscaler: {maxReplicas: 3}", "fight with the autoscaler"},
		{"autoscaler upside down", pod + "  horizontalPodAutoscaler: {minReplicas: 3, maxReplicas: 2}", "is less than minReplicas, 3"},
		{"policy for nobody", pod + "  networkPolicy: {}", "spec.networkPolicy.from: is missing"},
		{"policy of two kinds", pod + "  networkPolicy: {from: [{ipBlock: {cidr: 192.0.2.0/24}, podSelector: {}}]}", "make two of it"},
		{"file out of the tree", pod + "  configMaps: [{name: c, files: [../../etc/passwd]}]", "is not a file within the tree's base/"},
		{"key", pod + "  configMaps: [{name: c, data: {'a/b': x}}]", "spec.configMaps[0].data.a/b"},

		{"environment of a type's name", pod + "  overlays: [{name: nodeport}]", "is the name of the overlay for the type NodePort"},
		{"environment twice", pod + "  overlays: [{name: dev}, {name: dev}]", "spec.overlays[1].name"},
		{"environment's path", pod + "  overlays: [{name: ../dev}]", "spec.overlays[0].name"},
		{"environment's type", pod + "  overlays: [{name: dev, type: NodPort}]", "did you mean NodePort?"},
		{"alias without a host", pod + "  overlays: [{name: dev, type: ExternalName}]", "spec.overlays[0].externalName: is missing"},
		{"host without an alias", pod + "  overlays: [{name: dev, externalName: x.example.com}]", "write type: ExternalName"},
		{"alias with Pods", pod + "  overlays: [{name: dev, type: ExternalName, externalName: x.example.com, replicas: 2, image: b}]", "behind an ExternalName none do"},
		{"Pods of an alias app", alias + "  overlays: [{name: dev, type: ClusterIP}]", "the app has no workload"},
		{"another program", "metadata: {name: a}\nspec: {workload: {image: redis:8}, service: {}, overlays: [{name: dev, image: 'nginx:1'}]}", "is run in another way than redis:8"},
		{"replicas under an autoscaler", pod + "  horizontalPodAutoscaler: {maxReplicas: 2}\n  overlays: [{name: dev, replicas: 2}]", "spec.overlays[0].replicas"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseApp([]byte("apiVersion: svcx/v1alpha1\nkind: App\n"+tt.spec), "svcx.yaml")
			if err != nil {
				t.Fatal(err)
			}
			a.Complete()
			var invalid *InvalidError
			if err := a.Validate(); !errors.As(err, &invalid) {
				t.Fatalf("valid; want %q", tt.want)
			} else if !strings.Contains(invalid.Error(), tt.want) {
				t.Errorf("%v\nwant %q", invalid, tt.want)
			}
		})
	}
}
