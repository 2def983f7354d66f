package apply

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/scheme"
	sigsjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// fromMap copies an object through JSON, so that its numbers have the types
// that unstructured objects must have (kustomize yields Go ints).
func fromMap(content map[string]any) (*unstructured.Unstructured, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		return nil, err
	}
	return u, nil
}

// checkStrict finds what is plainly wrong with an object without asking a
// server. Kinds that Kubernetes does not bring itself are taken as they are.
func checkStrict(u *unstructured.Unstructured) []error {
	var errs []error
	if u.GetName() == "" && u.GetGenerateName() == "" {
		errs = append(errs, errors.New("metadata.name is missing"))
	} else if u.GetGenerateName() != "" && u.GetName() == "" {
		errs = append(errs, errors.New("metadata.generateName cannot be applied; give it a metadata.name"))
	}
	gvk := u.GroupVersionKind()
	if !scheme.Scheme.IsVersionRegistered(gvk.GroupVersion()) {
		return errs
	}
	if !scheme.Scheme.Recognizes(gvk) {
		return append(errs, fmt.Errorf("there is no kind %q in %s", gvk.Kind, u.GetAPIVersion()))
	}
	typed, err := scheme.Scheme.New(gvk)
	if err != nil {
		return append(errs, err)
	}
	data, err := u.MarshalJSON()
	if err != nil {
		return append(errs, err)
	}
	strict, err := sigsjson.UnmarshalStrict(data, typed)
	if err != nil {
		named := checkKeys(u)
		if len(named) == 0 {
			named = []error{errors.New(strings.TrimPrefix(err.Error(), "json: "))}
		}
		errs = append(errs, named...)
	}
	errs = append(errs, strict...)
	if gvk.Kind == "Service" && gvk.Group == "" {
		// The commonest name that only the server would refuse.
		for _, msg := range validation.IsDNS1035Label(u.GetName()) {
			errs = append(errs, fmt.Errorf("metadata.name: %s", msg))
		}
	}
	return errs
}

// checkKeys names the keys of a Secret or a ConfigMap whose values are no text, or
// no base64: the decoder tells the field at the most. The values are not repeated.
func checkKeys(u *unstructured.Unstructured) []error {
	if u.GetAPIVersion() != "v1" || u.GetKind() != "Secret" && u.GetKind() != "ConfigMap" {
		return nil
	}
	var errs []error
	for _, field := range []string{"data", "binaryData", "stringData"} {
		encoded := field == "binaryData" || field == "data" && u.GetKind() == "Secret"
		values, _ := u.Object[field].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(values)) {
			text, isText := values[key].(string)
			_, err := base64.StdEncoding.DecodeString(text)
			switch {
			case values[key] == nil:
			case !isText:
				errs = append(errs, fmt.Errorf("%s is %s, not text; put it in quotes", join(field, key), kindOf(values[key])))
			case encoded && err != nil && u.GetKind() == "Secret":
				errs = append(errs, fmt.Errorf("%s is not base64; encode it, or write it as it is under stringData", join(field, key)))
			case encoded && err != nil:
				errs = append(errs, fmt.Errorf("%s is not base64; encode it, or write it as it is under data", join(field, key)))
			}
		}
	}
	return errs
}

// kindOf says what a value is that is no text.
func kindOf(v any) string {
	switch v.(type) {
	case bool:
		return "true or false"
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	}
	return "a number"
}

// kustomization holds the fields of a kustomization.yaml that name other files.
type kustomization struct {
	Resources  []string `json:"resources"`
	Bases      []string `json:"bases"`
	Components []string `json:"components"`
	Patches    []struct {
		Path string `json:"path"`
	} `json:"patches"`
	PatchesStrategicMerge []string `json:"patchesStrategicMerge"`
}

func readKustomization(fsys filesys.FileSystem, file string) kustomization {
	var k kustomization
	data, err := fsys.ReadFile(file)
	if err != nil || yaml.Unmarshal(data, &k) != nil {
		return kustomization{}
	}
	return k
}

// kustomizations lists dir's kustomization file and those it refers to, the
// outermost first.
func kustomizations(fsys filesys.FileSystem, dir string) []string {
	var files []string
	var walk func(dir string)
	walk = func(dir string) {
		file := kustomizationFile(fsys, dir)
		if file == "" || slices.Contains(files, file) {
			return
		}
		files = append(files, file)
		k := readKustomization(fsys, file)
		for _, ref := range slices.Concat(k.Resources, k.Bases, k.Components) {
			if p := filepath.Join(dir, ref); fsys.IsDir(p) {
				walk(p)
			}
		}
	}
	walk(filepath.Clean(dir))
	return files
}

// unknownField takes the last part of a path out of `unknown field "spec.typo"`.
var unknownField = regexp.MustCompile(`unknown field "(?:[^"]*[.\]])?([^".\]]+)"`)

// locate names the file that an error about a built object comes from: the one
// that holds the field at fault, else the one that defines the object. The
// build keeps no trace of where a field came from, so it is looked up by kind,
// and by the name as it is or as it was before prefixes and suffixes.
func locate(fsys filesys.FileSystem, dir string, u *unstructured.Unstructured, problem error) string {
	var field string
	if m := unknownField.FindStringSubmatch(problem.Error()); m != nil {
		field = m[1]
	}
	defines := ""
	for _, k := range kustomizations(fsys, dir) {
		spec := readKustomization(fsys, k)
		files := slices.Concat(spec.PatchesStrategicMerge, spec.Resources)
		for _, p := range spec.Patches {
			files = append(files, p.Path)
		}
		for _, f := range files {
			path := filepath.Join(filepath.Dir(k), f)
			if f == "" || fsys.IsDir(path) {
				continue
			}
			data, err := fsys.ReadFile(path)
			if err != nil || !mentions(data, u) {
				continue
			}
			if field != "" && regexp.MustCompile(`(?m)^[\s-]*["']?`+regexp.QuoteMeta(field)+`["']?\s*:`).Match(data) {
				return path
			}
			defines = path
		}
	}
	if defines != "" && field == "" {
		return defines
	}
	if k := kustomizationFile(fsys, dir); k != "" && defines == "" {
		return k
	}
	return defines
}

// mentions tells whether a file has a document about an object.
func mentions(data []byte, u *unstructured.Unstructured) bool {
	for doc := range strings.SplitSeq(string(data), "\n---") {
		var head struct {
			Kind     string `json:"kind"`
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if yaml.Unmarshal([]byte(doc), &head) != nil || head.Kind != u.GetKind() {
			continue
		}
		if n := head.Metadata.Name; n == "" || strings.Contains(u.GetName(), n) {
			return true
		}
	}
	return false
}
