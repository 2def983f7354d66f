#!/usr/bin/env bash
# make dist: one archive a platform, their digests, and krew.yaml for them.
# The same commit gives the same bytes on any machine.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1 commit=$2 date=$3

cli=github.com/kubectl-svcx/kubectl-svcx/cmd/kubectl-svcx/internal/cli
rm -rf dist
mkdir -p dist
sed -E "s/^(  version: ).*/\1$version/; s#(releases/download/)v[^/]+/#\1$version/#" krew.yaml >dist/krew.yaml

for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do
	os=${platform%/*} arch=${platform#*/}
	name=kubectl-svcx_${os}_${arch}
	exe=
	if [[ $os == windows ]]; then exe=.exe; fi
	stage=dist/$name
	mkdir -p "$stage"
	echo "building $name" >&2
	GOOS=$os GOARCH=$arch go build \
		-ldflags "-s -w -X $cli.version=$version -X $cli.commit=$commit -X $cli.date=$date" \
		-o "$stage/kubectl-svcx$exe" ./cmd/kubectl-svcx
	cp LICENSE "$stage/"
	tar --sort=name --mtime='2000-01-01 00:00:00Z' --owner=0 --group=0 --numeric-owner \
		-C "$stage" -cf - . | gzip -9n >"dist/$name.tar.gz"
	rm -r "$stage"
	digest=$(sha256sum "dist/$name.tar.gz" | cut -d' ' -f1)
	sed -i -E "\#/$name\.tar\.gz#{n;s/[0-9a-f]{64}/$digest/}" dist/krew.yaml
done
(cd dist && sha256sum ./*.tar.gz >checksums.txt)
ls -l dist >&2
