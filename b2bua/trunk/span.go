package trunk

import (
	"net/netip"
	"slices"
)

// spans cuts an address family into ranges of one owner each. Prefixes are
// nested or apart, never crossing, so n of them make at most 2n+1 ranges and
// the longest prefix is found by one binary search.
type spans []span

// span starts here and lasts until the next; claim is nil where no trunk is.
type span struct {
	start netip.Addr
	claim *claim
}

// flatten wants claims sorted by address, outer prefixes first, none twice.
func flatten(claims []claim) (v4, v6 spans) {
	cut, _ := slices.BinarySearchFunc(claims, 128, func(c claim, bits int) int {
		return c.prefix.Addr().BitLen() - bits
	})
	return flattenFamily(claims[:cut]), flattenFamily(claims[cut:])
}

func flattenFamily(claims []claim) spans {
	var s spans
	var open []*claim // the prefixes around the next one, innermost last
	closeUntil := func(next netip.Addr) {
		for len(open) > 0 && (!next.IsValid() || !open[len(open)-1].prefix.Contains(next)) {
			ended := open[len(open)-1]
			open = open[:len(open)-1]
			s = s.begin(last(ended.prefix).Next(), innermost(open))
		}
	}
	for i := range claims {
		closeUntil(claims[i].prefix.Addr())
		claims[i].outer = innermost(open)
		open = append(open, &claims[i])
		s = s.begin(claims[i].prefix.Addr(), &claims[i])
	}
	closeUntil(netip.Addr{})
	return s
}

// begin starts a range; one that starts in the same place replaces the last.
// An invalid start lies behind the family's last address.
func (s spans) begin(start netip.Addr, c *claim) spans {
	if !start.IsValid() {
		return s
	}
	if n := len(s); n > 0 && s[n-1].start == start {
		s[n-1].claim = c
		return s
	}
	return append(s, span{start, c})
}

func innermost(open []*claim) *claim {
	if len(open) == 0 {
		return nil
	}
	return open[len(open)-1]
}

func (s spans) find(addr netip.Addr) *claim {
	i, exact := slices.BinarySearchFunc(s, addr, func(one span, addr netip.Addr) int {
		return one.start.Compare(addr)
	})
	if !exact {
		i--
	}
	if i < 0 {
		return nil
	}
	return s[i].claim
}

// last is the highest address of a prefix.
func last(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}
