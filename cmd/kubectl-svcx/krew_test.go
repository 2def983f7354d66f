package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// krewManifest is the part of Krew's Plugin that its validator looks at
// (sigs.k8s.io/krew v0.4.5, pkg/index and internal/index/validation).
type krewManifest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string         `json:"version"`
		Homepage         string         `json:"homepage"`
		ShortDescription string         `json:"shortDescription"`
		Description      string         `json:"description"`
		Caveats          string         `json:"caveats"`
		Platforms        []krewPlatform `json:"platforms"`
	} `json:"spec"`
}

type krewPlatform struct {
	URI      string `json:"uri"`
	SHA256   string `json:"sha256"`
	Bin      string `json:"bin"`
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
	Files []struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"files"`
}

// TestKrewManifest holds krew.yaml to the rules that the Krew index's own
// checks apply.
func TestKrewManifest(t *testing.T) {
	data, err := os.ReadFile("../../krew.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m krewManifest
	if err := yaml.UnmarshalStrict(data, &m); err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]bool{
		"apiVersion":       m.APIVersion == "krew.googlecontainertools.github.com/v1alpha2",
		"kind":             m.Kind == "Plugin",
		"name":             m.Metadata.Name == "svcx",
		"version":          regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(m.Spec.Version),
		"homepage":         strings.HasPrefix(m.Spec.Homepage, "https://"),
		"shortDescription": m.Spec.ShortDescription != "" && len(m.Spec.ShortDescription) <= 50 && !strings.ContainsAny(m.Spec.ShortDescription, "\r\n"),
		"description":      m.Spec.Description != "",
		"platforms":        len(m.Spec.Platforms) > 0,
	} {
		if !ok {
			t.Errorf("%s does not meet Krew's rules", what)
		}
	}
	seen := map[string]bool{}
	for _, p := range m.Spec.Platforms {
		labels := p.Selector.MatchLabels
		key := labels["os"] + "/" + labels["arch"]
		if len(labels) != 2 || labels["os"] == "" || labels["arch"] == "" {
			t.Errorf("%s: selects by %v, want os and arch only", key, labels)
		}
		if seen[key] {
			t.Errorf("%s: stands twice", key)
		}
		seen[key] = true
		if !strings.HasPrefix(p.URI, "https://") || !strings.HasSuffix(p.URI, ".tar.gz") && !strings.HasSuffix(p.URI, ".zip") {
			t.Errorf("%s: uri %s is no https archive", key, p.URI)
		}
		if !strings.Contains(p.URI, "/"+m.Spec.Version+"/") || !strings.Contains(p.URI, labels["os"]+"_"+labels["arch"]) {
			t.Errorf("%s: uri %s is of another version or platform", key, p.URI)
		}
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(p.SHA256) {
			t.Errorf("%s: sha256 %q is no lower-case digest", key, p.SHA256)
		}
		if exe := strings.HasSuffix(p.Bin, ".exe"); exe != (labels["os"] == "windows") {
			t.Errorf("%s: bin %s", key, p.Bin)
		}
		var license, binary bool
		for _, f := range p.Files {
			license = license || f.From == "./LICENSE"
			binary = binary || f.From == "./"+p.Bin
		}
		if !license || !binary {
			t.Errorf("%s: the files %v lack the LICENSE or %s", key, p.Files, p.Bin)
		}
	}
	if !seen["linux/amd64"] || !seen["darwin/arm64"] || !seen["windows/amd64"] {
		t.Errorf("platforms are %v", seen)
	}
}
