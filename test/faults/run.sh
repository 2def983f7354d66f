#!/usr/bin/env bash
# make faults: the bench on a lab of its own, brought up and taken down here.
#
#   test/faults/run.sh                    every case
#   test/faults/run.sh SVC2 healthy       those whose names hold one of the words
#   LAB=mine test/faults/run.sh …         on a lab that is up, which stays
set -euo pipefail
cd "$(dirname "$0")/../.."

export PATH=$PWD/bin:$PATH
lab=${LAB:-}
if [[ -z $lab ]]; then
	lab=faults
	./test/lab/build.sh
	code=0
	svcx-lab up --name "$lab" || code=$?
	trap 'svcx-lab down --name "$lab"' EXIT
	if [[ $code != 0 ]]; then
		exit "$code"
	fi
fi
bench=$(mktemp -d)
go build -o "$bench/faults" ./test/faults
code=0
"$bench/faults" --lab "$lab" --out "${OUT:-$bench/out}" "$@" || code=$?
rm -f "$bench/faults"
exit "$code"
