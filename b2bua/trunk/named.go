package trunk

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Entries of Match that name no place of the network begin so.
const (
	userEntry     = "user:"
	listenerEntry = "listener:"
)

// IsHost tells whether an entry of Match is the name of a host.
func IsHost(entry string) bool {
	_, isPrefix := ParsePrefix(entry)
	return !isPrefix && !strings.HasPrefix(entry, userEntry) && !strings.HasPrefix(entry, listenerEntry)
}

// index enters the entries of a trunk that are names. Of two trunks that list one
// host the first has it; a user or a listener belongs to one alone.
func (t *Table) index(one *Trunk) error {
	var problems []error
	for _, m := range one.Match {
		own := t.named
		if IsHost(m) {
			m, own = hostName(m), t.hosts
		} else if _, isPrefix := ParsePrefix(m); isPrefix {
			continue
		}
		switch other := own[m]; {
		case other == nil:
			own[m] = one
		case other != one && !IsHost(m):
			problems = append(problems, fmt.Errorf("trunks %s and %s both match %s", other.Name, one.Name, m))
		}
	}
	return errors.Join(problems...)
}

// MatchUser finds the trunk of a user that has proved who it is, or nil.
func (t *Table) MatchUser(name string) *Trunk {
	if len(t.named) == 0 || name == "" {
		return nil
	}
	return t.named[userEntry+name]
}

// MatchListener finds the trunk of all that comes by a listener, or nil.
func (t *Table) MatchListener(name string) *Trunk {
	if len(t.named) == 0 {
		return nil
	}
	return t.named[listenerEntry+name]
}

// Fits lists all entries that fit what is known of a source, the one that decides
// first: an IP address, "user:NAME", "listener:NAME", or a name in a certificate.
// An address that no entry fits may still come by a listener.
func (t *Table) Fits(source string) []Hit {
	addr, err := netip.ParseAddr(strings.Trim(source, "[]"))
	if err != nil {
		own := t.named
		if IsHost(source) {
			own = t.hosts
			source = hostName(source)
		}
		if one := own[source]; one != nil {
			return []Hit{{Trunk: one.Name, Entry: source}}
		}
		return nil
	}
	hits := t.Matches(addr)
	if len(hits) > 0 {
		return hits
	}
	for entry, one := range t.named {
		if strings.HasPrefix(entry, listenerEntry) {
			hits = append(hits, Hit{Trunk: one.Name, Entry: entry, Barred: one.Of(addr) == nil})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int { return strings.Compare(a.Entry, b.Entry) })
	return hits
}
