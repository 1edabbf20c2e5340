package b2bua

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// diary keeps what happens in calls, a line each.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) Watching() bool { return true }

func (d *diary) Observe(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case e.Kind == EventSent && e.Leg.Index > 0 && e.Message.IsRequest():
		d.lines = append(d.lines, "sent "+e.Message.Method)
	case e.Kind == EventEdited:
		d.lines = append(d.lines, "edited by "+e.Hook)
	case e.Kind == EventTimer, e.Kind == EventLimited, e.Kind == EventFailed, e.Kind == EventLookedUp:
		d.lines = append(d.lines, e.Text)
	}
}

// diaryOf plays with a diary.
func diaryOf(t *testing.T, p *fixed, f func(r *rig)) []string {
	t.Helper()
	d := &diary{}
	play(t, p, func(r *rig) {
		r.server.cfg.Observers = append(r.server.cfg.Observers, d)
		r.server.watchers = append(r.server.watchers, d)
		f(r)
	})
	return d.lines
}

func TestWhatHooksTellStandsBeforeWhatTheyBring(t *testing.T) {
	p := &fixed{}
	last := func() *Call {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.calls[len(p.calls)-1]
	}
	p.invite = func(context.Context, View) Decided {
		for _, text := range []string{"first", "second"} {
			last().Tell(Event{Kind: EventLookedUp, Text: text})
		}
		return toBob(context.Background(), View{})
	}
	p.branch = func(_ View, _ Leg, req *message.Message) Decided {
		if !last().Watched() {
			t.Error("nobody watches")
		}
		last().Tell(Event{Kind: EventEdited, Hook: "on_branch", Edits: &Edits{Into: req}})
		return Decided{}
	}
	got := diaryOf(t, p, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(486, nil)
		r.final()
	})
	if want := []string{"first", "second", "edited by on_branch", "sent INVITE", "sent ACK"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestTimersLimitsAndFailuresAreTold(t *testing.T) {
	route := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "full"}, {URI: "sip:192.0.2.2:5060"}, {URI: "sip:192.0.2.3:5060"}}, Ring: 10 * time.Second}}
	}
	got := diaryOf(t, &fixed{invite: route}, func(r *rig) {
		r.apply(trunk.Trunk{Name: "full", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.9"}}, Limits: trunk.Limits{Calls: 1}})
		r.check(r.server.Trunks().Of("full").Admit())
		defer r.server.Trunks().Of("full").Release()
		r.dial(sdpOffer)
		r.wait(r.carol, "INVITE").Reply(180, nil)
		r.wait(r.carol, "CANCEL")
		r.final()
	})
	var told []string
	for _, line := range got {
		if !strings.HasPrefix(line, "sent ") {
			told = append(told, line)
		}
	}
	want := []string{"full: trunk has its most calls at once", "try: no word of sip:192.0.2.2:5060 in time", "ring: nobody answers at sip:192.0.2.3:5060"}
	if !slices.Equal(told, want) {
		t.Errorf("got %q", told)
	}
}

func TestAHookThatTellsWithoutEndFillsNoMemory(t *testing.T) {
	p := &fixed{}
	p.invite = func(context.Context, View) Decided {
		p.mu.Lock()
		c := p.calls[len(p.calls)-1]
		p.mu.Unlock()
		for range 3 * maxFacts {
			c.Tell(Event{Kind: EventLimited, Text: "limit"})
		}
		return toBob(context.Background(), View{})
	}
	got := diaryOf(t, p, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(486, nil)
		r.final()
	})
	told := slices.DeleteFunc(got, func(line string) bool { return line != "limit" })
	if len(told) != maxFacts {
		t.Errorf("%d were told, want %d", len(told), maxFacts)
	}
}
