package transport

import (
	"net/netip"
	"time"
)

// A request that is too long for a datagram goes over TCP where the URI leaves
// the choice to us (RFC 3261 section 18.1.1, flow C33).

const (
	briefLimit = time.Second      // to connect, when UDP would do as well
	narrowAge  = 10 * time.Minute // that a neighbour without TCP is remembered
	mostNarrow = 4096
)

// Wide is the TCP flow for a long request that would go over f, a UDP one; false
// when f's URI names a transport, there is no listener for it, or the neighbour
// has lately not taken a connection. A request that can't leave over it goes
// over f.
func (t *Transport) Wide(f Flow) (Flow, bool) {
	if !f.either || t.isNarrow(f.Remote) {
		return Flow{}, false
	}
	hop := Hop{Network: "tcp", Remote: f.Remote}
	able := t.able(hop, f.Listener.Name)
	if len(able) == 0 {
		able = t.able(hop, "")
	}
	if len(able) == 0 {
		return Flow{}, false
	}
	for _, l := range able {
		if l.Local.Addr() == f.Listener.Local.Addr() {
			return Flow{Listener: l, Remote: f.Remote, brief: true}, true
		}
	}
	return Flow{Listener: t.nearest(able, f.Remote.Addr()), Remote: f.Remote, brief: true}, true
}

func (t *Transport) isNarrow(remote netip.AddrPort) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, known := t.narrow[remote]
	return known && time.Since(at) < narrowAge
}

// remember that a neighbour takes no connections.
func (t *Transport) remember(narrow netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.narrow) >= mostNarrow {
		clear(t.narrow)
	}
	t.narrow[narrow] = time.Now()
}
