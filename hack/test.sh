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
# such as its test server, its two families of addresses and its registry with a password.
anywhere=(test/e2e)
in_lab=(pkg/apply pkg/generate pkg/validate pkg/verify)
lab_flags=(-count=1 -timeout 20m -vet=off '-ldflags=-s -w')

work=$(mktemp -d)
# shellcheck disable=SC2016 # these are run at the end
cleanup=('rm -rf "$work"')
trap 'for ((i = ${#cleanup[@]} - 1; i >= 0; i--)); do eval "${cleanup[i]}"; done' EXIT

heading() { printf '\n== %s\n' "$*"; }

# said: of the log of go test -v, what the tests that failed have said.
said() {
	awk '/^=== / { at = $3; next }
		/^ *--- FAIL: / { failed[++n] = $3; print; next }
		/^ *--- / { next }
		/^(ok|FAIL|\?) *\t/ {
			if ($1 == "FAIL") {
				printf "%s", text[""]
				for (i = 1; i <= n; i++) printf "%s", text[failed[i]]
				print
			}
			delete text; n = 0; at = ""; next
		}
		/^(PASS|FAIL)$/ { next }
		{ text[at] = text[at] $0 "\n" }
		END { for (at in text) printf "%s", text[at] }' "$1"
}

# tests ARGUMENT…: go test with a line a package. When tests fail, what they have said
# follows. Tests that skip themselves are kept for the end.
tests() {
	local code=0
	go test -v "$@" 2>&1 | tee "$work/log" | { grep --line-buffered -E '^(ok|FAIL|panic:|[[:space:]]*--- FAIL)' || true; } || code=$?
	if [[ $code != 0 ]]; then
		heading "what the tests said"
		said "$work/log"
		exit "$code"
	fi
	awk '/^ +[[:alnum:]_]+\.go:[0-9]+: / { sub(/^ +[^ ]+ (Test[^ ]+ DID NOT RUN: )?/, ""); reason = $0 }
		/^=== RUN/ { reason = "" }
		/--- SKIP: / { print "  " $3 (reason == "" ? "" : ": " reason) }' "$work/log" >>"$work/skipped"
}

# behind TAG FOLDER…: the names of the tests behind a build tag; without a tag, of all.
behind() {
	local tag=$1
	shift
	grep -rlE --include='*_test.go' "${tag:+^//go:build .*}$tag" "$@" | xargs grep -hoE '^func Test[[:alnum:]_]+' | sed 's/^func //' |
		grep -vx TestMain | sort
}

# without REASON TAG FOLDER…: notes that the tests behind a build tag do not run; without
# a tag, all.
without() {
	local reason=$1 tag=$2
	shift 2
	behind "$tag" "$@" >"$work/names"
	{
		echo "did not run: $(wc -l <"$work/names" | tr -d ' ') tests, $reason:"
		paste -s -d ' ' "$work/names" | fold -s -w 100 | sed 's/^/  /; s/ *$//'
	} >>"$work/not-run"
}

# in_packages FOLDER…: as go test wants them.
in_packages() { printf './%s/...\n' "$@"; }

# end_to_end WHERE FOLDER…: only what is behind the tag, since the rest has run.
end_to_end() {
	heading "end-to-end tests on $1"
	shift
	local names packages
	names=$(behind e2e "$@" | paste -s -d '|')
	packages=$(in_packages "$@")
	# shellcheck disable=SC2086 # one word a package
	PATH=$PWD/bin:$PATH tests -vet=off -tags e2e -count=1 -timeout 30m -p 1 -parallel 4 -run "${SVCX_E2E_RUN:-^($names)\$}" $packages
}

# tests_of_the_lab [FLAG…]: those of test/lab, which is a module of its own. Packages
# without tests are left out: Kubernetes itself is among what they would build.
tests_of_the_lab() {
	if [[ $(uname -s) != Linux ]]; then
		without "the lab's own, since it is for Linux only" "" test/lab
		return
	fi
	heading "the lab's own tests"
	local packages
	packages=$(cd test/lab && go list "$@" -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...)
	# In a shell of its own: what cleans up at the end, also of tests that fail, is to start
	# from here.
	# shellcheck disable=SC2086 # one word a package
	(cd test/lab && tests "${lab_flags[@]}" "$@" $packages)
}

# without_lab REASON: runs what is left of the lab's tests when no lab can be had.
without_lab() {
	without "end to end: $1; SVCX_E2E_CONTEXT=… names a cluster of yours for those of test/e2e" e2e "${anywhere[@]}" "${in_lab[@]}"
	without "of real labs: $1" lab test/lab/e2e
	tests_of_the_lab
}

heading "tests that need no cluster"
# Vetted once, with every analyzer and with the end-to-end tests: go test's own vet goes
# through all dependencies again. test/lab is vetted by make lint.
go vet -tags e2e ./...
tests -vet=off ./...

if [[ -n ${SVCX_E2E_CONTEXT:-} ]]; then
	kubectl config view --raw --minify --flatten --context="$SVCX_E2E_CONTEXT" >"$work/kubeconfig"
	export SVCX_E2E_KUBECONFIG=$work/kubeconfig
	end_to_end "context $SVCX_E2E_CONTEXT" "${anywhere[@]}"
	without "of the libraries, end to end: they need the lab's images, and context $SVCX_E2E_CONTEXT was named" e2e "${in_lab[@]}"
	without "of real labs: context $SVCX_E2E_CONTEXT was named" lab test/lab/e2e
	tests_of_the_lab
elif [[ $(uname -s) != Linux || $(id -u) != 0 ]]; then
	without_lab "the lab needs root on Linux"
else
	heading "the lab"
	code=0
	{ ./test/lab/build.sh && bin/svcx-lab up --name "$lab"; } || code=$?
	if [[ $code == 4 ]]; then
		without_lab "the lab cannot run on this machine, see above"
	elif [[ $code != 0 ]]; then
		exit "$code"
	else
		# shellcheck disable=SC2016
		cleanup+=('bin/svcx-lab down --name "$lab"')
		SVCX_E2E_KUBECONFIG=$(bin/svcx-lab kubeconfig --path --name "$lab")
		export SVCX_E2E_KUBECONFIG
		export SVCX_E2E_PROBE_IMAGE=kubectlsvcx/svcx-probe:latest
		export SVCX_E2E_PRIVATE_IMAGE=private.lab.example/private/redis:alpine
		end_to_end "the lab" "${anywhere[@]}" "${in_lab[@]}"
		bin/svcx-lab down --name "$lab"
		tests_of_the_lab -tags lab
	fi
fi

heading "result"
echo "every test that ran has passed"
if [[ -s $work/skipped ]]; then
	echo "did not run, for a reason of their own:"
	cat "$work/skipped"
fi
if [[ -e $work/not-run ]]; then cat "$work/not-run"; fi
