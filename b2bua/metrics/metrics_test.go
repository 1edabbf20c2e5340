package metrics

import (
	"errors"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

func page(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func has(t *testing.T, page string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestGenerationsAreCountedByState(t *testing.T) {
	m := New(Sources{Generations: func() []Generation { return []Generation{{"live", 7}, {"old", 1}, {"old", 2}} }})
	has(t, page(t, m),
		`legwork_script_generations{state="live"} 1`,
		`legwork_script_generations{state="old"} 2`,
		`legwork_script_generation_calls{state="live"} 7`,
		`legwork_script_generation_calls{state="old"} 3`,
	)
}

func TestAFinishedCallIsCounted(t *testing.T) {
	m := New(Sources{})
	began := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	r := &b2bua.Record{
		Started: began, Answered: began.Add(4 * time.Second), Ended: began.Add(time.Hour), Ringing: 3.95, Code: 200, Trunk: "pbx",
		Attempts: []b2bua.Attempt{
			{Trunk: "carrier-a", Code: 408, Origin: b2bua.OriginTimeout},
			{Trunk: "carrier-b", Code: 200, Origin: b2bua.OriginPeer},
		},
	}
	m.Observe(b2bua.Event{Kind: b2bua.EventEnded, Record: r})
	m.Observe(b2bua.Event{Kind: b2bua.EventEnded, Record: &b2bua.Record{Started: began, Ended: began.Add(time.Second), Code: 403}})
	m.Observe(b2bua.Event{Kind: b2bua.EventEnded})
	has(t, page(t, m),
		`legwork_calls_total{code="200",trunk="pbx"} 1`,
		`legwork_calls_total{code="403",trunk=""} 1`,
		`legwork_attempts_total{code="408",origin="timeout",trunk="carrier-a"} 1`,
		`legwork_attempts_total{code="200",origin="peer",trunk="carrier-b"} 1`,
		`legwork_call_setup_seconds_bucket{until="answered",le="3"} 0`,
		`legwork_call_setup_seconds_bucket{until="answered",le="5"} 1`,
		`legwork_call_setup_seconds_bucket{until="ringing",le="0.025"} 0`,
		`legwork_call_setup_seconds_bucket{until="ringing",le="0.1"} 1`,
		`legwork_call_setup_seconds_count{until="ringing"} 1`,
	)
}

func TestMessagesAreCountedByDirection(t *testing.T) {
	m := New(Sources{})
	invite, ringing := &message.Message{Method: "INVITE"}, &message.Message{Method: "INVITE", Status: 180}
	m.Observe(b2bua.Event{Kind: b2bua.EventReceived, Message: invite})
	m.Observe(b2bua.Event{Kind: b2bua.EventSent, Message: invite})
	m.Observe(b2bua.Event{Kind: b2bua.EventSent, Message: invite})
	m.Observe(b2bua.Event{Kind: b2bua.EventReceived, Message: ringing})
	m.Observe(b2bua.Event{Kind: b2bua.EventSent})
	m.Observe(b2bua.Event{Kind: b2bua.EventNote, Text: "hello"})
	has(t, page(t, m),
		`legwork_requests_total{direction="in",method="INVITE"} 1`,
		`legwork_requests_total{direction="out",method="INVITE"} 2`,
		`legwork_responses_total{code="180",direction="in"} 1`,
	)
}

func TestPeersCannotInventLabels(t *testing.T) {
	m := New(Sources{})
	for i := range 2000 {
		m.Observe(b2bua.Event{Kind: b2bua.EventReceived, Message: &message.Message{Method: "X" + strconv.Itoa(i)}})
		m.Observe(b2bua.Event{Kind: b2bua.EventReceived, Message: &message.Message{Method: "INVITE", Status: i + 1}})
	}
	text := page(t, m)
	if n := strings.Count(text, "legwork_responses_total{"); n > 120 {
		t.Error(n, "codes")
	}
	has(t, text, `legwork_requests_total{direction="in",method="other"} 2000`)
}

func TestScriptsAreCounted(t *testing.T) {
	m := New(Sources{})
	m.ScriptError("on_invite")
	m.Reloaded(nil)
	m.Reloaded(errors.New("main.lua:3: oops"))
	has(t, page(t, m),
		`legwork_script_errors_total{hook="on_invite"} 1`,
		"legwork_script_reloads_total 2", "legwork_script_reload_failures_total 1",
	)
}

func TestTheEngineIsReadAtEachScrape(t *testing.T) {
	active := 0
	m := New(Sources{
		Active: func() int { return active },
		Counters: func() transaction.Counters {
			return transaction.Counters{Servers: 3, Clients: 4, RetransmissionsIn: 5, RetransmissionsOut: 6, Timeouts: 7}
		},
		Trunks: func() []trunk.Stats {
			return []trunk.Stats{{Name: "a", Up: true, Calls: 8}, {Name: "b", Registration: &trunk.Registration{}}}
		},
		Malformed: func() uint64 { return 9 },
		Leaks:     func() map[string]uint64 { return map[string]uint64{"a": 15} },
		Refused:   func() map[string]uint64 { return map[string]uint64{"loop": 14} },
		Transport: func() transport.Counters { return transport.Counters{Connections: 11, TurnedAway: 12, Handshakes: 13} },
		Expiries:  func() map[string]time.Time { return map[string]time.Time{"edge": time.Now().Add(-time.Hour)} },
		Dropped:   func() map[string]uint64 { return map[string]uint64{"cdr": 10, "hep": 0} },
	})
	has(t, page(t, m), "legwork_calls_active 0")
	active = 2
	has(t, page(t, m),
		"legwork_calls_active 2",
		`legwork_transactions{role="uas"} 3`, `legwork_transactions{role="uac"} 4`,
		`legwork_retransmissions_total{direction="in"} 5`, `legwork_retransmissions_total{direction="out"} 6`,
		"legwork_timeouts_total 7",
		`legwork_trunk_up{trunk="a"} 1`, `legwork_trunk_up{trunk="b"} 0`, `legwork_trunk_calls{trunk="a"} 8`,
		`legwork_trunk_registered{trunk="b"} 0`,
		"legwork_malformed_total 9", `legwork_refused_total{reason="loop"} 14`, `legwork_leaks_total{trunk="a"} 15`,
		"legwork_connections 11", "legwork_connections_turned_away_total 12", "legwork_handshake_failures_total 13",
		`legwork_tls_certificate_expiry_seconds{listener="edge"} -3600`,
		`legwork_observer_dropped_total{observer="cdr"} 10`, `legwork_observer_dropped_total{observer="hep"} 0`,
	)
}

func TestTheProcessIsOnThePage(t *testing.T) {
	text := page(t, New(Sources{}))
	for _, want := range []string{"go_goroutines ", "process_resident_memory_bytes ", "process_open_fds "} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(text, "legwork_calls_active") {
		t.Error("a source that is not there is on the page")
	}
}

func TestTwoEnginesShareNothing(t *testing.T) {
	a, b := New(Sources{}), New(Sources{})
	a.Reloaded(nil)
	has(t, page(t, b), "legwork_script_reloads_total 0")
}

func TestCountingIsForManyGoroutines(t *testing.T) {
	m := New(Sources{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { m.Observe(b2bua.Event{Kind: b2bua.EventEnded, Record: &b2bua.Record{Code: 486}}) })
	}
	all.Wait()
	has(t, page(t, m), `legwork_calls_total{code="486",trunk=""} 50`)
}

func BenchmarkObserve(b *testing.B) {
	m := New(Sources{})
	ev := b2bua.Event{Kind: b2bua.EventSent, Message: &message.Message{Method: "INVITE", Status: 200}}
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(ev)
	}
}
