package b2bua

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// earwitness keeps what came, by leg.
type earwitness struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (w *earwitness) Observe(e Event) {
	if e.Kind != EventReceived {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	what := e.Message.Method
	if !e.Message.IsRequest() {
		what = fmt.Sprintf("%d %s", e.Message.Status, what)
	}
	w.lines = append(w.lines, fmt.Sprintf("%d %s", e.Leg.Index, what))
}

func heardIn(t *testing.T, f func(r *rig)) []string {
	t.Helper()
	w := &earwitness{}
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.server.cfg.Observers = append(r.server.cfg.Observers, w)
		f(r)
	})
	return w.lines
}

func TestTheACKToAFailureIsSeen(t *testing.T) {
	got := heardIn(t, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(486, nil)
		r.final()
	})
	if want := []string{"0 INVITE", "1 486 INVITE", "0 ACK"}; !slices.Equal(got, want) {
		t.Errorf("heard %q", got)
	}
}

func TestTheAnswerToOurCancelIsSeen(t *testing.T) {
	got := heardIn(t, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		d.cancel("")
		r.wait(r.bob, "CANCEL")
		in.Reply(487, nil)
		r.final()
	})
	slices.Sort(got[3:]) // the caller's and the callee's cross
	if want := []string{"0 INVITE", "1 180 INVITE", "0 CANCEL", "0 ACK", "1 200 CANCEL", "1 487 INVITE"}; !slices.Equal(got, want) {
		t.Errorf("heard %q", got)
	}
}
