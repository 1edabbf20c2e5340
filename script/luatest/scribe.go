package luatest

import (
	"sync"

	"legwork/b2bua"
	"legwork/b2bua/capture"
)

// scribe makes stories of requests outside any call as well: to the engine they
// are no calls and neither begin nor end, and a running Legwork keeps none.
type scribe struct {
	*capture.Ring

	mu   sync.Mutex
	open map[string]*b2bua.Record // by the engine's id
}

// Observe implements b2bua.Observer.
func (s *scribe) Observe(ev b2bua.Event) {
	m := ev.Message
	if m == nil || ev.Kind != b2bua.EventReceived && ev.Kind != b2bua.EventSent {
		s.Ring.Observe(ev)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ev.Leg.Index == 0 && ev.Kind == b2bua.EventReceived && m.OutsideCall() && s.open[ev.Call] == nil {
		s.open[ev.Call] = &b2bua.Record{ID: ev.Call, Started: ev.At, Trunk: ev.Leg.Trunk, Attempts: []b2bua.Attempt{}}
		began := ev
		began.Kind = b2bua.EventBegan
		s.Ring.Observe(began)
	}
	s.Ring.Observe(ev)
	if r := s.open[ev.Call]; r != nil && note(r, &ev) {
		delete(s.open, ev.Call)
		ev.Kind, ev.Record = b2bua.EventEnded, r
		s.Ring.Observe(ev)
	}
}

// note writes down what a message means to the request; true: it has its answer.
func note(r *b2bua.Record, ev *b2bua.Event) (over bool) {
	m, leg := ev.Message, ev.Leg.Index
	switch sent := ev.Kind == b2bua.EventSent; {
	case leg > len(r.Attempts) && sent && m.IsRequest():
		r.Attempts = append(r.Attempts, b2bua.Attempt{Target: ev.Leg.Target, Trunk: ev.Leg.Trunk})
	case m.IsRequest() || m.Status < 200:
	case leg == 0 && sent:
		r.Code, r.Reason, r.Ended = m.Status, m.Reason, ev.At
		return true
	case leg > 0 && leg <= len(r.Attempts) && !sent:
		one := &r.Attempts[leg-1]
		one.Code, one.Reason, one.Origin = m.Status, m.Reason, b2bua.OriginPeer
	}
	return false
}
