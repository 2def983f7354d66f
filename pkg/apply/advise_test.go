package apply

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What may not change in a live object is said in short, with the way out that loses
// least; the API server's answers are those of 1.37.
func TestAdvise(t *testing.T) {
	refused := func(reason metav1.StatusReason, code int32, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Reason: reason, Code: code, Message: message}}
	}
	invalid := func(message string) error { return refused(metav1.StatusReasonInvalid, 422, message) }
	for _, tt := range []struct {
		kind string
		err  error
		want string
	}{
		{"Job", invalid(`Job.batch "a" is invalid: spec.template: Invalid value: {"labels":{"b":"c: }"},"Spec":{"Volumes":null}}: field is immutable`),
			`Job.batch "a" is invalid: spec.template: field is immutable; it cannot change so: keep what it has, or delete it first and apply again: kubectl delete job/a -n n`},
		{"Secret", invalid(`Secret "a" is invalid: [type: Invalid value: "x": field is immutable, data[y]: Required value]`),
			`Secret "a" is invalid: [type: Invalid value: "x": field is immutable, data[y]: Required value]; it cannot change so: keep what it has, or delete it first and apply again: kubectl delete secret/a -n n`},
		{"StatefulSet", invalid("StatefulSet.apps \"a\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden"),
			"are forbidden; it cannot change so: keep what it has, or delete it first, which leaves its Pods and claims, and apply again: kubectl delete statefulset/a -n n --cascade=orphan"},
		{"PersistentVolumeClaim", invalid("PersistentVolumeClaim \"a\" is invalid: spec: Forbidden: spec is immutable after creation\n@@ -1 +1 @@\n- x\n+ y\n"),
			"spec is immutable after creation; a claim cannot change so: keep what it has, or give the new one another name"},
		{"Deployment", invalid(`Deployment.apps "a" is invalid: spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable`),
			`spec.selector: field is immutable; a selector cannot change: keep the old one, or delete the object first: kubectl delete deployment/a -n n`},
		{"Service", refused(metav1.StatusReasonForbidden, 403, `services "a" is forbidden: exceeded quota: q, requested: services=1, used: services=1, limited: services=1`),
			`limited: services=1; make room in it, or have it raised: kubectl describe quota q -n n`},
		{"Service", refused(metav1.StatusReasonInternalError, 500, `Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post "https://w": no route`),
			"the webhook w.example.com is asked about every such object and does not answer"},
	} {
		u := &unstructured.Unstructured{Object: map[string]any{"kind": tt.kind, "metadata": map[string]any{"name": "a", "namespace": "n"}}}
		got := advise(u, tt.err)
		if !strings.Contains(got.Error(), tt.want) || !errors.Is(got, tt.err) {
			t.Errorf("%s:\n%v\nwant\n%s", tt.kind, got, tt.want)
		}
	}
	other := invalid("a is invalid: spec.replicas: must not be negative")
	if got := advise(&unstructured.Unstructured{Object: map[string]any{"kind": "Deployment"}}, other); got != other { //nolint:errorlint // it has to be left alone
		t.Error(got)
	}
}

// A kind counts as declared in the versions that its definition has served.
func TestDeclaredKinds(t *testing.T) {
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"spec": map[string]any{
			"group": "example.com", "scope": "Cluster", "names": map[string]any{"kind": "Widget"},
			"versions": []any{map[string]any{"name": "v1", "served": true}, map[string]any{"name": "v0", "served": false}},
		},
	}}
	got := declaredKinds([]*unstructured.Unstructured{crd, namespaceObject("n")})
	if len(got) != 1 || got[schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}] != meta.RESTScopeNameRoot {
		t.Error(got)
	}
}
