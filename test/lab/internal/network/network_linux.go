// Package network joins the hosts of a lab: a bridge in the outside host's namespace, a
// veth from it to each node, and one to the machine. The machine gets that one interface
// and two routes, nothing else.
package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/kubectl-svcx/kubectl-svcx/test/lab/internal/layout"
)

const (
	bridge = "br0"  // in Outside
	uplink = "eth0" // in each node
	voidIf = "void0"
)

// Host is a host's name and the process whose network namespace is the host's.
type Host struct {
	Name string
	PID  int
}

// Up makes the links, addresses and routes of a lab whose hosts have fresh namespaces.
func Up(lab layout.Lab, hosts []Host) error {
	pids := map[string]int{}
	for _, h := range hosts {
		pids[h.Name] = h.PID
	}
	outside, err := enter(pids[layout.Outside])
	if err != nil {
		return err
	}
	defer outside.Close()
	if err := outsideLinks(lab, outside, pids); err != nil {
		return fmt.Errorf("network of %s: %w", layout.Outside, err)
	}
	for _, node := range layout.Nodes() {
		if err := nodeUp(lab, node, pids[node]); err != nil {
			return fmt.Errorf("network of node %s: %w", node, err)
		}
	}
	return machineUp(lab)
}

// Down removes the machine's interface, and with it its routes; no interface is fine.
func Down(lab layout.Lab) error {
	link, err := netlink.LinkByName(lab.MachineLink())
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	// The other end may have gone with its namespace meanwhile, and both with it.
	if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove interface %s: %w", lab.MachineLink(), err)
	}
	return nil
}

// SetLink cuts a node off the lab's network, or joins it again. The node itself does not
// see it happen, as when a cable is pulled at the switch.
func SetLink(outsidePID int, node string, up bool) error {
	outside, err := enter(outsidePID)
	if err != nil {
		return err
	}
	defer outside.Close()
	link, err := outside.LinkByName(port(node))
	if err != nil {
		return fmt.Errorf("port of node %s: %w", node, err)
	}
	// Leaving the bridge, not going down: the node keeps its carrier, its addresses and
	// its routes, and only hears nobody any more.
	if !up {
		return outside.LinkSetNoMaster(link)
	}
	br, err := outside.LinkByName(bridge)
	if err != nil {
		return err
	}
	return outside.LinkSetMaster(link, br)
}

// LinkIsUp says whether a node is joined to the lab's network.
func LinkIsUp(outsidePID int, node string) (bool, error) {
	outside, err := enter(outsidePID)
	if err != nil {
		return false, err
	}
	defer outside.Close()
	link, err := outside.LinkByName(port(node))
	if err != nil {
		return false, fmt.Errorf("port of node %s: %w", node, err)
	}
	return link.Attrs().MasterIndex != 0, nil
}

// SetPods has the Pods of a node and those of the others lose what they send each other,
// or no longer, as when the overlay of a network plugin breaks. The nodes themselves hear
// each other all the while.
func SetPods(lab layout.Lab, hosts []Host, node string, up bool) error {
	for _, h := range hosts {
		for _, other := range layout.Nodes() {
			if h.Name == other || !slices.Contains(layout.Nodes(), h.Name) || (h.Name != node && other != node) {
				continue
			}
			if err := setPodRoutes(lab, h.PID, other, up); err != nil {
				return fmt.Errorf("network of node %s: %w", h.Name, err)
			}
		}
	}
	return nil
}

// setPodRoutes leads from a node to another one's Pods, or nowhere.
func setPodRoutes(lab layout.Lab, pid int, node string, up bool) error {
	h, err := enter(pid)
	if err != nil {
		return err
	}
	defer h.Close()
	for i, cidr := range lab.PodCIDRs(node) {
		add, remove := podRoute(lab, node, i), &netlink.Route{Dst: toNet(cidr), Type: unix.RTN_BLACKHOLE}
		if !up {
			add, remove = remove, add
		}
		if err := h.RouteDel(remove); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("remove the route to Pods %s: %w", cidr, err)
		}
		if err := h.RouteAdd(add); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add the route to Pods %s: %w", cidr, err)
		}
	}
	return nil
}

// PodsAreJoined says whether a node has a way to the Pods of the others.
func PodsAreJoined(pid int) (bool, error) {
	h, err := enter(pid)
	if err != nil {
		return false, err
	}
	defer h.Close()
	lost, err := h.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Type: unix.RTN_BLACKHOLE}, netlink.RT_FILTER_TYPE)
	return len(lost) == 0, err
}

func outsideLinks(lab layout.Lab, h *netlink.Handle, pids map[string]int) error {
	if err := linkUp(h, "lo"); err != nil {
		return err
	}
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}
	if err := h.LinkAdd(br); err != nil {
		return fmt.Errorf("add bridge: %w", err)
	}
	if err := addAddrs(h, bridge, lab, lab.Addrs(layout.Outside)); err != nil {
		return err
	}
	peers := map[string]struct {
		name string
		pid  int
	}{"machine": {lab.MachineLink(), os.Getpid()}}
	for _, node := range layout.Nodes() {
		peers[port(node)] = struct {
			name string
			pid  int
		}{uplink, pids[node]}
	}
	for name, peer := range peers {
		veth := &netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: name, MasterIndex: br.Index},
			PeerName:      peer.name,
			PeerNamespace: netlink.NsPid(peer.pid),
		}
		if err := h.LinkAdd(veth); err != nil {
			return fmt.Errorf("add veth %s to %s: %w", name, peer.name, err)
		}
		if err := linkUp(h, name); err != nil {
			return err
		}
	}
	if err := addPodRoutes(h, lab, ""); err != nil {
		return err
	}
	// The way on to an address until the load-balancer controller knows a better one.
	for i, pool := range lab.Pool() {
		via := lab.Addrs(layout.ControlPlane)[i]
		if err := h.RouteAdd(&netlink.Route{Dst: toNet(pool), Gw: net.IP(via.AsSlice())}); err != nil {
			return fmt.Errorf("route to the load-balancer addresses %s: %w", pool, err)
		}
	}
	return nil
}

func nodeUp(lab layout.Lab, node string, pid int) error {
	h, err := enter(pid)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := linkUp(h, "lo"); err != nil {
		return err
	}
	if err := addAddrs(h, uplink, lab, lab.Addrs(node)); err != nil {
		return err
	}
	if err := addPodRoutes(h, lab, node); err != nil {
		return err
	}
	// The service proxy needs a route to every address it serves, and nothing may leave
	// the machine: the default route leads to a bridge without a port.
	void := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: voidIf}}
	if err := h.LinkAdd(void); err != nil {
		return fmt.Errorf("add bridge %s: %w", voidIf, err)
	}
	if err := linkUp(h, voidIf); err != nil {
		return err
	}
	defaults := []string{"0.0.0.0/0"}
	if lab.IPv6 {
		defaults = append(defaults, "::/0")
	}
	for _, dst := range defaults {
		route := &netlink.Route{LinkIndex: void.Index, Dst: toNet(netip.MustParsePrefix(dst)), Scope: netlink.SCOPE_LINK}
		if err := h.RouteAdd(route); err != nil {
			return fmt.Errorf("add default route %s: %w", dst, err)
		}
	}
	return nil
}

func machineUp(lab layout.Lab) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := addAddrs(h, lab.MachineLink(), lab, lab.MachineAddrs()); err != nil {
		return fmt.Errorf("interface of the machine: %w", err)
	}
	link, err := h.LinkByName(lab.MachineLink())
	if err != nil {
		return err
	}
	if err := ignoreOthers(lab.MachineLink()); err != nil {
		return err
	}
	// Outside is the router that knows, address by address, which node serves it.
	for i, pool := range lab.Pool() {
		via := lab.Addrs(layout.Outside)[i]
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: toNet(pool), Gw: net.IP(via.AsSlice())}
		if err := h.RouteReplace(route); err != nil {
			return fmt.Errorf("route to the load-balancer addresses %s: %w", pool, err)
		}
	}
	return nil
}

// ignoreOthers keeps the machine from learning routes from the lab's hosts.
func ignoreOthers(link string) error {
	for _, key := range []string{"ipv4/conf/%s/accept_redirects", "ipv6/conf/%s/accept_redirects", "ipv6/conf/%s/accept_ra"} {
		path := "/proc/sys/net/" + fmt.Sprintf(key, link)
		if err := os.WriteFile(path, []byte("0"), 0o644); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// addPodRoutes leads to the Pods of every node but the one named.
func addPodRoutes(h *netlink.Handle, lab layout.Lab, except string) error {
	for _, node := range layout.Nodes() {
		if node == except {
			continue
		}
		for i, cidr := range lab.PodCIDRs(node) {
			route := podRoute(lab, node, i)
			if err := h.RouteAdd(route); err != nil {
				return fmt.Errorf("route to Pods %s via %s: %w", cidr, route.Gw, err)
			}
		}
	}
	return nil
}

// podRoute leads to a node's Pods, in the family of its i-th range.
func podRoute(lab layout.Lab, node string, i int) *netlink.Route {
	return &netlink.Route{Dst: toNet(lab.PodCIDRs(node)[i]), Gw: net.IP(lab.Addrs(node)[i].AsSlice())}
}

func addAddrs(h *netlink.Handle, name string, lab layout.Lab, addrs []netip.Addr) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	for _, addr := range addrs {
		bits := lab.NodeNet4().Bits()
		flags := 0
		if addr.Is6() {
			bits, flags = lab.NodeNet6().Bits(), nodad
		}
		a := &netlink.Addr{IPNet: toNet(netip.PrefixFrom(addr, bits)), Flags: flags}
		if err := h.AddrReplace(link, a); err != nil {
			return fmt.Errorf("address %s on %s: %w", addr, name, err)
		}
	}
	return h.LinkSetUp(link)
}

// nodad is IFA_F_NODAD: an address of the lab is unique by construction, and detection
// of duplicates would delay it by a second or two.
const nodad = 0x02

func linkUp(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	return h.LinkSetUp(link)
}

func enter(pid int) (*netlink.Handle, error) {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return nil, fmt.Errorf("network namespace of process %d: %w", pid, err)
	}
	defer ns.Close()
	return netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
}

func toNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: net.IP(p.Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// port is the name of a node's port on the bridge; an interface's name has 15 bytes.
func port(node string) string { return "to-" + node[:min(len(node), 12)] }
