package b2bua

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"legwork/b2bua/digest"
	"legwork/b2bua/transport"
)

// held are requests whose credentials were looked at and whose answer waits,
// because somebody guesses the password of that user; see door.Pause.
type held struct {
	mu        sync.Mutex      // guards cancelled
	cancelled map[string]bool // by mergeKey, the INVITEs that wait
}

// hold makes a request wait if it must; true: it is taken care of.
func (s *Server) hold(in *admitted) bool {
	p := in.proof
	pause, ok := s.pause(in.flow, p)
	s.note(in.req, in.flow, in.trunk, p) // afterwards: the proof must not end its own pause
	switch {
	case !ok:
		in.tx.Refuse(503, later())
		return true
	case pause == 0:
		return false
	}
	s.held.begin(in)
	time.AfterFunc(pause, func() {
		defer s.survive(in)
		s.door.Answered(p.claimed)
		s.release(in)
	})
	return true
}

// survive keeps a fault of ours to the request, as the transport does where a
// reader brings it.
func (s *Server) survive(in *admitted) {
	if r := recover(); r != nil {
		s.faults.Add(1)
		s.log.Error("fault in a request", "method", in.req.Method, "source", in.flow.Remote.String(), "err", fmt.Sprint(r), "stack", string(debug.Stack()))
		s.answer(in.tx, in.req, 500)
	}
}

// pause is how long the answer to credentials has to wait; not ok: too many do.
func (s *Server) pause(f transport.Flow, p proof) (pause time.Duration, ok bool) {
	if p.claimed == "" || p.outcome != digest.OK && p.outcome != digest.Wrong {
		return 0, true
	}
	if pause, ok = s.door.Pause(f.Remote.Addr(), p.claimed); !ok {
		s.refused[refusedGuessed].Add(1)
	}
	return pause, ok
}

// release goes on with a request whose pause is over.
func (s *Server) release(in *admitted) {
	switch cancelled := s.held.end(in); {
	case s.ctx.Err() != nil:
	case cancelled:
		s.answer(in.tx, in.req, 487)
	default:
		s.enter(in)
	}
}

func (h *held) begin(in *admitted) {
	if in.req.Method != "INVITE" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cancelled == nil {
		h.cancelled = map[string]bool{}
	}
	h.cancelled[in.mergeKey] = false
}

func (h *held) end(in *admitted) (cancelled bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	cancelled = h.cancelled[in.mergeKey]
	delete(h.cancelled, in.mergeKey)
	return cancelled
}

// cancel notes the CANCEL of an INVITE that waits.
func (h *held) cancel(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, waits := h.cancelled[key]; waits {
		h.cancelled[key] = true
	}
}
