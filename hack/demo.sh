#!/usr/bin/env bash
# make demo: the whole walk, from an image to a Service that provably works, in
# each of its five types, and then broken on purpose.
#
#   hack/demo.sh                   on the lab, brought up for it
#   hack/demo.sh --context=NAME    on a cluster of yours
set -euo pipefail
cd "$(dirname "$0")/.."

context=
for argument in "$@"; do
	case $argument in
	--context=*) context=${argument#*=} ;;
	*)
		echo "hack/demo.sh: unknown argument $argument; only --context=NAME is known" >&2
		exit 1
		;;
	esac
done

export PATH=$PWD/bin:$PATH
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
step() { printf '\n%s── %s%s\n' "$bold" "$*" "$plain"; }
run() {
	printf '%s$ %s%s\n' "$dim" "$*" "$plain"
	"$@"
}
# refused CODE COMMAND…: a command that has to end with that code.
refused() {
	local want=$1 code=0
	shift
	run "$@" || code=$?
	if [[ $code != "$want" ]]; then
		echo "hack/demo.sh: exit $code, but $want was expected" >&2
		exit 1
	fi
	printf '%s(exit %s)%s\n' "$dim" "$code" "$plain"
}

work=$(mktemp -d)
app=demo alias=prod external=${EXTERNAL_NAME:-server.example.com}
flags=(--yes --timeout=90s)
[[ -n ${PROBE_IMAGE:-} ]] && flags+=(--probe-image="$PROBE_IMAGE")

if [[ -n $context ]]; then
	# It holds credentials, so it does not outlive the demo.
	KUBECONFIG_DEMO=$work/kubeconfig
	trap 'rm -f "$KUBECONFIG_DEMO"' EXIT
	kubectl config view --raw --minify --flatten --context="$context" >"$KUBECONFIG_DEMO"
	export KUBECONFIG=$KUBECONFIG_DEMO
	app=svcx-demo alias=svcx-demo-prod
	run kubectl version
else
	step "A real cluster on this machine"
	if ! bin/svcx-lab status >/dev/null 2>&1; then
		./test/lab/build.sh
		bin/svcx-lab up
	else
		bin/svcx-lab push
	fi
	KUBECONFIG=$(bin/svcx-lab kubeconfig --path)
	export KUBECONFIG
	kubectl delete namespace "$app" "$alias" --ignore-not-found --wait >/dev/null
	run kubectl get nodes -o wide
fi
start=$SECONDS
cd "$work"
redis=(kubectl svcx up redis --image=redis:alpine --replicas=2 --port=6379 --service-name=redis-svc -n "$app" --create-namespace "${flags[@]}")

step "Redis with two replicas behind a ClusterIP Service, proven from inside"
run "${redis[@]}" --type=ClusterIP
run kubectl get deployment,pods,endpointslices -n "$app" -o wide
step "What it wrote, fit to commit"
run find redis -type f
run cat redis/base/service.yaml redis/overlays/nodeport/service-patch.yaml

step "The same Service as a NodePort: the plan first"
refused 1 kubectl svcx diff -k redis/overlays/nodeport -n "$app"
run "${redis[@]}" --type=NodePort
step "As a LoadBalancer"
run "${redis[@]}" --type=LoadBalancer
step "Headless: refused by the API server in one step, so there is a way through"
run "${redis[@]}" --type=Headless

step "An alias in namespace $alias for $external"
alias_code=0
run kubectl svcx up redis-svc --type=ExternalName --external-name="$external" --port=6379 --dir=alias -n "$alias" --create-namespace "${flags[@]}" || alias_code=$?
if [[ $alias_code != 0 && -z $context ]]; then exit "$alias_code"; fi
[[ $alias_code == 0 ]] || echo "(exit $alias_code: on a cluster of yours, name a host that resolves with EXTERNAL_NAME=…)"

step "Broken on purpose: the Service sends to a port where nothing listens"
run "${redis[@]}" --type=ClusterIP >/dev/null
run kubectl patch service redis-svc -n "$app" -p '{"spec":{"ports":[{"name":"redis","port":6379,"protocol":"TCP","targetPort":6380}]}}'
refused 2 kubectl svcx verify redis-svc -n "$app" --in-cluster "${flags[@]:2}" -k redis/overlays/clusterip

step "Mended from the tree: it takes back the field that the patch took"
run kubectl svcx apply -k redis/overlays/clusterip -n "$app" --force-conflicts --verify "${flags[@]}"

step "Done in $((SECONDS - start)) s"
echo "The manifests are in $work/redis and $work/alias."
if [[ -n $context ]]; then
	cat <<END
Tear down:    kubectl --context=$context delete namespace $app $alias
END
else
	cat <<END
Look around:  export KUBECONFIG=$KUBECONFIG PATH=${PATH%%:*}:\$PATH
              kubectl svcx verify -n $app
Tear down:    make lab-down
END
fi
