package b2bua

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"legwork/b2bua/transport"
)

// What is known of addresses that gave no answer.
const (
	deadFor     = 30 * time.Second // before one call tries again
	trialFor    = 10 * time.Second // that the others wait for how it fares
	maxDeadEnds = 4096
)

// deadEnds are addresses that are not worth the first try, for all calls: of a
// name's addresses they come last (RFC 3263 section 4.3). It may be used from any
// goroutine.
type deadEnds struct {
	mu    sync.Mutex // guards until
	until map[deadEnd]time.Time
}

// deadEnd is an address and how it is spoken to.
type deadEnd struct {
	network string
	remote  netip.AddrPort
}

func endOf(f transport.Flow) deadEnd { return deadEnd{f.Network(), f.Remote} }

// bury remembers that nobody answered for a flow, or that nobody is to ask there
// for a while.
func (d *deadEnds) bury(f transport.Flow, rest time.Duration) {
	if f.Listener == nil {
		return
	}
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.until) >= maxDeadEnds {
		maps.DeleteFunc(d.until, func(_ deadEnd, until time.Time) bool { return !now.Before(until) })
	}
	if d.until == nil {
		d.until = make(map[deadEnd]time.Time)
	}
	if len(d.until) < maxDeadEnds {
		d.until[endOf(f)] = now.Add(rest)
	}
}

// revive forgets it: somebody has answered.
func (d *deadEnds) revive(f transport.Flow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.until) > 0 {
		delete(d.until, endOf(f))
	}
}

// has tells whether a flow leads to a dead end.
func (d *deadEnds) has(f transport.Flow) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	until, buried := d.until[endOf(f)]
	return buried && time.Now().Before(until)
}

// last puts dead ends behind the other flows; all keep their order. One whose
// time is over goes first for whoever asks first, as a trial.
func (d *deadEnds) last(flows []transport.Flow) []transport.Flow {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.until) == 0 || len(flows) < 2 {
		return flows
	}
	now := time.Now()
	var alive, dead []transport.Flow
	for _, f := range flows {
		switch until, buried := d.until[endOf(f)]; {
		case !buried:
			alive = append(alive, f)
		case now.Before(until):
			dead = append(dead, f)
		default:
			alive = append(alive, f)
			d.until[endOf(f)] = now.Add(trialFor)
		}
	}
	return slices.Concat(alive, dead)
}
