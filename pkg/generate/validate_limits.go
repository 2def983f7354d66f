package generate

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// workloadLimits checks what an API server refuses of the fields that a Spec has as the
// API has them, beyond what podDetails does; TestValidatorsAgree holds it against what
// validate finds in the tree.
func (v *validator) workloadLimits(a *App) {
	const at = "spec.workload."
	w := a.Spec.Workload
	const deadline = 600 // progressDeadlineSeconds, which a Spec cannot say
	if w.MinReadySeconds >= deadline && a.workloadKind() == Deployment {
		v.add(at+"minReadySeconds", strconv.Itoa(int(w.MinReadySeconds)), fmt.Sprintf("is not less than the %d seconds in which a Deployment has to get ahead", deadline), fmt.Sprintf("%d at the most", deadline-1))
	}
	for i, e := range w.Env {
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			v.ownField(fmt.Sprintf("%senv[%d].valueFrom.fieldRef.fieldPath", at, i), e.ValueFrom.FieldRef.FieldPath)
		}
	}
	for i, secret := range a.Spec.Secrets {
		v.promised(fmt.Sprintf("spec.secrets[%d]", i), secret)
	}
	v.devices(w.Resources)
	v.contexts(a)
	for i, c := range w.VolumeClaimTemplates {
		if c.MountPath != "" && (!path.IsAbs(c.MountPath) || strings.Contains(c.MountPath, ":")) {
			v.add(fmt.Sprintf("%svolumeClaimTemplates[%d].mountPath", at, i), c.MountPath, "is not a path that a volume can be mounted at", "such as /data")
		}
	}
}

// promised demands the keys that a Secret's type promises.
func (v *validator) promised(field string, s Secret) {
	if len(s.Envs) > 0 {
		return // their keys are not known here
	}
	for _, key := range map[corev1.SecretType][]string{
		corev1.SecretTypeTLS: {corev1.TLSCertKey, corev1.TLSPrivateKeyKey}, corev1.SecretTypeDockerConfigJson: {corev1.DockerConfigJsonKey},
		corev1.SecretTypeDockercfg: {corev1.DockerConfigKey}, corev1.SecretTypeSSHAuth: {corev1.SSHAuthPrivateKey},
	}[s.Type] {
		_, there := s.StringData[key]
		if !there && !slices.ContainsFunc(s.Files, func(f string) bool { return f == key || strings.HasPrefix(f, key+"=") || strings.HasSuffix(f, "/"+key) }) {
			v.add(field+".stringData."+key, "", "is missing, which a Secret of type "+string(s.Type)+" has", "give it here, or as one of files")
		}
	}
}

func (v *validator) headers(field string, headers []corev1.HTTPHeader) {
	for i, h := range headers {
		if len(validation.IsHTTPHeaderName(h.Name)) > 0 {
			v.add(fmt.Sprintf("%s[%d].name", field, i), h.Name, "is not a header's name", "such as Host or X-Probe")
		}
	}
}

// portOrName checks the port of a hook, which is a number or the name of one.
func (v *validator) portOrName(field string, port intstr.IntOrString) {
	if port.Type == intstr.Int {
		v.portNumber(field, port.IntVal)
	} else if len(validation.IsValidPortName(port.StrVal)) > 0 {
		v.add(field, port.StrVal, "is not a port's name", "such as http, or the port's number")
	}
}

// podFields are what a variable can be of its own Pod, beside one label or annotation.
var podFields = []string{"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"}

func (v *validator) ownField(field, name string) {
	if !slices.Contains(podFields, name) && name != "spec.host" && !strings.HasPrefix(name, "metadata.labels['") && !strings.HasPrefix(name, "metadata.annotations['") {
		v.add(field, name, "is not a field of a Pod that a variable can have"+didYouMean(name, podFields), "one of "+strings.Join(podFields, ", ")+", metadata.labels['NAME'], metadata.annotations['NAME']")
	}
}

// devices demands a limit for each device that is requested: nothing of it can be lent.
func (v *validator) devices(r *corev1.ResourceRequirements) {
	if r == nil {
		return
	}
	for _, name := range resourceNames(r.Requests) {
		request := r.Requests[corev1.ResourceName(name)]
		limit, ok := r.Limits[corev1.ResourceName(name)]
		if strings.Contains(name, "/") && (!ok || limit.Cmp(request) != 0) {
			v.add("spec.workload.resources.requests."+name, request.String(), "is a device, of which the limit must be the same", "write it under limits, which is enough")
		}
	}
}

var sysctlName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// contexts checks those values of the security contexts that have a list of their own,
// with what stands beside them in the Pod.
func (v *validator) contexts(a *App) {
	w := a.Spec.Workload
	known, _ := presetFor(w.Image)
	if c := w.SecurityContext; c != nil {
		v.seccomp("spec.workload.securityContext.seccompProfile.", c.SeccompProfile, w.security().SeccompProfile)
	}
	c := w.PodSecurityContext
	if c == nil {
		return
	}
	const at = "spec.workload.podSecurityContext"
	v.seccomp(at+".seccompProfile.", c.SeccompProfile, a.podSecurity(known).SeccompProfile)
	if p := c.FSGroupChangePolicy; p != nil {
		oneOf(v, at+".fsGroupChangePolicy", *p, corev1.FSGroupChangeOnRootMismatch, corev1.FSGroupChangeAlways)
	}
	for i, s := range c.Sysctls {
		field := fmt.Sprintf("%s.sysctls[%d].name", at, i)
		switch {
		case s.Name == "":
			v.add(field, "", "is missing", "such as net.ipv4.ip_unprivileged_port_start")
		case len(s.Name) > 253 || !sysctlName.MatchString(s.Name):
			v.add(field, s.Name, "is not a kernel parameter's name", "such as net.ipv4.ip_unprivileged_port_start")
		case slices.ContainsFunc(c.Sysctls[:i], func(t corev1.Sysctl) bool { return t.Name == s.Name }):
			v.add(field, s.Name, "is there twice", "remove one")
		}
	}
}

// seccomp checks a profile that the Spec gives, as it is in the Pod.
func (v *validator) seccomp(field string, given, p *corev1.SeccompProfile) {
	if given == nil {
		return
	}
	const local = corev1.SeccompProfileTypeLocalhost
	oneOf(v, field+"type", p.Type, corev1.SeccompProfileTypeRuntimeDefault, local, corev1.SeccompProfileTypeUnconfined)
	switch {
	case p.Type == "":
		v.add(field+"type", "", "is missing", "such as RuntimeDefault")
	case p.Type == local && p.LocalhostProfile == nil:
		v.add(field+"localhostProfile", "", "is missing, which type Localhost wants", "a file below the kubelet's seccomp folder, such as profiles/audit.json")
	case p.Type != local && p.LocalhostProfile != nil:
		v.add(field+"localhostProfile", *p.LocalhostProfile, "has no use with type "+string(p.Type), "write type: Localhost")
	}
}

func (v *validator) nodeTerm(field string, t corev1.NodeSelectorTerm) {
	for i, e := range t.MatchExpressions {
		at := fmt.Sprintf("%smatchExpressions[%d].", field, i)
		v.labelName(at+"key", e.Key)
		const gt, lt = corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt
		switch n := len(e.Values); e.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			if n == 0 {
				v.add(at+"values", "", "is missing: "+string(e.Operator)+" compares with some", "give one at least")
			}
		case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
			if n > 0 {
				v.add(at+"values", "", "has no use with operator "+string(e.Operator), "remove it")
			}
		case gt, lt:
			if n != 1 {
				v.add(at+"values", "", string(e.Operator)+" compares with one number", "give one")
			}
		case "":
			v.add(at+"operator", "", "is missing", "such as In or Exists")
		default:
			oneOf(v, at+"operator", e.Operator, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist, gt, lt)
		}
	}
	for i, f := range t.MatchFields {
		at := fmt.Sprintf("%smatchFields[%d].", field, i)
		if f.Key != metav1.ObjectNameField {
			v.add(at+"key", f.Key, "is not a field of a node that can be matched", "write "+metav1.ObjectNameField)
		}
		if f.Operator != corev1.NodeSelectorOpIn && f.Operator != corev1.NodeSelectorOpNotIn {
			v.add(at+"operator", string(f.Operator), "is not for fields", "In or NotIn")
		} else if len(f.Values) != 1 {
			v.add(at+"values", "", "must be one: a field is compared with one", "make a term of each")
		}
	}
}
