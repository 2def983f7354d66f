#!/usr/bin/env bash
# make test: the tests that need no cluster, then the end-to-end tests on a real one.
#
# The cluster is the lab, brought up and taken down here, or the kubeconfig
# context named by SVCX_E2E_CONTEXT. Where neither can be had, the rest runs and
# the last lines say which tests did not, and why.
set -euo pipefail
cd "$(dirname "$0")/.."

lab=e2e
# These run on any cluster; those of the libraries need what only the lab has,
# such as its test server and its registry with a password.
anywhere=(./test/e2e/...)
in_lab=(./pkg/apply/... ./pkg/verify/...)
not_run=()

heading() { printf '\n== %s\n' "$*"; }

# tests_behind TAG PACKAGE…: how many tests only the tag brings in.
tests_behind() {
	local tag=$1
	shift
	local with without
	with=$(go test -tags "$tag" -list . "$@" | grep -c '^Test' || true)
	without=$(go test -list . "$@" 2>/dev/null | grep -c '^Test' || true)
	echo $((with - without))
}

end_to_end() {
	heading "end-to-end tests on $1"
	shift
	PATH=$PWD/bin:$PATH go test -tags e2e -count=1 -timeout 30m -p 1 -parallel 6 -run "${SVCX_E2E_RUN:-.}" "$@"
}

heading "tests that need no cluster"
go vet -tags e2e ./...
go test ./...

if [[ -n ${SVCX_E2E_CONTEXT:-} ]]; then
	kubeconfig=$(mktemp)
	trap 'rm -f "$kubeconfig"' EXIT
	kubectl config view --raw --minify --flatten --context="$SVCX_E2E_CONTEXT" >"$kubeconfig"
	export SVCX_E2E_KUBECONFIG=$kubeconfig
	end_to_end "context $SVCX_E2E_CONTEXT" "${anywhere[@]}"
	not_run+=("the libraries' end-to-end tests ($(tests_behind e2e "${in_lab[@]}")): they need the lab's images")
	not_run+=("the lab's own tests ($(cd test/lab && tests_behind lab ./...)): the cluster is a given one")
elif [[ $(uname -s) != Linux || $(id -u) != 0 ]]; then
	not_run+=("the end-to-end tests ($(tests_behind e2e "${anywhere[@]}" "${in_lab[@]}")): the lab needs root on Linux; name a cluster with SVCX_E2E_CONTEXT=… to run them there")
else
	heading "the lab"
	./test/lab/build.sh
	code=0
	bin/svcx-lab up --name "$lab" || code=$?
	if [[ $code == 4 ]]; then
		not_run+=("the end-to-end tests ($(tests_behind e2e "${anywhere[@]}" "${in_lab[@]}")): the lab cannot run on this machine, see above")
	elif [[ $code != 0 ]]; then
		bin/svcx-lab down --name "$lab" || true
		exit "$code"
	else
		trap 'bin/svcx-lab down --name "$lab"' EXIT
		SVCX_E2E_KUBECONFIG=$(bin/svcx-lab kubeconfig --path --name "$lab")
		export SVCX_E2E_KUBECONFIG
		export SVCX_E2E_PROBE_IMAGE=kubectlsvcx/svcx-probe:latest
		export SVCX_E2E_PRIVATE_IMAGE=private.lab.example/private/redis:alpine
		end_to_end "the lab" "${anywhere[@]}" "${in_lab[@]}"
		trap - EXIT
		bin/svcx-lab down --name "$lab"
		heading "the lab's own tests"
		# One package at a time: one of them compares the whole machine before and after.
		(cd test/lab && go test -tags lab -p 1 -count=1 -timeout 20m -ldflags='-s -w' -gcflags='all=-N -l' ./...)
	fi
fi

heading "result"
echo "every test that ran has passed"
for what in "${not_run[@]}"; do
	echo "did not run: $what"
done
