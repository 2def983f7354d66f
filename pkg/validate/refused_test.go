package validate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/validate"
)

// service, deployment and the others are manifests that are taken as they are, with
// room for what is not.
func service(spec string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}], " + spec + "}\n"
}

func ports(list string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {app: a}, type: NodePort, ports: " + list + "}\n"
}

func marked(metadata string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {" + metadata + "}\n"
}

func object(kind, fields string) string {
	return "apiVersion: " + kind[:strings.LastIndexByte(kind, '/')] + "\nkind: " + kind[strings.LastIndexByte(kind, '/')+1:] + "\nmetadata: {name: a}\n" + fields + "\n"
}

func workload(kind, spec, pod, container string) string {
	return object("apps/v1/"+kind, "spec:\n  selector: {matchLabels: {app: a}}\n  "+spec+"\n  template:\n    metadata: {labels: {app: a}}\n    spec:\n      "+pod+
		"\n      containers:\n      - name: a\n        image: a\n        "+container)
}

func deployment(spec string) string  { return workload("Deployment", spec, "", "") }
func pod(spec string) string         { return workload("Deployment", "", spec, "") }
func container(fields string) string { return workload("Deployment", "", "", fields) }
func daemonSet(spec string) string   { return workload("DaemonSet", spec, "", "") }
func statefulSet(spec string) string { return workload("StatefulSet", spec, "", "") }
func cronJob(schedule, job, pod string) string {
	return object("batch/v1/CronJob", `spec: {schedule: "`+schedule+`", jobTemplate: {spec: {`+job+"template: {spec: {"+pod+"}}}}}")
}
func controller(spec, pod string) string {
	return object("v1/ReplicationController", "spec: {"+spec+"template: {metadata: {labels: {app: a}}, spec: {"+pod+"}}}")
}
func policy(spec string) string {
	return object("networking.k8s.io/v1/NetworkPolicy", "spec: {podSelector: {}, "+spec+"}")
}
func ingress(spec string) string { return object("networking.k8s.io/v1/Ingress", "spec: {"+spec+"}") }
func autoscaler(spec string) string {
	return object("autoscaling/v2/HorizontalPodAutoscaler", "spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}, "+spec+"}")
}

// refused are manifests that an API server refuses whatever is in the cluster, one
// for each limit; TestServerAgrees has one say so.
var refused = []struct{ name, manifest string }{
	{"name with capitals", marked("name: Redis")},
	{"name with an underscore", marked("name: a_b")},
	{"name too long", marked("name: " + strings.Repeat("a", 254))},
	{"name missing", marked("labels: {a: b}")},
	{"label's name", marked("name: a, labels: {a b: c}")},
	{"label's prefix", marked("name: a, labels: {a_b/c: d}")},
	{"label's name too long", marked("name: a, labels: {" + strings.Repeat("a", 64) + ": d}")},
	{"label's value", marked("name: a, labels: {a: b c}")},
	{"label's value too long", marked("name: a, labels: {a: " + strings.Repeat("b", 64) + "}")},
	{"label of a number", marked("name: a, labels: {a: 1}")},
	{"annotation's name", marked("name: a, annotations: {a b: c}")},
	{"annotations too large", marked("name: a, annotations: {a: " + strings.Repeat("b", 256<<10) + "}")},
	{"unknown field", service("selektor: {app: a}")},
	{"field twice", service("selector: {app: a}, selector: {app: b}")},

	{"Service's name too long", "apiVersion: v1\nkind: Service\nmetadata: {name: " + strings.Repeat("a", 64) + "}\nspec: {ports: [{port: 80}]}\n"},
	{"Service's name with a dot", "apiVersion: v1\nkind: Service\nmetadata: {name: a.b}\nspec: {ports: [{port: 80}]}\n"},
	{"Service without ports", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {app: a}}\n"},
	{"type in another case", service("type: clusterIP")},
	{"selector's name", service("selector: {a b: c}")},
	{"selector's value", service("selector: {app: a b}")},
	{"port 0", ports("[{port: 0}]")},
	{"port too large", ports("[{port: 65536}]")},
	{"port of a fraction", ports("[{port: 80.5}]")},
	{"port beside a word of the older YAML", service("publishNotReadyAddresses: yes, healthCheckNodePort: 1")},
	{"port of text", ports(`[{port: "80"}]`)},
	{"target port too large", ports("[{port: 80, targetPort: 65536}]")},
	{"target port out of all numbers", ports("[{port: 80, targetPort: 99999999999}]")},
	{"target port of a word of the older YAML", ports("[{port: 80, targetPort: on}]")},
	{"target port's name", ports("[{port: 80, targetPort: a_name}]")},
	{"target port's name too long", ports("[{port: 80, targetPort: sixteen-letters-x}]")},
	{"protocol", ports("[{port: 80, protocol: tcp}]")},
	{"application protocol", ports("[{port: 80, appProtocol: a b}]")},
	{"ports without names", ports("[{port: 80}, {port: 81}]")},
	{"port's name", ports("[{port: 80, name: Web}]")},
	{"port's name twice", ports("[{name: a, port: 80}, {name: a, port: 81}]")},
	{"port twice", ports("[{name: a, port: 80}, {name: b, port: 80}]")},
	{"node port of a ClusterIP", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80, nodePort: 31997}]}\n"},
	{"policy of a ClusterIP", service("externalTrafficPolicy: Local")},
	{"external policy", service("type: NodePort, externalTrafficPolicy: local")},
	{"internal policy", service("internalTrafficPolicy: Near")},
	{"distribution", service("trafficDistribution: Near")},
	{"affinity", service("sessionAffinity: ClientIp")},
	{"affinity's time", service("sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}")},
	{"headless NodePort", service("type: NodePort, clusterIP: None")},
	{"cluster IP", service("clusterIP: 10.0.0")},
	{"family", service("ipFamilies: [IPv5]")},
	{"family twice", service("ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv4, IPv4]")},
	{"two families of one stack", service("ipFamilyPolicy: SingleStack, ipFamilies: [IPv4, IPv6]")},
	{"class of a NodePort", service("type: NodePort, loadBalancerClass: example.com/a")},
	{"class", service("type: LoadBalancer, loadBalancerClass: a b")},
	{"ranges of a NodePort", service("type: NodePort, loadBalancerSourceRanges: [192.0.2.0/24]")},
	{"range", service("type: LoadBalancer, loadBalancerSourceRanges: [192.0.2.0]")},
	{"allocation of a NodePort", service("type: NodePort, allocateLoadBalancerNodePorts: false")},
	{"health port without Local", service("type: LoadBalancer, healthCheckNodePort: 31997")},
	{"ranges' old annotation", "apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: 192.0.2.0/24}}\nspec: {ports: [{port: 80}]}\n"},
	{"external IP", service("externalIPs: [a.example.com]")},
	{"external loopback", service("externalIPs: [127.0.0.1]")},
	{"external IP of IPv4 as IPv6", service("externalIPs: [\"::ffff:192.0.2.1\"]")},
	{"external IP with a zone", service("externalIPs: [\"2001:db8::1%eth0\"]")},
	{"cluster IP of IPv4 as IPv6", service("clusterIP: \"::ffff:10.96.0.9\"")},
	{"range of IPv4 as IPv6", service("type: LoadBalancer, loadBalancerSourceRanges: [\"::ffff:192.0.2.0/120\"]")},
	{"alias without a host", service("type: ExternalName")},
	{"alias with capitals", service("type: ExternalName, externalName: Example.com")},
	{"alias with an address of its own", service("type: ExternalName, externalName: example.com, clusterIP: None")},
	{"alias with families", service("type: ExternalName, externalName: example.com, ipFamilies: [IPv4]")},

	{"no kind", "apiVersion: v1\nkind:\nmetadata: {name: a}\n"},
	{"no version", "apiVersion:\nkind: ConfigMap\nmetadata: {name: a}\n"},
	{"lists of versions and kinds", "apiVersion: [v1]\nkind: {a: b}\nmetadata: {name: a}\n"},
	{"merge of text", service("<<: a")},
	{"kind", object("apps/v1/Deploymnt", "")},
	{"version that is gone", object("extensions/v1beta1/Ingress", "")},
	{"replicas", deployment("replicas: -1")},
	{"readiness of a negative time", deployment("minReadySeconds: -1")},
	{"readiness longer than the deadline", deployment("minReadySeconds: 600")},
	{"history", deployment("revisionHistoryLimit: -1")},
	{"strategy", deployment("strategy: {type: Rolling}")},
	{"rolling Recreate", deployment("strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}")},
	{"no Pod to be replaced", deployment("strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}")},
	{"surge with a sign", deployment("strategy: {rollingUpdate: {maxSurge: +5%}}")},
	{"surge in words", deployment("strategy: {rollingUpdate: {maxSurge: all}}")},
	{"more than all unavailable", deployment("strategy: {rollingUpdate: {maxUnavailable: 101%}}")},
	{"selector of others", strings.Replace(deployment(""), "matchLabels: {app: a}", "matchLabels: {app: b}", 1)},
	{"empty selector", strings.Replace(deployment(""), "matchLabels: {app: a}", "", 1)},
	{"selector's operator", strings.Replace(deployment(""), "matchLabels: {app: a}", "matchLabels: {app: a}, matchExpressions: [{key: app, operator: Is, values: [a]}]", 1)},
	{"template's label", strings.Replace(deployment(""), "labels: {app: a}", "labels: {app: a, b: c d}", 1)},
	{"restart policy", pod("restartPolicy: Never")},
	{"deadline of a Deployment", pod("activeDeadlineSeconds: 5")},
	{"DNS by nobody", pod("dnsPolicy: None")},
	{"account", pod("serviceAccountName: a_b")},
	{"node's label", pod("nodeSelector: {a: b c}")},
	{"toleration of nothing", pod("tolerations: [{value: a}]")},
	{"toleration of any value", pod("tolerations: [{key: a, operator: Exists, value: b}]")},
	{"toleration of two words", pod("tolerations: [{key: a, value: b c}]")},
	{"host alias of IPv4 as IPv6", pod("hostAliases: [{ip: \"::ffff:192.0.2.1\", hostnames: [a]}]")},
	{"affinity to the namespaces of no label", pod("affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaceSelector: {matchLabels: {a b: c}}}]}}")},
	{"spread without a label", pod("topologySpreadConstraints: [{maxSkew: 1, topologyKey: \"\", whenUnsatisfiable: DoNotSchedule}]")},
	{"skew", pod("topologySpreadConstraints: [{maxSkew: 0, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]")},
	{"affinity's operator", pod("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Is}]}]}}}")},
	{"affinity's weight", pod("affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, preference: {matchExpressions: [{key: a, operator: Exists}]}}]}}")},
	{"affinity without a label", pod("affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: \"\", labelSelector: {}}]}}")},
	{"Pod's user", pod("securityContext: {runAsUser: -1}")},
	{"volume's name", pod("volumes: [{name: A, emptyDir: {}}]")},
	{"volume twice", pod("volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]")},
	{"volume of two kinds", pod("volumes: [{name: a, emptyDir: {}, hostPath: {path: /}}]")},
	{"volume of no claim", pod("volumes: [{name: a, persistentVolumeClaim: {claimName: \"\"}}]")},
	{"key out of the volume", pod("volumes: [{name: a, configMap: {name: b, items: [{key: c, path: ../d}]}}]")},
	{"key out of a projected volume", pod("volumes: [{name: a, projected: {sources: [{secret: {name: b, items: [{key: c, path: /d}]}}]}}]")},
	{"volume projected from two", pod("volumes: [{name: a, projected: {sources: [{secret: {name: b}, configMap: {name: c}}]}}]")},
	{"volume of a claim of its own that claims nothing", pod("volumes: [{name: a, ephemeral: {}}]")},
	{"volume of a claim of its own without modes", pod("volumes: [{name: a, ephemeral: {volumeClaimTemplate: {spec: {resources: {requests: {storage: 1Gi}}}}}}]")},
	{"permissions", pod("volumes: [{name: a, configMap: {name: b, defaultMode: 777}}]")},
	{"seccomp profile without a file", pod("securityContext: {seccompProfile: {type: Localhost}}")},
	{"seccomp profile with a file too many", container("securityContext: {seccompProfile: {type: RuntimeDefault, localhostProfile: a}}")},
	{"volume of no server", pod("volumes: [{name: a, nfs: {server: \"\", path: /a}}]")},
	{"volume of no driver", pod("volumes: [{name: a, csi: {driver: \"\"}}]")},
	{"token at no path", pod("volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: \"\"}}]}}]")},
	{"kernel parameter without a name", pod("securityContext: {sysctls: [{name: \"\", value: \"1\"}]}")},
	{"kernel parameter", pod("securityContext: {sysctls: [{name: A.b, value: \"1\"}]}")},
	{"kernel parameter twice", pod("securityContext: {sysctls: [{name: a.b, value: \"1\"}, {name: a.b, value: \"1\"}]}")},
	{"affinity to two numbers", pod("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Gt, values: [\"1\", \"2\"]}]}]}}}")},
	{"affinity to a field", pod("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: a, operator: In, values: [b]}]}]}}}")},
	{"affinity to any name", pod("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: Exists}]}]}}}")},
	{"affinity to two names", pod("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [b, c]}]}]}}}")},
	{"container's name", strings.Replace(deployment(""), "- name: a", "- name: A", 1)},
	{"image missing", strings.Replace(deployment(""), "image: a", "image: \"\"", 1)},
	{"pull policy", container("imagePullPolicy: always")},
	{"container port", container("ports: [{containerPort: 0}]")},
	{"container port's name", container("ports: [{containerPort: 80, name: sixteen-letters-x}]")},
	{"container port's name twice", container("ports: [{containerPort: 80, name: a}, {containerPort: 81, name: a}]")},
	{"host port", container("ports: [{containerPort: 80, hostPort: 70000}]")},
	{"variable without a name", container("env: [{name: \"\", value: a}]")},
	{"variable's name", container("env: [{name: a=b, value: a}]")},
	{"variable of a number", container("env: [{name: A, value: 1}]")},
	{"variable of two sources", container("env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]")},
	{"variable of no key", container("env: [{name: A, valueFrom: {secretKeyRef: {name: a, key: a/b}}}]")},
	{"variable of an unknown field", container("env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.containers}}}]")},
	{"variable of no object", container("env: [{name: A, valueFrom: {configMapKeyRef: {name: A, key: a}}}]")},
	{"variables of no object", container("envFrom: [{secretRef: {name: a_b}}]")},
	{"variables from nowhere", container("envFrom: [{prefix: A}]")},
	{"quantity", container("resources: {requests: {memory: 1 GB}}")},
	{"negative quantity", container("resources: {requests: {memory: -1}}")},
	{"resource", container("resources: {requests: {memroy: 1Gi}}")},
	{"request over the limit", container("resources: {requests: {cpu: 2}, limits: {cpu: 1}}")},
	{"device without a limit", container("resources: {requests: {example.com/gpu: 1}}")},
	{"probe in two ways", container("readinessProbe: {tcpSocket: {port: 80}, exec: {command: [a]}}")},
	{"probe in no way", container("readinessProbe: {periodSeconds: 1}")},
	{"probe's port", container("livenessProbe: {httpGet: {port: 0}}")},
	{"probe's header", container("readinessProbe: {httpGet: {port: 80, path: /, httpHeaders: [{name: a b, value: c}]}}")},
	{"probe's time", container("livenessProbe: {tcpSocket: {port: 80}, periodSeconds: -1}")},
	{"successes of a liveness probe", container("livenessProbe: {tcpSocket: {port: 80}, successThreshold: 2}")},
	{"grace of a readiness probe", container("readinessProbe: {tcpSocket: {port: 80}, terminationGracePeriodSeconds: 5}")},
	{"hook without a command", container("lifecycle: {preStop: {exec: {}}}")},
	{"hook's port", container("lifecycle: {preStop: {tcpSocket: {port: 0}}}")},
	{"sleep beyond the end", container("lifecycle: {preStop: {sleep: {seconds: 31}}}")},
	{"mount of no volume", container("volumeMounts: [{name: a, mountPath: /a}]")},
	{"mount twice", workload("Deployment", "", "volumes: [{name: a, emptyDir: {}}]", "volumeMounts: [{name: a, mountPath: /a}, {name: a, mountPath: /a}]")},
	{"mount out of the volume", workload("Deployment", "", "volumes: [{name: a, emptyDir: {}}]", "volumeMounts: [{name: a, mountPath: /a, subPath: ../b}]")},
	{"user", container("securityContext: {runAsUser: 4294967296}")},
	{"privileged and not", container("securityContext: {privileged: true, allowPrivilegeEscalation: false}")},
	{"capability and no escalation", container("securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}, allowPrivilegeEscalation: false}")},
	{"Pod management", statefulSet("podManagementPolicy: parallel")},
	{"partition", statefulSet("updateStrategy: {rollingUpdate: {partition: -1}}")},
	{"StatefulSet that replaces none", statefulSet("updateStrategy: {rollingUpdate: {maxUnavailable: 0}}")},
	{"StatefulSet with more than all unavailable", statefulSet("updateStrategy: {rollingUpdate: {maxUnavailable: 101%}}")},
	{"StatefulSet's rollout in words", statefulSet("updateStrategy: {rollingUpdate: {maxUnavailable: all}}")},
	{"DaemonSet's surge", daemonSet("updateStrategy: {rollingUpdate: {maxSurge: 150%, maxUnavailable: 0}}")},
	{"DaemonSet's surge with a Pod unavailable", daemonSet("updateStrategy: {rollingUpdate: {maxSurge: 1}}")},
	{"DaemonSet that replaces none", daemonSet("updateStrategy: {rollingUpdate: {maxUnavailable: 0}}")},
	{"DaemonSet's time", daemonSet("minReadySeconds: -1")},
	{"Job that restarts", object("batch/v1/Job", "spec: {template: {spec: {containers: [{name: a, image: a}]}}}")},
	{"Job's time", object("batch/v1/Job", "spec: {activeDeadlineSeconds: -1, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}")},
	{"CronJob that restarts", cronJob("0 3 * * *", "", "containers: [{name: a, image: a}]")},
	{"CronJob's container", cronJob("0 3 * * *", "", "restartPolicy: Never, containers: [{name: A, image: a}]")},
	{"CronJob's variable", cronJob("0 3 * * *", "", "restartPolicy: Never, containers: [{name: a, image: a, env: [{name: \"\", value: b}]}]")},
	{"CronJob's schedule", cronJob("x y z", "", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"CronJob's time zone", cronJob("TZ=UTC 0 3 * * *", "", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"CronJob's selector", cronJob("0 3 * * *", "selector: {matchLabels: {a: b}}, ", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"CronJob's tries", cronJob("0 3 * * *", "backoffLimit: -1, ", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"CronJob's name", strings.Replace(cronJob("0 3 * * *", "", "restartPolicy: Never, containers: [{name: a, image: a}]"), "{name: a}", "{name: "+strings.Repeat("a", 53)+"}", 1)},
	{"ReplicationController of others", controller("selector: {app: b}, ", "containers: [{name: a, image: a}]")},
	{"ReplicationController that ends", controller("", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"ReplicationController's port", controller("", "containers: [{name: a, image: a, ports: [{containerPort: 70000}]}]")},

	{"text to some readers only", marked("name: a, annotations: {b: on}")},
	{"key", object("v1/ConfigMap", "data: {a/b: c}")},
	{"key twice", object("v1/ConfigMap", "data: {a: b}\nbinaryData: {a: aGk=}")},
	{"binary data in plain text", object("v1/ConfigMap", "binaryData: {a: hello!}")},
	{"key of nothing", object("v1/ConfigMap", "data: {\"\": a}")},
	{"data too large", object("v1/ConfigMap", "data: {a: "+strings.Repeat("b", 1<<20+1)+"}")},
	{"data of a number", object("v1/ConfigMap", "data: {a: 1}")},
	{"Secret in plain text", object("v1/Secret", "data: {a: hello!}")},
	{"certificate without a key", object("v1/Secret", "type: kubernetes.io/tls\nstringData: {tls.crt: a}")},
	{"claim without modes", object("v1/PersistentVolumeClaim", "spec: {resources: {requests: {storage: 1Gi}}}")},
	{"claim of nothing", object("v1/PersistentVolumeClaim", "spec: {accessModes: [ReadWriteOnce]}")},
	{"two budgets", object("policy/v1/PodDisruptionBudget", "spec: {minAvailable: 1, maxUnavailable: 1, selector: {matchLabels: {a: b}}}")},
	{"budget in words", object("policy/v1/PodDisruptionBudget", "spec: {minAvailable: half, selector: {matchLabels: {a: b}}}")},
	{"autoscaler upside down", autoscaler("minReplicas: 3, maxReplicas: 2")},
	{"autoscaler to nothing", autoscaler("minReplicas: 0, maxReplicas: 2")},
	{"policy's range", policy("ingress: [{from: [{ipBlock: {cidr: 192.0.2.0}}]}]")},
	{"policy's range of IPv4 as IPv6", policy("ingress: [{from: [{ipBlock: {cidr: \"::ffff:192.0.2.0/120\"}}]}]")},
	{"policy for nobody", policy("ingress: [{from: [{}]}]")},
	{"policy of two kinds", policy("ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}, podSelector: {}}]}]")},
	{"policy's port", policy("ingress: [{ports: [{port: 70000}]}]")},
	{"policy's ports", policy("ingress: [{ports: [{port: 80, endPort: 79}]}]")},
	{"policy's last port", policy("ingress: [{ports: [{port: 80, endPort: 70000}]}]")},
	{"policy's exception of others", policy("ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [198.51.100.0/25]}}]}]")},
	{"policy's exception of all", policy("ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/24]}}]}]")},
	{"policy's type", policy("policyTypes: [ingress]")},
	{"ingress of nothing", ingress("ingressClassName: a")},
	{"ingress's host", ingress("rules: [{host: \"a:80\", http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]")},
	{"ingress's path", ingress("rules: [{http: {paths: [{path: a, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]")},
	{"ingress's port", ingress("rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {}}}}]}}]")},
	{"ingress's port's name", ingress("defaultBackend: {service: {name: a, port: {name: sixteen-letters-x}}}")},
	{"ingress's address", ingress("rules: [{host: 192.0.2.1, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]")},
	{"ingress without paths", ingress("rules: [{http: {paths: []}}]")},
	{"ingress's path of its controller", ingress("rules: [{http: {paths: [{path: a, pathType: ImplementationSpecific, backend: {service: {name: a, port: {number: 80}}}}]}}]")},
	{"ingress's empty part of a path", ingress("rules: [{http: {paths: [{path: /a//b, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]")},
	{"ingress's way back", ingress("rules: [{http: {paths: [{path: /a/../b, pathType: Exact, backend: {service: {name: a, port: {number: 80}}}}]}}]")},
	{"ingress's way back at the end", ingress("rules: [{http: {paths: [{path: /a/.., pathType: Exact, backend: {service: {name: a, port: {number: 80}}}}]}}]")},
}

// taken are manifests that an API server takes, though at first sight they look as if
// it would not; TestServerAgrees has one say so.
var taken = []struct{ name, manifest string }{
	{"affinity of the usual time", service("sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {}}")},
	{"two families of a headless Service without Pods", service("clusterIP: None, ipFamilies: [IPv4, IPv6]")},
	{"node port of an alias", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: ExternalName, externalName: a.example.com, ports: [{port: 80, nodePort: 30080}]}\n"},
	{"whole numbers as fractions", ports("[{port: 80.0, targetPort: 8e1, nodePort: 3e4}]")},
	{"yes of the older YAML", service("publishNotReadyAddresses: yes")},
	{"on of the older YAML", object("v1/Secret", "immutable: on\ndata: {a: aGk=}")},
	{"bytes", object("v1/ConfigMap", "binaryData: {a: aGk=, b: \"\"}")},
	{"number with a gap", container("resources: {requests: {memory: 1_000}}")},
	{"tag of somebody's own", marked("name: a, annotations: {b: !foo x}")},
	{"merged port", object("v1/Service", "spec:\n  ports:\n  - &p {name: a, port: 80, protocol: TCP}\n  - {<<: *p, name: b, protocol: UDP}")},
	{"ports merged from two", object("v1/Service", "spec:\n  ports:\n  - &p {name: a, port: 80}\n  - &q {name: b, port: 81, targetPort: 8080}\n  - {<<: [*p, *q], name: c, protocol: UDP}")},
	{"volume of a claim of its own", pod("volumes: [{name: a, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}]")},
	{"addresses of IPv6", service("externalIPs: [\"2001:DB8:0::1\"]")},
	{"StatefulSet that replaces all", statefulSet("updateStrategy: {rollingUpdate: {maxUnavailable: 100%}}")},
	{"permissions as octal", pod("volumes: [{name: a, projected: {defaultMode: 0777, sources: [{configMap: {name: b, items: [{key: c, path: d/e, mode: 0o440}]}}]}}]")},
	{"kernel parameters", pod("securityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: \"0\"}]}")},
	{"affinity to a number and a name", pod("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Gt, values: [\"1\"]}], matchFields: [{key: metadata.name, operator: In, values: [b]}]}]}}}")},
	{"variables of the Pod", container("env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}, {name: B, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}]")},
	{"DaemonSet that surges", daemonSet("updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}")},
	{"CronJob", cronJob("0 3 * * *", "", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"CronJob by name", cronJob("@every 1h", "", "restartPolicy: OnFailure, containers: [{name: a, image: a}]")},
	{"ReplicationController", controller("selector: {app: a}, ", "containers: [{name: a, image: a}]")},
	{"ReplicationController without a selector", controller("", "containers: [{name: a, image: a}]")},
	{"policy's exception", policy("ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/25]}}], ports: [{port: 80, endPort: 80}]}]")},
	{"ingress as its controller reads it", ingress("rules: [{host: \"*.example.com\", http: {paths: [{pathType: ImplementationSpecific, backend: {service: {name: a, port: {name: http}}}}]}}]")},
	{"ingress with dots", ingress("rules: [{http: {paths: [{path: /..a/.b, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]")},
	{"canary with the selector of the other", deployment("") + "---\n" + strings.Replace(deployment(""), "{name: a}", "{name: b}", 1)},
	{"named port of one of two", ports("[{port: 80, targetPort: web}]") + "---\n" + container("ports: [{name: web, containerPort: 80}]") + "---\n" +
		strings.NewReplacer("{name: a}", "{name: b}", "matchLabels: {app: a}", "matchLabels: {c: d}", "labels: {app: a}", "labels: {app: a, c: d}").Replace(deployment(""))},
	{"namespace of one of two", service("selector: {app: a}") + "---\n" + strings.Replace(deployment(""), "{name: a}", "{name: a, namespace: default}", 1)},
	{"port of a Job beside the Pods", ports("[{port: 80, targetPort: web}]") + "---\n" + container("ports: [{name: web, containerPort: 80}]") + "---\n" +
		object("batch/v1/Job", "spec: {template: {metadata: {labels: {app: a}}, spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}")},
}

// allocated are refused when the server allocates ports, which a dry run does not.
var allocated = []struct{ name, manifest string }{
	{"node port too large", ports("[{port: 80, nodePort: 70000}]")},
	{"node port twice", ports("[{name: a, port: 80, nodePort: 31997}, {name: b, port: 81, nodePort: 31997}]")},
}

// found is what validate finds in manifests, the errors only.
func found(t *testing.T, manifests string) []validate.Finding {
	t.Helper()
	r, err := validate.Files(t.Context(), []string{"-"}, strings.NewReader(manifests))
	if err != nil {
		t.Fatal(err)
	}
	var out []validate.Finding
	for _, f := range r.Findings {
		if f.Severity == validate.Error {
			out = append(out, f)
		}
	}
	return out
}

// What the API server takes, validate does not call an error.
func TestTaken(t *testing.T) {
	for _, c := range taken {
		for _, f := range found(t, c.manifest) {
			t.Errorf("%s: %s", c.name, f)
		}
	}
}

// What the API server refuses, validate refuses, and says where.
func TestRefused(t *testing.T) {
	for _, c := range slices.Concat(refused, allocated) {
		errors := found(t, c.manifest)
		if len(errors) == 0 {
			t.Errorf("%s is accepted:\n%.400s", c.name, c.manifest)
		}
		for _, f := range errors {
			if f.Line == 0 || f.Message == "" || f.Field == "" {
				t.Errorf("%s: %s", c.name, f)
			}
		}
	}
	for name, manifest := range map[string]string{
		"Service": service("selector: {app: a}"), "ports": ports("[{port: 80}]"), "Deployment": deployment(""), "StatefulSet": statefulSet(""), "ConfigMap": marked("name: a"),
		"policy": policy("ingress: [{}]"), "autoscaler": autoscaler("maxReplicas: 2"), "ingress": ingress("defaultBackend: {service: {name: a, port: {number: 80}}}"),
	} {
		if errors := found(t, manifest); len(errors) > 0 {
			t.Errorf("%s, to which the others add one thing: %s", name, errors[0])
		}
	}
}
