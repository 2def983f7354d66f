package main

import (
	"context"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"
)

// nxdomainName is the plugin's name in a Corefile.
const nxdomainName = "nxdomain"

// registerNXDomain adds the CoreDNS plugin that answers, for every name that no plugin
// before it knew, that the name does not exist. CoreDNS by itself refuses such a query,
// which a client takes for a failing server, not for a wrong name; and the lab has no
// server to forward to.
func registerNXDomain() {
	plugin.Register(nxdomainName, func(c *caddy.Controller) error {
		dnsserver.GetConfig(c).AddPlugin(func(plugin.Handler) plugin.Handler { return nxdomain{} })
		return nil
	})
}

type nxdomain struct{}

// Name implements plugin.Handler.
func (nxdomain) Name() string { return nxdomainName }

// ServeDNS implements plugin.Handler.
func (nxdomain) ServeDNS(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	const ttl = 5
	m := new(dns.Msg)
	m.SetRcode(r, dns.RcodeNameError)
	m.Authoritative = true
	// Without an SOA record nobody may remember that the name does not exist.
	m.Ns = []dns.RR{&dns.SOA{
		Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:  "ns.lab.", Mbox: "hostmaster.lab.",
		Serial: 1, Refresh: ttl, Retry: ttl, Expire: ttl, Minttl: ttl,
	}}
	return dns.RcodeSuccess, w.WriteMsg(m)
}
