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

# The prober, which --probe-via=stream sends into clusters: every archive holds it
# for the nodes that there may be, whatever the machine that sends it.
probers=()
for arch in amd64 arm64; do
	echo "building svcx-probe for linux/$arch" >&2
	GOOS=linux GOARCH=$arch go build -ldflags "-s -w -X main.version=$version -X main.commit=$commit -X main.date=$date" \
		-o "dist/svcx-probe-linux-$arch" ./cmd/svcx-probe
	probers+=("dist/svcx-probe-linux-$arch")
done

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
	cp LICENSE "${probers[@]}" "$stage/"
	tar --sort=name --mtime='2000-01-01 00:00:00Z' --owner=0 --group=0 --numeric-owner \
		-C "$stage" -cf - . | gzip -9n >"dist/$name.tar.gz"
	rm -r "$stage"
	digest=$(sha256sum "dist/$name.tar.gz" | cut -d' ' -f1)
	sed -i -E "\#/$name\.tar\.gz#{n;s/[0-9a-f]{64}/$digest/}" dist/krew.yaml
done
rm "${probers[@]}"
(cd dist && sha256sum ./*.tar.gz >checksums.txt)
ls -l dist >&2
