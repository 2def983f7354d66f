package loadbalancer

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routeProtocol marks the routes that are ours in the kernel's table.
const routeProtocol = 77

// kernelRoutes sets routes in the network namespace that it was made in.
type kernelRoutes struct{ handle *netlink.Handle }

func newRouter() (router, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("load balancer: %w", err)
	}
	return &kernelRoutes{h}, nil
}

func (k *kernelRoutes) routes() (map[netip.Addr]netip.Addr, error) {
	list, err := k.handle.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Protocol: routeProtocol}, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	out := map[netip.Addr]netip.Addr{}
	for _, r := range list {
		if r.Dst == nil {
			continue
		}
		addr, ok1 := netip.AddrFromSlice(r.Dst.IP)
		via, ok2 := netip.AddrFromSlice(r.Gw)
		if ok1 && ok2 {
			out[addr.Unmap()] = via.Unmap()
		}
	}
	return out, nil
}

func (k *kernelRoutes) set(addr, via netip.Addr) error {
	r := route(addr)
	r.Gw = via.AsSlice()
	if err := k.handle.RouteReplace(r); err != nil {
		return fmt.Errorf("route %s via %s: %w", addr, via, err)
	}
	return nil
}

func (k *kernelRoutes) remove(addr netip.Addr) error {
	if err := k.handle.RouteDel(route(addr)); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("remove the route to %s: %w", addr, err)
	}
	return nil
}

func route(addr netip.Addr) *netlink.Route {
	return &netlink.Route{
		Dst:      &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(addr.BitLen(), addr.BitLen())},
		Protocol: routeProtocol,
	}
}
