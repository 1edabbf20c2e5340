package capture

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

// invited begins a call between two numbers.
func invited(r *Ring, id, from, to string) {
	m := &message.Message{Method: "INVITE", URI: "sip:" + to + "@b.example", Headers: []message.Header{{Name: "From", Value: "<sip:" + from + "@a.example>;tag=1"}}}
	r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventBegan, At: began, Message: m, Leg: legs(0)})
	r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventReceived, At: began, Message: m, Leg: legs(0)})
}

// dials sends a call's INVITE to a trunk.
func dials(r *Ring, id, trunk string) {
	leg := legs(1)
	leg.Trunk = trunk
	r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventSent, At: began, Message: msg("INVITE"), Leg: leg})
}

func tracing(t *testing.T, r *Ring, f Filter) *Trace {
	t.Helper()
	trace, err := r.Trace(f)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// fetched are the calls that a trace has waiting.
func fetched(t *testing.T, trace *Trace) string {
	t.Helper()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var ids []string
	for len(trace.over) > 0 {
		if s, ok := trace.Next(context.Background(), Mask{}); ok {
			ids = append(ids, fmt.Sprint(s.ID, ":", len(s.Steps)))
		}
	}
	if _, ok := trace.Next(over, Mask{}); ok {
		t.Error("a story after the end")
	}
	return strings.Join(ids, " ")
}

func TestATraceKeepsWhatMatchesAlsoWithoutARing(t *testing.T) {
	r := New(0)
	if r.Watching() {
		t.Error("it watches, though nothing is kept")
	}
	trace := tracing(t, r, Filter{Number: "+49 30 1234", Trunk: "carrier"})
	if !r.Watching() {
		t.Error("it does not watch")
	}
	invited(r, "fits", "alice", "+49301234")
	dials(r, "fits", "carrier")
	invited(r, "number", "0049301234", "bob")
	dials(r, "number", "pbx")
	invited(r, "trunk", "alice", "+493012345")
	dials(r, "trunk", "carrier")
	invited(r, "open", "0049301234", "bob")
	dials(r, "open", "carrier")
	for _, id := range []string{"fits", "number", "trunk"} {
		end(r, id)
	}
	if got := fetched(t, trace); got != "fits:2" {
		t.Error("got", got)
	}
	if got := held(r); got != "fits open" {
		t.Error("kept", got)
	}
	if open := trace.End(Mask{}); len(open) != 1 || open[0].ID != "open" || open[0].Outcome != nil {
		t.Errorf("in progress: %+v", open)
	}
	if got := held(r); got != "fits" || r.Watching() || r.matching.Len()+r.active.Len() > 0 {
		t.Error("still kept:", got)
	}
}

func TestATraceKeepsItsCallsFromBeingForgotten(t *testing.T) {
	r := New(2)
	trace := tracing(t, r, Filter{Number: "alice"})
	invited(r, "first", "alice", "1")
	for i := range 5 {
		invited(r, fmt.Sprint(i), "carol", "1")
	}
	end(r, "first")
	if got := fetched(t, trace); got != "first:1" {
		t.Error("got", got)
	}
	if n := len(trace.End(Mask{})); n != 0 || len(r.Calls()) != 3 {
		t.Error(n, "in progress;", held(r))
	}
	invited(r, "next", "carol", "1")
	if n := len(r.Calls()); n != 2 {
		t.Error(n, "calls in a ring of 2")
	}
}

func TestATraceFindsCallsInProgress(t *testing.T) {
	r := New(10)
	invited(r, "old", "alice", "bob")
	dials(r, "old", "carrier")
	trace, other := tracing(t, r, Filter{Trunk: "carrier"}), tracing(t, r, Filter{Number: "BOB"})
	end(r, "old")
	if got := fetched(t, trace) + fetched(t, other); got != "old:2old:2" {
		t.Error("got", got)
	}
	trace.End(Mask{})
	other.End(Mask{})
	if got := held(r); got != "old" {
		t.Error("the ring keeps", got)
	}
}

func TestTracesAreBounded(t *testing.T) {
	r := New(0)
	var all []*Trace
	for range maxTraces {
		all = append(all, tracing(t, r, Filter{}))
	}
	if _, err := r.Trace(Filter{}); !errors.Is(err, ErrTraces) {
		t.Error("got", err)
	}
	for i := range maxUnsure + maxAfter + 50 {
		id := fmt.Sprint(i)
		invited(r, id, "a", "b")
		if i%2 == 0 {
			end(r, id)
		}
	}
	if len(all[0].over) != maxWaiting || r.matching.Len() > maxTraced || len(r.stories) > maxTraced+maxAfter {
		t.Error(len(all[0].over), "waiting,", r.matching.Len(), "in progress,", len(r.stories), "kept")
	}
	for _, one := range all {
		one.End(Mask{})
	}
	r = New(0)
	unsure := tracing(t, r, Filter{Number: "nobody"})
	for i := range maxUnsure + maxAfter + 50 {
		invited(r, fmt.Sprint(i), "a", "b")
	}
	if len(r.stories) > maxUnsure+maxAfter {
		t.Error(len(r.stories), "calls that fit nothing")
	}
	if unsure.End(Mask{}); len(r.stories) > 0 {
		t.Error(len(r.stories), "calls after the trace")
	}
}

func TestANumberIsKnownByItsEnd(t *testing.T) {
	for _, c := range []struct {
		uri, wanted string
		is          bool
	}{
		{"sip:+4930123456@a.example", "030123456", true},
		{"sip:+4930123456@a.example", "30123456", true},
		{"sip:+49(30)123-456@a.example;user=phone", "+4930123456", true},
		{"tel:+4930123456;phone-context=x", "123456", true},
		{"sip:4711;ext=1@a.example", "4711", true},
		{"sip:alice@a.example", "Alice", true},
		{"sip:alice1234@a.example", "1234", false},
		{"sip:1234@a.example", "34", false},
		{"sip:34@a.example", "34", true},
		{"sip:a.example", "", false},
		{"", "1234", false},
	} {
		if got := isNumber(c.uri, c.wanted); got != c.is {
			t.Errorf("%s is %s: %v", c.uri, c.wanted, got)
		}
	}
}

func TestATracedCallIsShownWithItsGoodbyes(t *testing.T) {
	for name, fetch := range map[string]func(*Trace) *Story{
		"when it is over": func(tr *Trace) *Story { s, _ := tr.Next(context.Background(), Mask{}); return s },
		"at the end":      func(tr *Trace) *Story { return tr.End(Mask{})[0] },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := New(0)
			trace := tracing(t, r, Filter{Number: "1234"})
			invited(r, "one", "100", "1234")
			r.Observe(b2bua.Event{Call: "one", Kind: b2bua.EventEnded, At: time.Now(), Record: &b2bua.Record{Ended: time.Now()}})
			time.AfterFunc(50*time.Millisecond, func() {
				r.Observe(b2bua.Event{Call: "one", Kind: b2bua.EventReceived, At: time.Now(), Message: msg("ACK"), Leg: legs(0)})
			})
			if name == "at the end" {
				time.Sleep(100 * time.Millisecond)
			}
			s := fetch(trace)
			if n := len(s.Steps); n != 2 || s.Steps[1].Message.Method != "ACK" {
				t.Errorf("%s: %d steps", name, n)
			}
		})
	}
}
