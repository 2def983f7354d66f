package apply

import (
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/shell"
)

// advise adds the next step to refusals that are known to need more than
// another value in the manifest.
func advise(u *unstructured.Unstructured, err error) error {
	if m := overQuota.FindStringSubmatch(err.Error()); m != nil && apierrors.IsForbidden(err) {
		return fmt.Errorf("%w; %s", err, shell.Advice("make room in it, or have it raised", shell.Kubectl("describe quota %s -n %s", m[1], u.GetNamespace())))
	}
	if m := webhookDown.FindStringSubmatch(err.Error()); m != nil && apierrors.IsInternalError(err) {
		return fmt.Errorf("%w; the webhook %s is asked about every such object and does not answer: start what serves it, or find whose it is: %s", err, m[1],
			"kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations")
	}
	if !apierrors.IsInvalid(err) {
		return err
	}
	if isService(u) && strings.Contains(err.Error(), "may not change once set") {
		return fmt.Errorf("%w; leave the field out to keep what it has, or apply the Service as ExternalName first and then as desired", err)
	}
	if !fixed.MatchString(err.Error()) {
		return err
	}
	short := &briefError{text: dump.ReplaceAllString(err.Error(), "$1"), err: err}
	first := command("delete", u)
	switch {
	case u.GetKind() == "PersistentVolumeClaim":
		return fmt.Errorf("%w; a claim cannot change so: keep what it has, or give the new one another name", short)
	case u.GetKind() == "StatefulSet":
		return fmt.Errorf("%w; %s", short, shell.Advice("it cannot change so: keep what it has, or delete it first, which leaves its Pods and claims, and apply again", first+" --cascade=orphan"))
	case strings.Contains(err.Error(), "spec.selector"):
		return fmt.Errorf("%w; %s", short, shell.Advice("a selector cannot change: keep the old one, or delete the object first", first))
	}
	return fmt.Errorf("%w; %s", short, shell.Advice("it cannot change so: keep what it has, or delete it first and apply again", first))
}

var (
	overQuota   = regexp.MustCompile(`exceeded quota: ([^\s,]+)`)
	webhookDown = regexp.MustCompile(`failed calling webhook "([^"]+)"`)
)

// fixed is what API servers say of fields that may not change in a live object.
var fixed = regexp.MustCompile(`immutable|updates to statefulset spec for fields other than|pod updates may not change fields other than|cannot change roleRef`)

// dump is the Go value by which a server shows a field that may not change, often a whole
// Pod, or the lines by which that differs.
var dump = regexp.MustCompile(`(?s)Invalid value: \{.*?\}: (field is immutable)|\n@@.*`)

// briefError is an API server's error in fewer words.
type briefError struct {
	text string
	err  error
}

func (e *briefError) Error() string { return e.text }
func (e *briefError) Unwrap() error { return e.err }
