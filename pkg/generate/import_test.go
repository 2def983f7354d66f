package generate

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func kustomizeBuild(fsys filesys.FileSystem, dir string) ([]byte, error) {
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fsys, dir)
	if err != nil {
		return nil, err
	}
	return m.AsYaml()
}

func readObjects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for _, doc := range strings.Split(text, "\n---\n") {
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(data); err != nil {
			t.Fatal(err)
		}
		out = append(out, u)
	}
	return out
}

// What kubectl create and expose leave in a cluster, as kubectl get -o yaml prints it.
const live = `apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    deployment.kubernetes.io/revision: "3"
    kubectl.kubernetes.io/last-applied-configuration: "{}"
    note: mine
  creationTimestamp: "2026-01-01T00:00:00Z"
  generation: 3
  labels: {app: redis, team: a}
  name: redis
  namespace: shop
  resourceVersion: "123"
  uid: 11111111-2222-3333-4444-555555555555
spec:
  progressDeadlineSeconds: 600
  replicas: 2
  revisionHistoryLimit: 10
  selector: {matchLabels: {app: redis}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}
  template:
    metadata:
      creationTimestamp: null
      labels: {app: redis}
    spec:
      hostAliases: [{ip: 10.0.0.9, hostnames: [x.example.com]}]
      containers:
        - image: redis:7
          imagePullPolicy: IfNotPresent
          name: main
          workingDir: /data
          env: [{name: EMPTY, value: ""}]
          ports: [{containerPort: 6379, protocol: TCP}]
          resources: {}
          terminationMessagePath: /dev/termination-log
          terminationMessagePolicy: File
          livenessProbe: {tcpSocket: {port: 6379}, failureThreshold: 3, periodSeconds: 10, successThreshold: 1, timeoutSeconds: 1}
          volumeMounts: [{mountPath: /data, name: data}]
        - image: sidecar
          imagePullPolicy: Always
          name: side
      dnsPolicy: ClusterFirst
      restartPolicy: Always
      schedulerName: default-scheduler
      securityContext: {}
      serviceAccount: default
      serviceAccountName: default
      terminationGracePeriodSeconds: 30
      volumes: [{name: data, emptyDir: {}}]
status: {replicas: 2}
---
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: "2026-01-01T00:00:00Z"
  labels: {app: redis}
  name: redis-svc
  namespace: shop
  resourceVersion: "124"
  uid: 11111111-2222-3333-4444-555555555556
  managedFields:
    - manager: kubectl
      operation: Update
      apiVersion: v1
      fieldsType: FieldsV1
      fieldsV1:
        f:spec:
          f:ports:
            .: {}
            k:{"port":6380,"protocol":"TCP"}: {.: {}, f:nodePort: {}}
spec:
  allocateLoadBalancerNodePorts: true
  clusterIP: 10.96.1.2
  clusterIPs: [10.96.1.2]
  externalTrafficPolicy: Local
  internalTrafficPolicy: Cluster
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  healthCheckNodePort: 31999
  ports:
    - {name: a, port: 6379, protocol: TCP, targetPort: 6379, nodePort: 30111}
    - {name: b, port: 6380, protocol: TCP, targetPort: 6379, nodePort: 30112}
  selector: {app: redis}
  sessionAffinity: None
  type: LoadBalancer
  loadBalancerSourceRanges: [10.0.0.0/8]
status: {loadBalancer: {}}`

func TestImportLive(t *testing.T) {
	i, err := Import(readObjects(t, live), kustomizeBuild)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tree")
	if _, err := WriteImported(context.Background(), dir, i, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	data, err := kustomizeBuild(filesys.MakeFsOnDisk(), filepath.Join(dir, i.Overlay))
	if err != nil {
		t.Fatal(err)
	}
	const want = `apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    note: mine
  labels:
    app: redis
    team: a
  name: redis
  namespace: shop
spec:
  replicas: 2
  selector:
    matchLabels:
      app: redis
  template:
    metadata:
      labels:
        app: redis
    spec:
      containers:
      - env:
        - name: EMPTY
          value: ""
        image: redis:7
        livenessProbe:
          tcpSocket:
            port: 6379
        name: main
        ports:
        - containerPort: 6379
          protocol: TCP
        volumeMounts:
        - mountPath: /data
          name: data
        workingDir: /data
      - image: sidecar
        name: side
      hostAliases:
      - hostnames:
        - x.example.com
        ip: 10.0.0.9
      serviceAccountName: default
      volumes:
      - emptyDir: {}
        name: data
---
apiVersion: v1
kind: Service
metadata:
  labels:
    app: redis
  name: redis-svc
  namespace: shop
spec:
  externalTrafficPolicy: Local
  loadBalancerSourceRanges:
  - 10.0.0.0/8
  ports:
  - name: a
    port: 6379
    protocol: TCP
    targetPort: 6379
  - name: b
    nodePort: 30112
    port: 6380
    protocol: TCP
    targetPort: 6379
  selector:
    app: redis
  type: LoadBalancer
`
	if string(data) != want {
		t.Errorf("the tree gives\n%s\nwant\n%s", data, want)
	}

	// Generating from its svcx.yaml changes nothing: what was imported is kept.
	app, err := LoadApp(dir)
	if err != nil {
		t.Fatal(err)
	}
	before := readTree(t, dir)
	r, err := Write(context.Background(), dir, app, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, before)
	if len(r.Kept) == 0 || len(r.Updated)+len(r.Created)+len(r.Removed) > 0 {
		t.Errorf("regenerating gives %+v", r)
	}
}

// Helm's marks on what was applied client-side are its own, and stay; without them
// the next apply would take them away.
func TestImportKeepsMarksThatWereApplied(t *testing.T) {
	const marks = "app.kubernetes.io/managed-by: Helm, helm.sh/chart: redis-1.2"
	text := strings.ReplaceAll(live, "labels: {app: redis, team: a}", "labels: {app: redis, "+marks+"}")
	for applied, want := range map[string]int{`'{"kind":"Deployment"}'`: 1, `'{}'`: 0} {
		i, err := Import(readObjects(t, strings.Replace(text, `"{}"`, applied, 1)), kustomizeBuild)
		if err != nil {
			t.Errorf("applied %s: %v", applied, err)
			continue
		}
		if got := strings.Count(string(file(i.files, "base/deployment.yaml")), "helm.sh/chart: redis-1.2"); got != want {
			t.Errorf("applied %s: the chart is named %d times, want %d", applied, got, want)
		}
		if notes := strings.Join(i.Notes, "\n"); strings.Contains(notes, "Helm release") != (want == 0) {
			t.Errorf("applied %s: notes are %q", applied, notes)
		}
	}
}

// What the API server fills in of a StatefulSet, by its release, goes unsaid.
func TestImportLeavesDefaultsOfAStatefulSet(t *testing.T) {
	u := namedObject("apps/v1", "StatefulSet", "db", "shop")
	u.Object["spec"] = map[string]any{
		"podManagementPolicy":  "OrderedReady",
		"revisionHistoryLimit": int64(10),
		"updateStrategy":       map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"partition": int64(0), "maxUnavailable": int64(1)}},
	}
	if spec, _ := nested(clean(u), "spec"); len(spec) > 0 {
		t.Errorf("%v is left", spec)
	}
}

func TestImportRefuses(t *testing.T) {
	objs := readObjects(t, live)
	for name, test := range map[string]struct {
		change func([]*unstructured.Unstructured) []*unstructured.Unstructured
		want   string
	}{
		"no Service":  {func(o []*unstructured.Unstructured) []*unstructured.Unstructured { return o[:1] }, "there is no Service"},
		"no workload": {func(o []*unstructured.Unstructured) []*unstructured.Unstructured { return o[1:] }, "name the Deployment or StatefulSet behind it"},
		"two workloads": {func(o []*unstructured.Unstructured) []*unstructured.Unstructured {
			return append(o, o[0])
		}, "a tree holds one workload"},
		"another namespace": {func(o []*unstructured.Unstructured) []*unstructured.Unstructured {
			o[1].SetNamespace("other")
			return o
		}, "no Service reaches into another namespace"},
		"a friend's namespace": {func(o []*unstructured.Unstructured) []*unstructured.Unstructured {
			return append(o, namedObject("rbac.authorization.k8s.io/v1", "RoleBinding", "auth", "kube-system"))
		}, `RoleBinding/auth is in namespace "kube-system", and Service/redis-svc in "shop"`},
		"the cluster's, of a kind that is not known": {func(o []*unstructured.Unstructured) []*unstructured.Unstructured {
			u := namedObject("cert-manager.io/v1", "ClusterIssuer", "ca", "")
			u.SetResourceVersion("1")
			return append(o, u)
		}, "ClusterIssuer/ca is of the whole cluster"},
		"a name that leads out": {func(o []*unstructured.Unstructured) []*unstructured.Unstructured {
			u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
			u.SetName("../../../etc/x")
			return append(o, u)
		}, "there is no file name for it"},
	} {
		t.Run(name, func(t *testing.T) {
			var copies []*unstructured.Unstructured
			for _, o := range objs {
				copies = append(copies, o.DeepCopy())
			}
			_, err := Import(test.change(copies), kustomizeBuild)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// A job beside the workload is kept as it is; a chart's test, which an apply would run,
// is not, and neither is a Job with the selector that its API server made for it.
func TestImportBesideTheWorkload(t *testing.T) {
	jobOf := func(kind string, spec map[string]any, hook string) *unstructured.Unstructured {
		u := namedObject("batch/v1", kind, "chore", "shop")
		u.Object["spec"] = spec
		if hook != "" {
			u.SetAnnotations(map[string]string{helmHook: hook})
		}
		return u
	}
	for name, test := range map[string]struct {
		other      *unstructured.Unstructured
		file, note string
		err        string
	}{
		"CronJob":         {other: jobOf("CronJob", map[string]any{"schedule": "@daily"}, ""), file: "base/cronjob-chore.yaml"},
		"Job":             {other: jobOf("Job", map[string]any{}, ""), file: "base/job-chore.yaml"},
		"hook":            {other: jobOf("Job", map[string]any{}, "pre-install,pre-upgrade"), file: "base/job-chore.yaml", note: "Job/chore is a hook of Helm's (pre-install,pre-upgrade), and is applied with all the rest here"},
		"Job that runs":   {other: jobOf("Job", map[string]any{"selector": map[string]any{}}, ""), err: "a Job cannot be imported; leave it out"},
		"Pod":             {other: namedObject("v1", "Pod", "chore", "shop"), err: "a Pod cannot be imported; leave it out"},
		"test of a chart": {other: jobOf("Pod", map[string]any{}, "test"), note: "left out: Pod/chore (a test of Helm's, which every apply would run)"},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := Import(append(readObjects(t, live), test.other), kustomizeBuild)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if test.note != "" && !slices.Contains(i.Notes, test.note) {
				t.Errorf("notes are %q, want %q", i.Notes, test.note)
			}
			var files []string
			for _, f := range i.files {
				if strings.Contains(f.Path, "chore") {
					files = append(files, f.Path)
				}
			}
			if strings.Join(files, " ") != test.file {
				t.Errorf("it is in %q, want %q", files, test.file)
			}
		})
	}
}

func namedObject(apiVersion, kind, name, namespace string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	u.SetName(name)
	u.SetNamespace(namespace)
	return u
}

// What names no namespace comes into that of the app, and what a file says of
// finalizers is left out; both are told.
func TestImportNotes(t *testing.T) {
	for name, test := range map[string]struct {
		other *unstructured.Unstructured
		want  string
	}{
		"a known kind":      {namedObject("v1", "ConfigMap", "conf", ""), "ConfigMap/conf: no namespace is named, and the overlay puts it into shop"},
		"an unknown kind":   {namedObject("cert-manager.io/v1", "ClusterIssuer", "ca", ""), "ClusterIssuer/ca: no namespace is named, and the overlay puts into shop every kind that kustomize does not know"},
		"the cluster's":     {namedObject("rbac.authorization.k8s.io/v1", "ClusterRole", "reader", ""), ""},
		"the same":          {namedObject("v1", "ConfigMap", "conf", "shop"), ""},
		"an unknown one in": {namedObject("monitoring.coreos.com/v1", "ServiceMonitor", "redis", "shop"), ""},
		"finalizers": {func() *unstructured.Unstructured {
			u := namedObject("v1", "ConfigMap", "conf", "shop")
			u.SetFinalizers([]string{"example.com/mine"})
			return u
		}(), "ConfigMap/conf: its finalizers (example.com/mine) were left out"},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := Import(append(readObjects(t, live), test.other), kustomizeBuild)
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(i.Notes, "\n")
			if test.want == "" && strings.Contains(notes, test.other.GetName()) && strings.Contains(notes, test.other.GetKind()) || !strings.Contains(notes, test.want) {
				t.Errorf("notes are %q, want %q", notes, test.want)
			}
		})
	}
}
