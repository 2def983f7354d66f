#!/usr/bin/env bash
# Builds the lab: bin/svcx-lab, the programs of its images in bin/lab, and (once, cached
# outside the checkout) the Kubernetes components and kubectl.
#
#   SVCX_LAB_CACHE   where the cached programs are; default ~/.cache/svcx-lab
#
# The first build compiles Kubernetes and takes 10 to 20 minutes on two cores. The cache
# is keyed by everything that goes into it, so later builds take seconds. Where no lab can
# run, nothing of that is built, and the exit code is 4.
set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$lab/../.." && pwd)
bin=$root/bin
cd "$lab"

if ! command -v go >/dev/null; then
	echo "error: building the lab needs Go; see https://go.dev/doc/install" >&2
	exit 1
fi

# The flags of the Makefile, or the libraries that both modules use are compiled twice.
# Without optimisation (-gcflags='all=-N -l') the first build would be some minutes
# shorter, and every run of the tests after it longer: what they wait for is the lab.
export GOFLAGS=-mod=readonly CGO_ENABLED=0
unset GOOS GOARCH
flags=(-trimpath -buildvcs=false)
link='-s -w'

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
minor=${minor%%.*}
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	kube_link+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
	kube_link+=" -X $package.gitTreeState=clean"
done

key=$({
	go env GOVERSION GOOS GOARCH
	echo "${flags[*]} $link $kube_link"
	sed "s, // indirect,," go.mod | sort
	cat go.sum cmd/svcx-lab-components/*.go
} | sha256sum | cut -c1-16)
cache=${SVCX_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/svcx-lab}/$key

# compile LINKFLAGS OUT PACKAGE...: go build, with a line of progress. What goes wrong is
# shown whole.
compile() {
	local ldflags=$1 out=$2 total log
	shift 2
	total=$(go list -deps "$@" | wc -l)
	log=$(mktemp)
	if ! go build -v "${flags[@]}" -ldflags="$ldflags" -o "$out/" "$@" 2>&1 | tee "$log" | progress "$total"; then
		grep -vE '^[[:alnum:]_./-]+$' "$log" >&2 || true
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}

# progress TOTAL: counts the packages that go build names on stdin. Those in Go's own
# cache are not named, so a build may end long before its total.
progress() {
	local total=$1 done=0 last=$SECONDS
	while IFS= read -r _; do
		done=$((done + 1))
		if [ -t 2 ]; then
			printf '\r%d of %d packages' "$done" "$total" >&2
		elif [ $((SECONDS - last)) -ge 15 ]; then
			last=$SECONDS
			printf '%d of %d packages, %d s\n' "$done" "$total" "$SECONDS" >&2
		fi
	done
	if [ -t 2 ] && [ "$done" -gt 0 ]; then
		printf '\r\033[K' >&2
	fi
}

mkdir -p "$bin/lab"
compile "$link" "$bin" ./cmd/svcx-lab
# Somebody else may build for root, who is asked by "up" anyway.
if [ "$(id -u)" = 0 ] || [ "$(uname -s)" != Linux ]; then
	"$bin/svcx-lab" check >/dev/null
fi

if ! [ -x "$cache/svcx-lab-components" ] || ! [ -x "$cache/kubectl" ]; then
	echo "building Kubernetes $version into $cache (once; 10 to 20 minutes on two cores)" >&2
	mkdir -p "$cache"
	# Another checkout may build the same thing now; the second one then finds it done.
	exec 9>"$cache/.lock"
	flock 9
	if ! [ -x "$cache/svcx-lab-components" ] || ! [ -x "$cache/kubectl" ]; then
		tmp=$(mktemp -d "$cache/build.XXXXXX")
		trap 'rm -rf "$tmp"' EXIT
		compile "$link$kube_link" "$tmp" ./cmd/svcx-lab-components k8s.io/kubernetes/cmd/kubectl
		mv "$tmp/svcx-lab-components" "$tmp/kubectl" "$cache/"
		rm -rf "$tmp"
		trap - EXIT
	fi
	exec 9>&-
	rm -f "$cache/.lock"
	echo "built Kubernetes $version in $SECONDS s" >&2
fi

compile "$link" "$bin/lab" ./cmd/svcx-testserver ./internal/images/svcx-lab-init ./internal/netpol/svcx-netpol
ln -sfn "$cache/svcx-lab-components" "$bin/lab/svcx-lab-components"
ln -sfn "$cache/kubectl" "$bin/kubectl"
