#!/usr/bin/env bash
# make fuzz: every fuzz target of the module, each for FUZZTIME (30s). What it finds
# stands in the target's testdata/fuzz afterwards, and is to be committed with what
# mends it; go test runs those inputs from then on.
#
#   hack/fuzz.sh [TARGET…]     only those, such as FuzzMerge
set -euo pipefail
cd "$(dirname "$0")/.."

each=${FUZZTIME:-30s}
ran=0 failed=()
# Go would spend up to a minute on making each input shorter that reaches new code, of
# which there are many: so FuzzRespell tried 27 inputs in 30 seconds. With ten tries for
# each it is hundreds in a second.
minimize=10x
while IFS=: read -r file target; do
	if (($#)) && [[ " $* " != *" $target "* ]]; then
		continue
	fi
	printf '\n== %s in %s, %s\n' "$target" "$(dirname "$file")" "$each"
	ran=$((ran + 1))
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$each" -fuzzminimizetime "$minimize" -parallel "${FUZZPARALLEL:-2}" "./$(dirname "$file")" || failed+=("$target")
done < <(grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9]*' pkg cmd | sed 's/:func /:/' | sort)

if ((ran == 0)); then
	echo "hack/fuzz.sh: no fuzz target has a name among: $*" >&2
	exit 1
fi
if ((${#failed[@]})); then
	printf '\nfailed: %s\n' "${failed[*]}" >&2
	exit 1
fi
