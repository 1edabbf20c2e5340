package trunk

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Table is the set of trunks of one configuration. It never changes: a reload
// or a new address of a host name makes another.
type Table struct {
	trunks map[string]*Trunk
	names  []string
	v4, v6 spans
	rivals []netip.Addr      // addresses of host names that another trunk has
	hosts  map[string]*Trunk // by the host names among Match, in lower case
	named  map[string]*Trunk // by the users and listeners among Match, as written

	strangers Trust // in who is no trunk
}

// claim is a trunk's right to the sources of one prefix.
type claim struct {
	prefix netip.Prefix
	trunk  *Trunk
	why    string  // as Match tells it
	host   bool    // through a host name
	outer  *claim  // of the next shorter prefix around it; nil: none
	rivals []claim // of other trunks on the same prefix, which it goes before
}

// NewTable checks and indexes trunks. resolve turns the host names among
// Match into addresses and may be nil when there are none; a name without
// addresses matches nothing.
//
// Two trunks that write the same prefix, user or listener are an error. Host names are not held
// to that, since DNS may change at any time: a written prefix wins over them,
// and among them the trunk listed first. Rivals tells of it.
func NewTable(trunks []Trunk, resolve func(host string) []netip.Addr) (*Table, error) {
	t := &Table{trunks: make(map[string]*Trunk, len(trunks)), hosts: map[string]*Trunk{}, named: map[string]*Trunk{}}
	var claims []claim
	var problems []error
	for i := range trunks {
		one := &trunks[i]
		if err := t.add(one); err != nil {
			problems = append(problems, err)
			continue
		}
		claims = append(claims, one.claims(resolve)...)
	}
	claims, err := settle(claims)
	if err = errors.Join(append(problems, err)...); err != nil {
		return nil, err
	}
	t.settleTrust()
	slices.Sort(t.names)
	t.v4, t.v6 = flatten(claims)
	for _, c := range claims {
		if len(c.rivals) > 0 {
			t.rivals = append(t.rivals, c.prefix.Addr())
		}
	}
	return t, nil
}

func (t *Table) add(one *Trunk) error {
	switch {
	case one.Name == "":
		return errors.New("trunk without a name")
	case t.trunks[one.Name] != nil:
		return fmt.Errorf("trunk %s: there are two of that name", one.Name)
	}
	if err := one.Headers.Check(); err != nil {
		return fmt.Errorf("trunk %s: %w", one.Name, err)
	}
	t.trunks[one.Name] = one
	t.names = append(t.names, one.Name)
	return t.index(one)
}

// claims lists the sources of a trunk.
func (t *Trunk) claims(resolve func(host string) []netip.Addr) []claim {
	var claims []claim
	for _, m := range t.Match {
		if prefix, ok := ParsePrefix(m); ok {
			claims = append(claims, claim{prefix: prefix, trunk: t, why: m})
			continue
		}
		if resolve == nil || !IsHost(m) {
			continue
		}
		for _, addr := range resolve(m) {
			if addr = plain(addr); addr.IsValid() {
				claims = append(claims, claim{prefix: netip.PrefixFrom(addr, addr.BitLen()), trunk: t, why: m + " (" + addr.String() + ")", host: true})
			}
		}
	}
	return claims
}

// ParsePrefix reads a CIDR or an IP address; false: neither, so a name.
// Host bits are cleared, IPv4-mapped IPv6 becomes IPv4.
func ParsePrefix(s string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		addr = plain(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// plain is an address without zone and mapping.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// Get returns a trunk by name, or nil.
func (t *Table) Get(name string) *Trunk { return t.trunks[name] }

// Names lists the trunks, sorted. The caller must not change it.
func (t *Table) Names() []string { return t.names }

// Match finds the trunk that a source address belongs to: the longest prefix
// wins. why is the matching entry as written in the configuration, with the
// address behind a host name. An unknown source gives nil.
func (t *Table) Match(addr netip.Addr) (found *Trunk, why string) {
	if c := t.claimOf(addr); c != nil {
		return c.trunk, c.why
	}
	return nil, ""
}

func (t *Table) claimOf(addr netip.Addr) *claim {
	addr = plain(addr)
	if addr.Is4() {
		return t.v4.find(addr)
	}
	return t.v6.find(addr)
}

// Hit is an entry that a source address fits.
type Hit struct {
	Trunk  string
	Entry  string // as Match tells it
	Host   bool   // the entry is a host name
	Barred bool   // the trunk's own list of who may come keeps the address out
	Rival  bool   // it is as long as the one that decides, which goes before it
}

// Matches lists all entries that an address fits, the longest prefix first: its
// trunk is the one that Match finds.
func (t *Table) Matches(addr netip.Addr) []Hit {
	var hits []Hit
	for c := t.claimOf(addr); c != nil; c = c.outer {
		hits = append(hits, c.hit(addr))
		for i := range c.rivals {
			rival := c.rivals[i].hit(addr)
			rival.Rival = true
			hits = append(hits, rival)
		}
	}
	return hits
}

// Rivals lists the addresses that several trunks match, by host names: Matches
// tells which of them has it. The caller must not change it.
func (t *Table) Rivals() []netip.Addr { return t.rivals }

func (c *claim) hit(addr netip.Addr) Hit {
	return Hit{Trunk: c.trunk.Name, Entry: c.why, Host: c.host, Barred: c.trunk.Of(addr) == nil}
}

// MatchName finds the trunk that a verified certificate with these names belongs
// to: the first name that a trunk's Match lists. nil when none does.
func (t *Table) MatchName(names []string) (found *Trunk, name string) {
	for _, name := range names {
		if found := t.hosts[hostName(name)]; found != nil {
			return found, name
		}
	}
	return nil, ""
}

func hostName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// settle sorts claims, outer before inner, and leaves one for each prefix.
func settle(claims []claim) ([]claim, error) {
	slices.SortStableFunc(claims, func(a, b claim) int {
		if c := a.prefix.Compare(b.prefix); c != 0 {
			return c
		}
		switch {
		case a.host == b.host:
			return 0
		case b.host:
			return -1
		}
		return 1
	})
	var problems []error
	kept := claims[:0]
	for _, c := range claims {
		if len(kept) == 0 || kept[len(kept)-1].prefix != c.prefix {
			kept = append(kept, c)
			continue
		}
		switch first := &kept[len(kept)-1]; {
		case first.trunk == c.trunk:
		case c.host:
			first.rivals = append(first.rivals, c)
		default:
			problems = append(problems, fmt.Errorf("trunks %s and %s both match %s", first.trunk.Name, c.trunk.Name, c.prefix))
		}
	}
	return kept, errors.Join(problems...)
}
