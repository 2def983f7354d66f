// Package docs holds those documents that the program prints.
package docs

import _ "embed"

// Schema is the JSON Schema of svcx.yaml, generated from the types of
// pkg/generate and their doc comments.
//
//go:embed svcx.schema.json
var Schema []byte

// VerdictSchema is the JSON Schema of what "verify -o json" prints, generated
// from the types of pkg/verify and their doc comments.
//
//go:embed verdict.schema.json
var VerdictSchema []byte
