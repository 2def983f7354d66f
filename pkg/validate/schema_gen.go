//go:build ignore

// schema_gen makes schema.json.gz from the OpenAPI v2 document that an API
// server prints: it keeps what the checks read, and leaves the prose out.
//
//	kubectl get --raw /openapi/v2 | go run schema_gen.go v1.37.2 schema.json.gz
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"log"
	"os"
	"strings"
)

var kept = []string{"type", "format", "required", "enum", "$ref", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-group-version-kind", "x-kubernetes-list-map-keys"}

func main() {
	var doc struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&doc); err != nil {
		log.Fatal(err)
	}
	out := struct {
		Version     string         `json:"version"`
		Definitions map[string]any `json:"definitions"`
	}{os.Args[1], map[string]any{}}
	for name, d := range doc.Definitions {
		out.Definitions[short(name)] = slim(d)
	}
	data, err := json.Marshal(out)
	if err != nil {
		log.Fatal(err)
	}
	var zipped bytes.Buffer
	w, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if _, err := w.Write(data); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[2], zipped.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

func short(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "io.k8s."), "api.")
}

func slim(s map[string]any) map[string]any {
	out := map[string]any{}
	for _, k := range kept {
		if v, ok := s[k]; ok {
			out[k] = v
		}
	}
	if ref, ok := out["$ref"].(string); ok {
		out["$ref"] = short(strings.TrimPrefix(ref, "#/definitions/"))
	}
	if _, ok := out["x-kubernetes-group-version-kind"]; !ok && out["$ref"] != nil {
		return map[string]any{"$ref": out["$ref"]}
	}
	if props, ok := s["properties"].(map[string]any); ok {
		slimmed := map[string]any{}
		for name, p := range props {
			slimmed[name] = slim(p.(map[string]any))
		}
		out["properties"] = slimmed
	}
	for _, k := range []string{"items", "additionalProperties"} {
		if sub, ok := s[k].(map[string]any); ok {
			out[k] = slim(sub)
		}
	}
	return out
}
