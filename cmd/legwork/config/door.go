package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// door checks who is let in, and that no trunk is shut out by mistake.
func (r *reader) door(c *Config) {
	r.acl(&c.ACL)
	for i := range c.Listen {
		r.acl(&c.Listen[i].ACL)
	}
	for _, name := range slices.SortedFunc(maps.Keys(c.Trunks), r.asWritten(c)) {
		t := c.Trunks[name]
		r.acl(&t.ACL)
		for i := range t.Match {
			source, ok := prefixOf(t.Match[i])
			switch {
			case !ok:
			case !c.ACL.admits(source):
				r.warn(&t.Match[i], fmt.Sprintf("match: the acl keeps out %s of trunk %q", t.Match[i], name), "add it to acl.allow")
			case !t.ACL.admits(source):
				r.warn(&t.Match[i], fmt.Sprintf("match: the trunk's own acl keeps out %s", t.Match[i]), "add it to acl.allow of the trunk, or remove it from match")
			}
		}
	}
}

func (r *reader) acl(a *ACL) {
	seen := map[netip.Prefix]bool{}
	for _, list := range [][]string{a.Allow, a.Deny} {
		for i := range list {
			at := &list[i]
			p, ok := prefixOf(*at)
			switch {
			case r.at[at].wrong:
			case !ok:
				r.refuse(at, fmt.Sprintf("acl: %q is no CIDR or IP address", *at), `such as "192.0.2.0/24"`)
			case p != p.Masked():
				r.refuse(at, fmt.Sprintf("acl: %s has bits set behind its prefix", *at), "write "+p.Masked().String())
			case seen[p]:
				r.refuse(at, fmt.Sprintf("acl: %s is listed twice", *at), "remove one of them")
			default:
				seen[p] = true
			}
		}
	}
}

// prefixOf reads a CIDR or an address; IPv4 in IPv6 is not taken for CIDRs.
func prefixOf(s string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil && !p.Addr().Is4In6()
}

// Prefixes are the entries of both lists.
func (a *ACL) Prefixes() (allow, deny []netip.Prefix) {
	read := func(list []string) (prefixes []netip.Prefix) {
		for _, one := range list {
			if p, ok := prefixOf(one); ok {
				prefixes = append(prefixes, p)
			}
		}
		return prefixes
	}
	return read(a.Allow), read(a.Deny)
}

// admits tells whether all of a prefix, but for what longer ones say, may come.
func (a *ACL) admits(source netip.Prefix) bool {
	allow, deny := a.Prefixes()
	longest, admitted := -1, len(allow) == 0
	for i, p := range append(allow, deny...) {
		if p.Bits() <= source.Bits() && p.Contains(source.Addr()) && p.Bits() > longest {
			longest, admitted = p.Bits(), i < len(allow)
		}
	}
	return admitted
}
