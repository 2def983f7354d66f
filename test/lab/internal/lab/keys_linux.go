package lab

import (
	"net/netip"
	"os"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/components"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/pki"
)

// writeKeys makes every key, certificate and kubeconfig of a lab.
func writeKeys(lab layout.Lab) error {
	dir := lab.PKI("")
	ca, err := pki.NewAuthority("svcx-lab")
	if err != nil {
		return err
	}
	frontProxy, err := pki.NewAuthority("svcx-lab-front-proxy")
	if err != nil {
		return err
	}
	if err := ca.WriteTo(dir, "ca"); err != nil {
		return err
	}
	if err := frontProxy.WriteTo(dir, "front-proxy-ca"); err != nil {
		return err
	}
	if err := frontProxy.IssueTo(dir, "front-proxy-client", pki.Certificate{CommonName: "front-proxy-client"}); err != nil {
		return err
	}
	if err := pki.WriteSigningKey(dir, "service-account"); err != nil {
		return err
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	certificates := map[string]pki.Certificate{
		"apiserver": {
			CommonName: "kube-apiserver",
			DNSNames: []string{"localhost", layout.ControlPlane, "kubernetes", "kubernetes.default",
				"kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			Addrs: append(lab.Addrs(layout.ControlPlane), layout.KubernetesIP, loopback),
		},
		"apiserver-kubelet": {CommonName: "kube-apiserver-kubelet-client", Organizations: []string{"system:masters"}},
	}
	for _, node := range layout.Nodes() {
		certificates["kubelet-"+node] = pki.Certificate{
			CommonName: "system:node:" + node, Organizations: []string{"system:nodes"},
			DNSNames: []string{node}, Addrs: append(lab.Addrs(node), loopback),
		}
	}
	for name, c := range certificates {
		if err := ca.IssueTo(dir, name, c); err != nil {
			return err
		}
	}
	users := map[string]pki.Certificate{
		components.ControllerManager: {CommonName: "system:kube-controller-manager"},
		components.Scheduler:         {CommonName: "system:kube-scheduler"},
		components.KubeProxy:         {CommonName: "system:kube-proxy"},
		components.LoadBalancer:      {CommonName: "svcx-lab:load-balancer", Organizations: []string{"system:masters"}},
		components.NetworkPolicy:     {CommonName: "svcx-lab:network-policy", Organizations: []string{"system:masters"}},
	}
	for _, node := range layout.Nodes() {
		users[components.Kubelet+"-"+node] = pki.Certificate{
			CommonName: "system:node:" + node, Organizations: []string{"system:nodes"},
		}
	}
	for name, c := range users {
		if err := writeKubeconfig(ca, components.Kubeconfig(lab, name), lab, c); err != nil {
			return err
		}
	}
	return writeKubeconfig(ca, lab.Kubeconfig(), lab, pki.Certificate{
		CommonName: "svcx-lab-admin", Organizations: []string{"system:masters"},
	})
}

func writeKubeconfig(ca *pki.Authority, path string, lab layout.Lab, c pki.Certificate) error {
	data, err := ca.Kubeconfig(lab.Context(), lab.APIServer(), c)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
