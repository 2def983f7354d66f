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
func job(fields string) string {
	return object("batch/v1/Job", "spec: {"+fields+"template: {metadata: {labels: {app: a}}, spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}")
}
func scheduled(schedule, zone string) string {
	manifest := cronJob(schedule, "", "restartPolicy: Never, containers: [{name: a, image: a}]")
	return strings.Replace(manifest, "spec: {", "spec: {timeZone: "+zone+", ", 1)
}
func metric(fields string) string { return autoscaler("maxReplicas: 2, metrics: [{" + fields + "}]") }
func behavior(fields string) string {
	return autoscaler("maxReplicas: 2, behavior: {scaleDown: {" + fields + "}}")
}
func claim(fields string) string {
	return object("v1/PersistentVolumeClaim", "spec: {resources: {requests: {storage: 1Gi}}, "+fields+"}")
}
func claims(fields string) string {
	return statefulSet("volumeClaimTemplates: [{metadata: {name: b}, spec: {resources: {requests: {storage: 1Gi}}, " + fields + "}}]")
}
func role(kind, rule string) string {
	return object("rbac.authorization.k8s.io/v1/"+kind, "rules: [{"+rule+"}]")
}
func binding(role, subject string) string {
	return object("rbac.authorization.k8s.io/v1/RoleBinding", "roleRef: {apiGroup: rbac.authorization.k8s.io, "+role+"}\nsubjects: [{"+subject+"}]")
}
func quota(hard string) string { return object("v1/ResourceQuota", "spec: {hard: {"+hard+"}}") }
func limitRange(limit string) string {
	return object("v1/LimitRange", "spec: {limits: [{"+limit+"}]}")
}
func slice(kind, addresses string) string {
	return object("discovery.k8s.io/v1/EndpointSlice", "addressType: "+kind+"\nendpoints: [{addresses: "+addresses+"}]\nports: [{port: 80}]")
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
	{"host port that is another beside the node's network", workload("Deployment", "", "hostNetwork: true", "ports: [{containerPort: 80, hostPort: 8080}]")},
	{"host port twice", container("ports: [{name: a, containerPort: 80, hostPort: 8080}, {name: b, containerPort: 81, hostPort: 8080}]")},
	{"kernel parameter of the network beside the node's", pod("hostNetwork: true\n      securityContext: {sysctls: [{name: net/core/somaxconn, value: \"1\"}]}")},
	{"kernel parameter of shared memory beside the node's", pod("hostIPC: true\n      securityContext: {sysctls: [{name: kernel.shmmax, value: \"1\"}]}")},
	{"users of its own and the node's network", pod("hostUsers: false\n      hostNetwork: true")},
	{"users of its own and the node's processes", pod("hostUsers: false\n      hostPID: true")},
	{"processes of the Pod and of the node", pod("shareProcessNamespace: true\n      hostPID: true")},
	{"init container's probe", pod("initContainers: [{name: b, image: b, readinessProbe: {tcpSocket: {port: 80}}}]")},
	{"init container's hook", pod("initContainers: [{name: b, image: b, lifecycle: {preStop: {exec: {command: [a]}}}}]")},
	{"way back on the node", pod("volumes: [{name: a, hostPath: {path: /var/../etc}}]")},
	{"four nameservers", pod("dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4]}")},
	{"nameserver's name", pod("dnsConfig: {nameservers: [dns.example.com]}")},
	{"domains that may be ignored", pod("topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway, minDomains: 2, labelSelector: {}}]")},
	{"spread twice", pod("topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 2, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]")},
	{"node's name", pod("nodeName: A B")},
	{"gate's name", pod("schedulingGates: [{name: a b}]")},
	{"operating system", pod("os: {name: mac}")},
	{"user on Windows", pod("os: {name: windows}\n      securityContext: {runAsUser: 1}")},
	{"capabilities on Windows", workload("Deployment", "", "os: {name: windows}", "securityContext: {capabilities: {drop: [ALL]}}")},
	{"processes of the Pod on Windows", pod("os: {name: windows}\n      shareProcessNamespace: false")},
	{"Windows on Linux", pod("os: {name: linux}\n      securityContext: {windowsOptions: {runAsUserName: a}}")},
	{"toleration of less than a word", pod("tolerations: [{key: a, operator: Lt, value: b}]")},
	{"toleration of more than a fraction", pod("tolerations: [{key: a, operator: Gt, value: \"1.5\"}]")},
	{"toleration of more than nothing", pod("tolerations: [{key: a, operator: Gt}]")},
	{"part of a device", container("resources: {limits: {example.com/gpu: 500m}}")},
	{"huge pages without a limit", container("resources: {requests: {cpu: 1, hugepages-2Mi: 2Mi}}")},
	{"huge pages alone", container("resources: {limits: {hugepages-2Mi: 2Mi}}")},
	{"part of a huge page", container("resources: {limits: {cpu: 1, hugepages-2Mi: 3Mi}}")},
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
	{"ordinals before the first", statefulSet("ordinals: {start: -1}")},
	{"StatefulSet that replaces none", statefulSet("updateStrategy: {rollingUpdate: {maxUnavailable: 0}}")},
	{"StatefulSet with more than all unavailable", statefulSet("updateStrategy: {rollingUpdate: {maxUnavailable: 101%}}")},
	{"StatefulSet's rollout in words", statefulSet("updateStrategy: {rollingUpdate: {maxUnavailable: all}}")},
	{"StatefulSet's name too long", strings.Replace(statefulSet(""), "{name: a}", "{name: "+strings.Repeat("a", 64)+"}", 1)},
	{"StatefulSet's name with a dot", strings.Replace(statefulSet(""), "{name: a}", "{name: a.b}", 1)},
	{"StatefulSet's claim without modes", claims("")},
	{"StatefulSet's claims after it", statefulSet("persistentVolumeClaimRetentionPolicy: {whenDeleted: delete}")},
	{"DaemonSet's surge", daemonSet("updateStrategy: {rollingUpdate: {maxSurge: 150%, maxUnavailable: 0}}")},
	{"DaemonSet's surge with a Pod unavailable", daemonSet("updateStrategy: {rollingUpdate: {maxSurge: 1}}")},
	{"DaemonSet that replaces none", daemonSet("updateStrategy: {rollingUpdate: {maxUnavailable: 0}}")},
	{"DaemonSet's time", daemonSet("minReadySeconds: -1")},
	{"Job that restarts", object("batch/v1/Job", "spec: {template: {spec: {containers: [{name: a, image: a}]}}}")},
	{"Job's time", object("batch/v1/Job", "spec: {activeDeadlineSeconds: -1, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}")},
	{"CronJob that restarts", cronJob("0 3 * * *", "", "containers: [{name: a, image: a}]")},
	{"CronJob's container", cronJob("0 3 * * *", "", "restartPolicy: Never, containers: [{name: A, image: a}]")},
	{"CronJob's variable", cronJob("0 3 * * *", "", "restartPolicy: Never, containers: [{name: a, image: a, env: [{name: \"\", value: b}]}]")},
	{"CronJob's minute", cronJob("60 * * * *", "", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"CronJob's day", cronJob("0 3 * * MO", "", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"CronJob's steps", cronJob("*/0 * * * *", "", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"CronJob's word", cronJob("@noon", "", "restartPolicy: Never, containers: [{name: a, image: a}]")},
	{"CronJob's place on Mars", scheduled("0 3 * * *", "Mars/X")},
	{"CronJob's place here", scheduled("0 3 * * *", "Local")},
	{"CronJob's place nowhere", scheduled("0 3 * * *", `""`)},
	{"Job's selector", job("selector: {matchLabels: {app: a}}, ")},
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
	{"image pull secret in plain text", object("v1/Secret", "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: a}")},
	{"image pull secret in base64 of plain text", object("v1/Secret", "type: kubernetes.io/dockercfg\ndata: {.dockercfg: aGVsbG8=}")},
	{"token of no account", object("v1/Secret", "type: kubernetes.io/service-account-token")},
	{"login of nobody", object("v1/Secret", "type: kubernetes.io/basic-auth\nstringData: {a: b}")},
	{"empty SSH key", object("v1/Secret", "type: kubernetes.io/ssh-auth\ndata: {ssh-privatekey: \"\"}")},
	{"claim for one Pod and many", claim("accessModes: [ReadWriteOncePod, ReadWriteOnce]")},
	{"claim's class", claim("accessModes: [ReadWriteOnce], storageClassName: A B")},
	{"two budgets", object("policy/v1/PodDisruptionBudget", "spec: {minAvailable: 1, maxUnavailable: 1, selector: {matchLabels: {a: b}}}")},
	{"budget in words", object("policy/v1/PodDisruptionBudget", "spec: {minAvailable: half, selector: {matchLabels: {a: b}}}")},
	{"autoscaler upside down", autoscaler("minReplicas: 3, maxReplicas: 2")},
	{"autoscaler to nothing", autoscaler("minReplicas: 0, maxReplicas: 2")},
	{"autoscaler to nothing by what Pods use", autoscaler("minReplicas: 0, maxReplicas: 2, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]")},
	{"metric of two targets", metric("type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50, averageValue: 1}}")},
	{"metric of no target", metric("type: Resource, resource: {name: cpu, target: {type: Utilization}}")},
	{"metric of a target of others", metric("type: Pods, pods: {metric: {name: a}, target: {type: Value, value: 1}}")},
	{"metric of nothing", metric("type: Resource")},
	{"metric of another source", metric("type: Resource, pods: {metric: {name: a}, target: {type: AverageValue, averageValue: 1}}")},
	{"metric of two sources", metric("type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}, pods: {metric: {name: a}, target: {type: AverageValue, averageValue: 1}}")},
	{"metric's type", metric("type: resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}")},
	{"target's type", metric("type: Resource, resource: {name: cpu, target: {type: utilization, averageUtilization: 50}}")},
	{"target of 0 percent", metric("type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 0}}")},
	{"target of 0", metric("type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 0}}")},
	{"external metric of two targets", metric("type: External, external: {metric: {name: a}, target: {type: Value, value: 1, averageValue: 1}}")},
	{"autoscaler's memory", behavior("stabilizationWindowSeconds: 4000")},
	{"autoscaler's period of nothing", behavior("policies: [{type: Pods, value: 1, periodSeconds: 0}]")},
	{"autoscaler's period too long", behavior("policies: [{type: Pods, value: 1, periodSeconds: 1801}]")},
	{"autoscaler's step of nothing", behavior("policies: [{type: Pods, value: 0, periodSeconds: 60}]")},
	{"autoscaler's step", behavior("policies: [{type: pods, value: 1, periodSeconds: 60}]")},
	{"autoscaler's old target", object("autoscaling/v1/HorizontalPodAutoscaler", "spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}, maxReplicas: 2, targetCPUUtilizationPercentage: 0}")},
	{"role for nothing", role("Role", "apiGroups: [apps], verbs: [get]")},
	{"role of no group", role("Role", "resources: [pods], verbs: [get]")},
	{"role to do nothing", role("Role", "apiGroups: [apps], resources: [deployments], verbs: []")},
	{"role for a path", role("Role", "nonResourceURLs: [/healthz], verbs: [get]")},
	{"role for a path and more", role("ClusterRole", "nonResourceURLs: [/healthz], apiGroups: [apps], resources: [deployments], verbs: [get]")},
	{"binding's role", binding("kind: role, name: a", "kind: ServiceAccount, name: a, namespace: b")},
	{"binding's group", strings.Replace(binding("kind: Role, name: a", "kind: ServiceAccount, name: a, namespace: b"), "apiGroup: rbac.authorization.k8s.io", "apiGroup: apps", 1)},
	{"binding's subject", binding("kind: Role, name: a", "kind: Account, name: a")},
	{"binding's account of a group", binding("kind: Role, name: a", "kind: ServiceAccount, name: a, namespace: b, apiGroup: rbac.authorization.k8s.io")},
	{"binding's account of no namespace", strings.NewReplacer("RoleBinding", "ClusterRoleBinding", "kind: Role,", "kind: ClusterRole,").Replace(binding("kind: Role, name: a", "kind: ServiceAccount, name: a"))},
	{"binding of the cluster to a Role", strings.NewReplacer("RoleBinding", "ClusterRoleBinding").Replace(binding("kind: Role, name: a", "kind: ServiceAccount, name: a, namespace: b"))},
	{"quota below 0", quota("pods: -1")},
	{"quota of a part", quota("pods: 500m")},
	{"quota's resource", quota("request.cpu: 1")},
	{"range's type", limitRange("type: container, max: {cpu: 1}")},
	{"range upside down", limitRange("type: Container, min: {cpu: 2}, max: {cpu: 1}")},
	{"range's default over its end", limitRange("type: Container, default: {cpu: 2}, max: {cpu: 1}")},
	{"range's default for a Pod", limitRange("type: Pod, default: {cpu: 2}")},
	{"range twice", limitRange("type: Pod, max: {cpu: 2}}, {type: Pod, max: {memory: 1Gi}")},
	{"slice's address", slice("IPv4", "[x]")},
	{"slice's address of the other family", slice("IPv4", "[\"2001:db8::1\"]")},
	{"slice's loopback", slice("IPv4", "[127.0.0.1]")},
	{"slice's empty endpoint", slice("IPv4", "[]")},
	{"policy of three types", policy("policyTypes: [Ingress, Egress, Ingress]")},
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
	{"the node's network", workload("Deployment", "", "hostNetwork: true\n      securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: \"1\"}]}", "ports: [{name: a, containerPort: 80, hostPort: 80}, {name: b, containerPort: 81}, {name: c, containerPort: 80, hostPort: 80, protocol: UDP}]")},
	{"users of its own", pod("hostUsers: false\n      shareProcessNamespace: true")},
	{"init containers", pod("initContainers: [{name: b, image: b, restartPolicy: Always, readinessProbe: {tcpSocket: {port: 80}}, ports: [{containerPort: 80, hostPort: 8080}]}, {name: c, image: c, ports: [{containerPort: 80, hostPort: 8080}]}]")},
	{"path on the node", pod("volumes: [{name: a, hostPath: {path: \"/var/..data\"}}]")},
	{"nameservers", pod("dnsConfig: {nameservers: [192.0.2.1, \"2001:db8::1\", 192.0.2.3]}")},
	{"spread in two ways", pod("topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, minDomains: 2}, {maxSkew: 2, topologyKey: a, whenUnsatisfiable: ScheduleAnyway}]")},
	{"gate", pod("schedulingGates: [{name: example.com/a}]\n      nodeName: \"\"")},
	{"Windows", workload("Deployment", "", "os: {name: windows}\n      securityContext: {runAsNonRoot: true, windowsOptions: {runAsUserName: a}}", "securityContext: {runAsNonRoot: true}")},
	{"Linux", pod("os: {name: linux}\n      securityContext: {runAsUser: 1}")},
	{"devices and huge pages", container("resources: {limits: {example.com/gpu: 2, memory: 1Gi, hugepages-2Mi: 4Mi}, requests: {hugepages-2Mi: 4Mi}}")},
	{"StatefulSet's claims", claims("accessModes: [ReadWriteOncePod], storageClassName: \"\"")},
	{"StatefulSet's claims after it", statefulSet("persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}")},
	{"CronJob's schedule by names", scheduled("*/5,7 0-6/2 1,15 JAN-mar ?", "America/Argentina/ComodRivadavia")},
	{"CronJob's time zone", scheduled("@hourly", "Etc/GMT+5")},
	{"Job that selects by itself", job("manualSelector: true, selector: {matchLabels: {app: a}}, ")},
	{"Job with an empty selector", job("selector: {}, ")},
	{"image pull secret", object("v1/Secret", "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: \"{}\"}")},
	{"token of an account", strings.Replace(object("v1/Secret", "type: kubernetes.io/service-account-token"), "{name: a}", "{name: a, annotations: {kubernetes.io/service-account.name: a}}", 1)},
	{"password without a user", object("v1/Secret", "type: kubernetes.io/basic-auth\nstringData: {password: \"\"}")},
	{"metrics", metric("type: Resource, resource: {name: cpu, target: {type: Utilization, averageValue: 1}}}, {type: Object, object: {describedObject: {kind: Service, name: a}, metric: {name: a}, target: {type: Value, value: 1, averageValue: 1}}}, {type: Pods, pods: {metric: {name: a}, target: {type: AverageValue, value: 1, averageValue: 1}}}, {type: ContainerResource, containerResource: {name: cpu, container: a, target: {type: Utilization, averageUtilization: 200, value: 1}}}, {type: External, external: {metric: {name: a}, target: {type: Value, value: 1, averageUtilization: 1}}")},
	{"behavior", behavior("stabilizationWindowSeconds: 3600, selectPolicy: Disabled, policies: [{type: Percent, value: 200, periodSeconds: 1800}]")},
	{"autoscaler's old target", object("autoscaling/v1/HorizontalPodAutoscaler", "spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}, maxReplicas: 2, targetCPUUtilizationPercentage: 50}")},
	{"role", role("Role", "apiGroups: [\"\"], resources: [pods], verbs: [get]")},
	{"binding", binding("kind: ClusterRole, name: a", "kind: ServiceAccount, name: a}, {kind: User, name: a}, {kind: Group, apiGroup: rbac.authorization.k8s.io, name: a")},
	{"quota", quota("pods: 0, requests.cpu: 500m, requests.example.com/gpu: 4, count/deployments.apps: 4, hugepages-2Mi: 4Mi, requests.hugepages-2Mi: 4Mi, a.storageclass.storage.k8s.io/requests.storage: 1Gi")},
	{"range", limitRange("type: Container, min: {cpu: 1}, max: {cpu: 1}, default: {memory: 1Gi}}, {type: PersistentVolumeClaim, max: {storage: 1Gi}")},
	{"slice of names", slice("FQDN", "[a.example.com]")},
	{"slice of IPv6", slice("IPv6", "[\"2001:db8::1\"]")},
	{"node port of two protocols", ports("[{name: a, port: 80, nodePort: 31996}, {name: b, port: 80, protocol: UDP, nodePort: 31996}]")},
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
	{"autoscaler to nothing by a queue", autoscaler("minReplicas: 0, maxReplicas: 2, metrics: [{type: External, external: {metric: {name: queue}, target: {type: AverageValue, averageValue: \"30\"}}}]")},
	{"first ordinal", statefulSet("ordinals: {start: 1}")},
	{"port of a Job beside the Pods", ports("[{port: 80, targetPort: web}]") + "---\n" + container("ports: [{name: web, containerPort: 80}]") + "---\n" +
		object("batch/v1/Job", "spec: {template: {metadata: {labels: {app: a}}, spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}")},
}

// allocated are refused when the server allocates ports, which a dry run does not.
var allocated = []struct{ name, manifest string }{
	{"node port too large", ports("[{port: 80, nodePort: 70000}]")},
	{"node port twice", ports("[{name: a, port: 80, nodePort: 31997}, {name: b, port: 81, nodePort: 31997}]")},
	{"node port of two protocols and numbers", ports("[{name: a, port: 80, nodePort: 31997}, {name: b, port: 81, protocol: UDP, nodePort: 31997}]")},
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
