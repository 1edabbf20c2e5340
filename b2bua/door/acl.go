package door

import (
	"fmt"
	"net/netip"
	"slices"
)

// ACL is a list of addresses that may come and of those that may not. It never
// changes.
type ACL struct {
	admits    map[netip.Prefix]bool
	v4, v6    []int // lengths of the prefixes, the longest first
	otherwise bool
}

// NewACL makes a list. The longest prefix that an address fits decides; one that
// fits none may come unless there is a list of those who may. It is nil when both
// are empty.
func NewACL(allow, deny []netip.Prefix) (*ACL, error) {
	if len(allow)+len(deny) == 0 {
		return nil, nil
	}
	a := &ACL{admits: make(map[netip.Prefix]bool, len(allow)+len(deny)), otherwise: len(allow) == 0}
	for _, p := range allow {
		a.add(p, true)
	}
	for _, p := range deny {
		if a.admits[p.Masked()] {
			return nil, fmt.Errorf("%s is both allowed and denied", p)
		}
		a.add(p, false)
	}
	for _, lengths := range []*[]int{&a.v4, &a.v6} {
		slices.Sort(*lengths)
		slices.Reverse(*lengths)
		*lengths = slices.Compact(*lengths)
	}
	return a, nil
}

func (a *ACL) add(p netip.Prefix, admit bool) {
	a.admits[p.Masked()] = admit
	if p.Addr().Is4() {
		a.v4 = append(a.v4, p.Bits())
	} else {
		a.v6 = append(a.v6, p.Bits())
	}
}

// Admits tells whether an address may come.
func (a *ACL) Admits(addr netip.Addr) bool {
	if a == nil {
		return true
	}
	addr = addr.Unmap().WithZone("")
	lengths := a.v6
	if addr.Is4() {
		lengths = a.v4
	}
	for _, n := range lengths {
		p, _ := addr.Prefix(n) // a length of its family
		if admit, found := a.admits[p]; found {
			return admit
		}
	}
	return a.otherwise
}
