package capture

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

func begin(r *Ring, id string) {
	r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventBegan, At: began, Message: &message.Message{Method: "INVITE", URI: "sip:" + id + "@b.example"}})
}

func end(r *Ring, id string) {
	r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventEnded, Record: &b2bua.Record{ID: id, Code: 486}})
}

func held(r *Ring) string {
	var ids []string
	for _, c := range r.Calls() {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, " ")
}

func TestFinishedCallsGoFirstOldestFirst(t *testing.T) {
	r := New(3)
	for _, id := range []string{"a", "b", "c"} {
		begin(r, id)
	}
	end(r, "c")
	end(r, "b")
	begin(r, "d")
	if got := held(r); got != "a b d" {
		t.Error("got", got, "but c finished first")
	}
	begin(r, "e")
	if got := held(r); got != "a d e" {
		t.Error("got", got, "but b had finished")
	}
	begin(r, "f")
	if got := held(r); got != "d e f" {
		t.Error("got", got, "but a is the oldest of those in progress")
	}
	end(r, "a")
	if _, ok := r.Ladder("a", Style{}); ok {
		t.Error("a came back")
	}
}

func TestARecordStaysAsLongAsItsCall(t *testing.T) {
	r := New(1)
	begin(r, "a")
	if _, ok := r.Record("a"); ok {
		t.Error("a call in progress has a record")
	}
	end(r, "a")
	end(r, "a")
	rec, ok := r.Record("a")
	if !ok || rec.Code != 486 {
		t.Error("got", rec, ok)
	}
	if calls := r.Calls(); len(calls) != 1 || !calls[0].Ended || calls[0].Code != 486 || calls[0].To != "sip:a@b.example" {
		t.Errorf("got %+v", calls)
	}
	begin(r, "b")
	if _, ok := r.Record("a"); ok {
		t.Error("the record of a forgotten call")
	}
}

func TestAnEmptyRingKeepsNothing(t *testing.T) {
	r := New(0)
	begin(r, "a")
	end(r, "a")
	if held(r) != "" {
		t.Error("kept", held(r))
	}
}

func TestOneCallTakesBoundedMemory(t *testing.T) {
	tape := play("long")
	for i := range 10000 {
		tape.note(i, "note "+strconv.Itoa(i)+strings.Repeat("x", 5000), "")
	}
	for range 1000 {
		tape.got(20000, 7, "INVITE")
		tape.got(20000, 70000, "INVITE")
	}
	s := tape.ring.stories["long"]
	if len(s.steps) != maxSteps || len(s.parties) > maxLegs {
		t.Error(len(s.steps), "steps,", len(s.parties), "parties")
	}
	bytes := 0
	for _, st := range s.steps {
		bytes += len(st.text)
	}
	if bytes > maxSteps*(maxText+4) {
		t.Error(bytes, "bytes of text")
	}
	deep := map[string]any{}
	deep["list"] = []any{strings.Repeat("y", 100), strings.Repeat("z", maxFields)}
	tape.ended(b2bua.Record{Fields: deep, To: strings.Repeat("t", 60000), Attempts: make([]b2bua.Attempt, 500), Notes: []string{strings.Repeat("n", 5000)}})
	r, _ := tape.ring.Record("long")
	if r.Fields != nil || len(r.To) > maxText+4 || len(r.Attempts) > maxLegs || len(r.Notes[0]) > maxText+4 {
		t.Error("the record is not bounded")
	}
	if deep["list"] == nil {
		t.Error("the call's own fields were changed")
	}
}

func TestALongCallShowsItsBeginningAndItsEnd(t *testing.T) {
	tape := play("long")
	for i := range 420 {
		tape.note(i, "note "+strconv.Itoa(i), "")
	}
	text, _ := tape.ring.Ladder("long", Style{})
	for _, want := range []string{"note 0\n", "note 149\n", "… 220 more …", "note 370\n", "note 419\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(text, "note 369\n") {
		t.Error("more than the bound was kept")
	}
	at := func(s string) int { return strings.Index(text, s+"\n") }
	if at("note 370") > at("note 371") || at("note 371") > at("note 419") {
		t.Error("the end is out of order")
	}
}

func TestManyCallsMayBeToldAtOnce(t *testing.T) {
	r := New(20)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			id := strconv.Itoa(i)
			begin(r, id)
			for range 20 {
				r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventNote, Text: "hello", At: began.Add(time.Second)})
				r.Ladder(id, Style{})
				r.Calls()
			}
			end(r, id)
			r.Record(id)
		})
	}
	all.Wait()
	if n := len(r.Calls()); n != 20 {
		t.Error(n, "calls kept")
	}
}

func BenchmarkOneCall(b *testing.B) {
	r := New(2000)
	invite := msg("INVITE+")
	ok := msg("200 OK+")
	invite.Headers = append(invite.Headers, message.Header{Name: "From", Value: "<sip:alice@a.example>;tag=1"})
	invite.Raw, ok.Raw = invite.Bytes(), ok.Bytes()
	record := &b2bua.Record{Attempts: make([]b2bua.Attempt, 1)}
	n := 0
	for b.Loop() {
		n++
		id := strconv.Itoa(n)
		r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventBegan, At: began, Message: invite, Leg: legs(0)})
		for range 7 {
			r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventReceived, At: began, Message: invite, Leg: legs(1)})
			r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventSent, At: began, Message: ok, Bytes: ok.Raw, Leg: legs(0)})
		}
		r.Observe(b2bua.Event{Call: id, Kind: b2bua.EventEnded, Record: record})
	}
}

func TestWhatHooksWriteIntoLongMessagesIsBounded(t *testing.T) {
	r := New(10)
	begin(r, "a")
	for range maxSteps - 1 { // on_request of a script that keeps them all back
		m := &message.Message{Method: "INFO", URI: "sip:b@b.example", Raw: make([]byte, 60<<10), Body: make([]byte, 12<<10)}
		r.Observe(b2bua.Event{Call: "a", Kind: b2bua.EventEdited, Hook: "on_request", Edits: &b2bua.Edits{
			Into: m, Before: m.Clone(), List: []b2bua.Edit{{Op: b2bua.OpSet, Name: "X-A", Value: "1"}},
		}})
	}
	s := r.stories["a"]
	before, into := 0, 0
	for i := range s.steps {
		in := s.steps[i].inside
		if before += len(in.before); in.into != nil {
			into++
		}
	}
	if before > maxCall || before == 0 || s.bytes != before || r.bytes != before {
		t.Errorf("%d bytes are kept, %d and %d counted; at most %d", before, s.bytes, r.bytes, maxCall)
	}
	if into > maxInto || into == 0 {
		t.Errorf("%d messages that have not left are held, at most %d", into, maxInto)
	}
}
