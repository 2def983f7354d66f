package generate

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/kubectl-svcx/kubectl-svcx/pkg/limits"
)

// podDetails checks those fields that a Spec has from the Pod's API as they are. The
// security contexts are as they will be in the Pod, with what the Spec leaves out.
func (v *validator) podDetails(a *App) {
	const at = "spec.workload."
	w := a.Spec.Workload
	known, _ := presetFor(w.Image)
	limits.SecurityContext(v.at(at+"securityContext"), w.security())
	limits.PodSecurityContext(v.at(at+"podSecurityContext"), a.podSecurity(known))
	if as := w.runsAs(); as.root() && as.nonRoot != nil && *as.nonRoot {
		v.add(at+as.userField, "0", "is root, and "+as.nonRootField+" is true: the container would not start", "give another user, or write runAsNonRoot: false")
	}
	limits.Labels(v.at(at+"nodeSelector"), w.NodeSelector)
	limits.Tolerations(v.at(at+"tolerations"), w.Tolerations)
	limits.Affinity(v.at(at+"affinity"), w.Affinity)
	limits.TopologySpread(v.at(at+"topologySpreadConstraints"), w.TopologySpreadConstraints)
	for i, p := range w.Ports {
		if p.HostPort != 0 {
			limits.Port(v.at(fmt.Sprintf("%sports[%d].hostPort", at, i)), p.HostPort)
		}
		if p.HostIP != "" {
			if _, err := netip.ParseAddr(p.HostIP); err != nil {
				v.add(fmt.Sprintf("%sports[%d].hostIP", at, i), p.HostIP, "is not an IP address", "")
			}
		}
	}
	for i := range w.Volumes {
		limits.VolumeSource(v.at(fmt.Sprintf("%svolumes[%d]", at, i)), &w.Volumes[i].VolumeSource)
	}
	for i, m := range w.VolumeMounts {
		limits.SubPath(v.at(fmt.Sprintf("%svolumeMounts[%d]", at, i)), m)
	}
	limits.Lifecycle(v.at(at+"lifecycle"), w.Lifecycle, w.TerminationGracePeriodSeconds)
	if w.MinReadySeconds >= limits.ProgressDeadline && a.workloadKind() == Deployment {
		v.add(at+"minReadySeconds", strconv.Itoa(int(w.MinReadySeconds)), fmt.Sprintf("is not less than the %d seconds in which a Deployment has to get ahead", limits.ProgressDeadline), fmt.Sprintf("%d at the most", limits.ProgressDeadline-1))
	}
}
