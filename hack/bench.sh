#!/usr/bin/env bash
# make bench: the built plugin side by side with kubectl.
#
# The one compared with is the lab's, built as Kubernetes releases it; KUBECTL=…
# compares with another. TMPDIR=/dev/shm keeps what the disk does out of the figures:
# ext4 is slow to make files while other programs remove many.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -z ${KUBECTL:-} ]]; then
	KUBECTL=$PWD/bin/kubectl
	if [[ ! -x $KUBECTL ]]; then
		echo "building kubectl (once; a few minutes)" >&2
		(cd test/lab && go build -ldflags='-s -w' -o "$KUBECTL" k8s.io/kubernetes/cmd/kubectl)
	fi
fi
export KUBECTL
go run ./test/bench
# On a cluster, where one is named: many Services at once.
if [[ -n ${KUBECONFIG:-} ]]; then
	go run ./test/bench/scale -kubectl "$KUBECTL"
else
	echo "scale: not measured; KUBECONFIG names no cluster (make lab-up, then svcx-lab status)" >&2
fi
