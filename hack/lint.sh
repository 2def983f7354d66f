#!/usr/bin/env bash
# make lint: format, vet, the walls between packages, and the shell scripts.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v2.15.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-svcx/golangci-lint-$version
if [[ ! -x $cache/golangci-lint ]]; then
	echo "building golangci-lint $version (once)" >&2
	GOBIN=$cache go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
fi

unformatted=$(git ls-files -z "*.go" | xargs -0 gofmt -l)
if [[ -n $unformatted ]]; then
	echo "not gofmt-ed:" "$unformatted" >&2
	exit 1
fi
"$cache/golangci-lint" run ./...
# The lab only vetted, with the flags of its tests: its dependencies are all of Kubernetes.
(cd test/lab && go list -tags lab -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | xargs go vet -tags lab)
if command -v shellcheck >/dev/null; then
	git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck
else
	echo "did not run: shellcheck is not installed" >&2
fi
