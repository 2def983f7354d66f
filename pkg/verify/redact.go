package verify

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/probe"
)

// maxRecorded bounds one text of a recording, in bytes.
const maxRecorded = 2048

// hidden stands where something was left out.
const hidden = "***"

// redact drops from a recording what no rule reads and what should not be
// handed on: the values of environment variables (but for the address of a
// Service) and HTTP headers, annotations,
// attributes of volumes, and in every other text whatever looks like a secret.
// A secret that is known from one place (the value of REDIS_PASSWORD, what
// follows --requirepass) is hidden wherever else it stands, such as in a log.
func redact(r *Recording) {
	seen := &redactor{collect: true, names: strings.Join(append(slices.Clone(r.Targets), objectNames(r)...), " ")}
	seen.visit(reflect.ValueOf(r).Elem())
	slices.SortFunc(seen.secrets, func(a, b string) int { return len(b) - len(a) })
	hide := &redactor{secrets: slices.Compact(seen.secrets), names: seen.names, services: r.Services}
	for i := range r.StatefulSets {
		hide.podNames = append(hide.podNames, podNameForm(r.StatefulSets[i].Name))
	}
	hide.visit(reflect.ValueOf(r).Elem())
}

// objectNames are the names that a judgement goes by.
func objectNames(r *Recording) []string {
	var out []string
	for i := range r.Services {
		out = append(out, r.Services[i].Namespace+"/"+r.Services[i].Name)
	}
	for i := range r.Pods {
		out = append(out, r.Pods[i].Namespace+"/"+r.Pods[i].Name)
		for _, c := range slices.Concat(r.Pods[i].Spec.InitContainers, r.Pods[i].Spec.Containers) {
			out = append(out, c.Name, c.Image)
		}
	}
	for _, p := range r.Probes {
		out = append(out, p.ID, p.Address)
	}
	return out
}

// redactor goes through a recording twice: to learn secrets, and to hide them.
type redactor struct {
	collect bool
	names   string // no secret is part of these
	secrets []string
	// services are those whose addresses stay in environment variables.
	services []corev1.Service
	// podNames match names of the Pods of StatefulSets, which stay too.
	podNames []*regexp.Regexp
}

// minSecret is the length from which a value is looked for elsewhere, in bytes:
// shorter ones stand in too many words.
const minSecret = 6

func (x *redactor) learn(s string) {
	if len(s) >= minSecret && !strings.Contains(x.names, s) {
		x.secrets = append(x.secrets, s)
	}
}

// visit goes through everything that v holds; v can be set.
func (x *redactor) visit(v reflect.Value) {
	if v.Kind() == reflect.Struct && v.CanAddr() && x.object(v.Addr().Interface()) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		if x.collect {
			for _, m := range userInfo.FindAllStringSubmatch(v.String(), -1) {
				x.learn(m[1])
			}
			return
		}
		v.SetString(x.hide(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				x.visit(f)
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			x.visit(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			x.visit(v.Elem())
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			item := reflect.New(v.Type().Elem()).Elem()
			item.Set(it.Value())
			x.visit(item)
			v.SetMapIndex(it.Key(), item)
		}
	}
}

// object deals with the types whose fields have a meaning here; true when
// nothing is left to visit in it.
func (x *redactor) object(o any) bool {
	switch o := o.(type) {
	case *corev1.Service:
		if !x.collect {
			serviceMeta(o)
		}
		x.visit(reflect.ValueOf(&o.Spec).Elem())
		x.visit(reflect.ValueOf(&o.Status).Elem())
		return true
	case *metav1.ObjectMeta:
		if !x.collect {
			redactMeta(o)
		}
		return true
	case *corev1.EnvVar:
		if x.collect && secretWord.MatchString(o.Name) {
			x.learn(o.Value)
		}
		if !x.collect {
			o.Value = x.address(o.Name, o.Value)
		}
		return true
	case *corev1.HTTPHeader:
		if !x.collect {
			o.Value = ""
		} else if !strings.EqualFold(o.Name, "Host") { // a name, which certificates hold too
			x.learn(o.Value)
		}
		return true
	case *corev1.ExecAction:
		x.arguments(o.Command)
		if !x.collect {
			o.Command = nil // no rule reads it
		}
	case *corev1.Container:
		x.arguments(o.Command)
		x.arguments(o.Args)
		x.leaving(o, &o.Image)
		return true
	case *corev1.ContainerStatus:
		x.leaving(o, &o.Image, &o.ImageID)
		return true
	case *corev1.EphemeralContainerCommon:
		x.arguments(o.Command)
		x.arguments(o.Args)
	case *probe.Probe:
		x.arguments(o.Command)
		if !x.collect {
			o.Send, o.Command = "", nil // it may be a login, and no rule reads them
		}
		x.leaving(o, &o.ID, &o.Address, &o.Service, &o.Pod, &o.Port, &o.In, &o.ServerName, &o.SNI, &o.HTTPHost)
		return true
	case *probe.Outcome:
		x.leaving(o, &o.Probe)
		return true
	case *corev1.CSIVolumeSource:
		o.VolumeAttributes = dropped(o.VolumeAttributes, x.collect)
	case *corev1.FlexVolumeSource:
		o.Options = dropped(o.Options, x.collect)
	}
	return false
}

// leaving visits what a struct holds and leaves names as they are: what is told
// apart by them is judged by them, and "auth:6379" is no password.
func (x *redactor) leaving(o any, names ...*string) {
	kept := make([]string, len(names))
	for i, n := range names {
		kept[i] = *n
		*n = ""
	}
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		x.visit(v.Field(i))
	}
	for i, n := range names {
		*n = kept[i]
	}
}

// address is what is kept of a variable's value: the name and port of a Service
// that it holds, or the bare name, by which its clients are found, or else the names
// of Pods.
func (x *redactor) address(variable, value string) string {
	for i := range x.services {
		svc := &x.services[i]
		if value == svc.Name && !secretWord.MatchString(variable) {
			return value
		}
		switch at := addressIn(svc, value); at {
		case "":
		case value:
			return at
		default: // what else the value says is not told, but that it says more
			return hidden + "@" + at
		}
	}
	var names []string
	for _, form := range x.podNames {
		for _, m := range form.FindAllStringSubmatch(value, 64) {
			names = append(names, m[1])
		}
	}
	return strings.Join(names, ",")
}

func dropped(m map[string]string, keep bool) map[string]string {
	if keep {
		return m
	}
	return nil
}

// arguments hides the value that follows a word such as --requirepass, and the
// one that redis-cli's -a or mysql's -p gives.
func (x *redactor) arguments(args []string) {
	for i, arg := range args {
		before := ""
		if i > 0 {
			before = args[i-1]
		}
		switch {
		case secretWord.MatchString(before), (before == "-a" || before == "-p") && isCredential(arg):
			if x.collect {
				x.learn(arg)
			} else {
				args[i] = hidden
			}
		default:
			args[i] = x.credentials(arg)
		}
	}
}

var (
	// credential is -a VALUE, -p VALUE and -pVALUE with the word before it, as an
	// argument or within a line for a shell.
	credential = regexp.MustCompile(`(?:^|\s|(\S+)\s)\s*(-[ap]\s+|-p=?)("[^"]*"|'[^']*'|[^\s"']+)`)
	// flagsWithP are the words that begin with -p and carry no password.
	flagsWithP = strings.Fields("port path pid pidfile profile prefix proxy peer peers plugin policy protocol ping print public pull push pretty poll")
)

// credentials hides what a command line gives as a password.
func (x *redactor) credentials(line string) string {
	return credential.ReplaceAllStringFunc(line, func(all string) string {
		m := credential.FindStringSubmatch(all)
		value := strings.Trim(m[3], `"'`)
		word, _, _ := strings.Cut("p"+value, "=")
		if !isCredential(value) || strings.HasSuffix(m[1], "mkdir") || m[2] == "-p" && slices.Contains(flagsWithP, word) {
			return all
		}
		if x.collect {
			x.learn(value)
			return all
		}
		return strings.TrimSuffix(all, m[3]) + hidden
	})
}

// isCredential reports whether what follows -a or -p may be a password: it is
// no port, path, variable or other option.
func isCredential(s string) bool {
	return strings.Trim(s, "0123456789") != "" && !strings.ContainsAny(s[:1], "/.$&|;<>-")
}

// keptAnnotations are those that a rule reads. The others hold whole applied
// configurations, and secrets for injectors.
var keptAnnotations = []string{"deployment.kubernetes.io/revision", corev1.EndpointsOverCapacity}

// redactMeta drops the annotations but for those, and of managed fields all but the
// times, which slim has chosen.
func redactMeta(m *metav1.ObjectMeta) {
	kept := map[string]string{}
	for _, k := range keptAnnotations {
		if v, ok := m.Annotations[k]; ok {
			kept[k] = hide(v)
		}
	}
	m.Annotations = nil
	var times []metav1.ManagedFieldsEntry
	for _, e := range m.ManagedFields {
		times = append(times, metav1.ManagedFieldsEntry{Time: e.Time})
	}
	m.ManagedFields = times
	if len(kept) > 0 {
		m.Annotations = kept
	}
}

// serviceMeta keeps of what was applied last the spec, which a rule compares.
func serviceMeta(svc *corev1.Service) {
	applied := lastApplied(svc)
	redactMeta(&svc.ObjectMeta)
	if applied == nil {
		return
	}
	bare := &corev1.Service{TypeMeta: applied.TypeMeta, Spec: applied.Spec}
	bare.Name, bare.Namespace = applied.Name, applied.Namespace
	if data, err := json.Marshal(bare); err == nil {
		svc.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: string(data)}
	}
}

const secretWords = `pass(?:word|wd|phrase)?|secret|token|credentials?|api[-_]?key|private[-_]?key|access[-_]?key|auth(?:orization)?`

var (
	// secretWord is the end of a name whose value is a secret: --requirepass, DB_PASSWORD.
	secretWord = regexp.MustCompile(`(?i)(?:` + secretWords + `)$`)
	// assigned is password=VALUE, "token": "VALUE", SECRET_KEY=VALUE and the like.
	assigned = regexp.MustCompile(`(?i)((?:` + secretWords + `)(?:s|[_-][\w-]*)?["']?\s*[=:]\s*(?:(?:bearer|basic)\s+)?)("[^"]*"|'[^']*'|[^\s"',;&]+)`)
	// said is "password VALUE" and "Bearer VALUE"; plainWords may follow, too.
	// What follows "secret" is most often an object's name.
	said       = regexp.MustCompile(`(?i)\b([\w-]*(?:pass(?:word|wd|phrase)?|token|bearer|masterauth)\s+)("[^"]*"|'[^']*'|[^\s"',;&]+)`)
	plainWords = strings.Fields("a an and are as at authentication authenticator be been but by called can cannot check configured could did does error " +
		"expired failed file for from had has hash in incorrect invalid is it length may mismatch missing must never no not of on or " +
		"pair policy provided required reset set should store that the to was were when which will with without wrong")
	// registrySays are no header's values, but how containerd goes on about a pull.
	registrySays = []string{"authorization: server", "authorization: authorization"}

	userInfo = regexp.MustCompile(`://(?:[^/\s@:]*:)?([^/\s@]+)@`)
	pemBlock = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`)
	jwt      = regexp.MustCompile(`\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*`)
)

// hide takes out of a text the secrets that are known, and what looks like one.
func (x *redactor) hide(s string) string {
	for _, secret := range x.secrets {
		s = strings.ReplaceAll(s, secret, hidden)
	}
	return hideIn(s, x.names)
}

// hide takes out of a text what looks like a secret, and bounds it.
func hide(s string) string { return hideIn(s, "") }

// hideIn is hide for a text in which names may stand, such as "auth-0:6379".
func hideIn(s, names string) string {
	if strings.ContainsAny(s, " =:@.") { // a single word is none of these
		s = userInfo.ReplaceAllString(s, "://"+hidden+"@")
		s = pemBlock.ReplaceAllString(s, hidden)
		s = jwt.ReplaceAllString(s, hidden)
		s = assigned.ReplaceAllStringFunc(s, func(m string) string {
			if strings.Contains(names, strings.TrimRight(m, ".:)")) || slices.Contains(registrySays, m) {
				return m
			}
			return assigned.FindStringSubmatch(m)[1] + hidden
		})
		s = said.ReplaceAllStringFunc(s, func(m string) string {
			parts := said.FindStringSubmatch(m)
			if slices.Contains(plainWords, strings.ToLower(strings.TrimRight(parts[2], ".:)"))) {
				return m
			}
			return parts[1] + hidden
		})
	}
	if len(s) > maxRecorded {
		s = strings.ToValidUTF8(s[:maxRecorded], "")
	}
	return s
}
