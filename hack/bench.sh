#!/usr/bin/env bash
# make bench: the built plugin side by side with kubectl.
#
# The lab's own kubectl is compiled without optimisation, which would flatter us:
# the one compared with is built as Kubernetes releases it, once, and cached.
# KUBECTL=… compares with another. TMPDIR=/dev/shm keeps what the disk does out of the
# figures: ext4 is slow to make files while other programs remove many.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -z ${KUBECTL:-} ]]; then
	version=$(cd test/lab && go list -m -f '{{.Version}}' k8s.io/kubernetes)
	KUBECTL=${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-svcx/kubectl-$version/kubectl
	if [[ ! -x $KUBECTL ]]; then
		echo "building kubectl $version, optimised (once; a few minutes)" >&2
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
