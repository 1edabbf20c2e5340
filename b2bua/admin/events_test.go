package admin

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua"
)

// streaming is an API over a feed, whose clients are pipes, so that time may be
// virtual.
type streaming struct {
	*testing.T
	feed     *Feed
	server   *http.Server
	incoming chan net.Conn
}

func (s *streaming) Accept() (net.Conn, error) {
	c, ok := <-s.incoming
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (s *streaming) Close() error {
	close(s.incoming)
	return nil
}
func (s *streaming) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// onStreams runs f in a bubble that ends with the server.
func onStreams(t *testing.T, f func(s *streaming)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := behind(t)
		s := &streaming{T: t, feed: NewFeed(), incoming: make(chan net.Conn)}
		handler, err := Handler(Config{
			Engine: d, Scripts: d, History: d, Token: "t0ken", Drain: func() {}, Metrics: http.NotFoundHandler(),
			Events: s.feed, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		s.server = &http.Server{Handler: handler, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = s.server.Serve(s)
		}()
		f(s)
		s.feed.Close()
		_ = s.server.Close()
		<-ended
	})
}

// dial sends a request for events and reads nothing.
func (s *streaming) dial(query, behind string) net.Conn {
	s.Helper()
	here, there := net.Pipe()
	s.incoming <- there
	text := "GET /api/v1/events" + query + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer t0ken\r\n"
	if behind != "" {
		text += "Last-Event-ID: " + behind + "\r\n"
	}
	if _, err := io.WriteString(here, text+"\r\n"); err != nil {
		s.Fatal(err)
	}
	return here
}

// told is what a client reads.
type told struct {
	*streaming
	conn net.Conn
	body *bufio.Reader
}

// follow opens a stream and reads its head.
func (s *streaming) follow(query, behind string) *told {
	s.Helper()
	conn := s.dial(query, behind)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		s.Fatalf("%v %+v", err, res)
	}
	t := &told{s, conn, bufio.NewReader(res.Body)}
	if first := t.block(); first != "retry: 2000" {
		s.Fatalf("%q", first)
	}
	return t
}

// block is what comes up to the next empty line.
func (t *told) block() string {
	t.Helper()
	var lines []string
	for {
		line, err := t.body.ReadString('\n')
		if err != nil {
			t.Fatalf("%v behind %q", err, lines)
		}
		if line == "\n" {
			return strings.Join(lines, "\n")
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}

// event is the next one.
func (t *told) event() Event {
	t.Helper()
	block := t.block()
	_, data, _ := strings.Cut(block, "data: ")
	var e Event
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		t.Fatalf("%v in %q", err, block)
	}
	want := "event: " + e.Type + "\ndata: " + data
	if e.ID != "" {
		want = "id: " + e.ID + "\n" + want
	}
	if block != want {
		t.Errorf("%q", block)
	}
	return e
}

// record is a call on its way from one trunk to another.
func record(id string) *b2bua.Record {
	return &b2bua.Record{ID: id, From: "sip:alice:s3cret@a.example", To: "sip:bob@b.example", Trunk: "pbx", Source: "192.0.2.1:5060"}
}

func TestACallIsToldFromBeginToEnd(t *testing.T) {
	onStreams(t, func(s *streaming) {
		c := s.follow("", "")
		r := record("1")
		s.feed.Observe(b2bua.Event{Call: "1", Kind: b2bua.EventBegan, At: started, Record: r})
		s.feed.Observe(b2bua.Event{Call: "1", Kind: b2bua.EventSent, At: started})
		if e := c.event(); e.Type != CallStarted || e.Call != "1" || e.From != "sip:alice:***@a.example" || e.To != r.To || e.Trunk != "pbx" || e.Source != r.Source || !e.At.Equal(started) {
			t.Errorf("%+v", e)
		}
		r.Target, r.TargetTrunk, r.Code, r.Reason = "sip:bob@192.0.2.3", "carrier", 200, "OK"
		s.feed.Observe(b2bua.Event{Call: "1", Kind: b2bua.EventAnswered, At: started, Record: r})
		if e := c.event(); e.Type != CallAnswered || e.Target != r.Target || e.TargetTrunk != "carrier" || e.Code != 200 || e.HungUpBy != "" {
			t.Errorf("%+v", e)
		}
		r.HungUpBy, r.Duration = "callee", 2.5
		s.feed.Observe(b2bua.Event{Call: "1", Kind: b2bua.EventEnded, At: started, Record: r})
		if e := c.event(); e.Type != CallEnded || e.HungUpBy != "callee" || e.Duration != 2.5 || e.Reason != "OK" {
			t.Errorf("%+v", e)
		}
	})
}

func TestHostileTextStaysInItsLine(t *testing.T) {
	onStreams(t, func(s *streaming) {
		c := s.follow("", "")
		r := record("1")
		r.From = "sip:x\r\n\r\nid: 7\nevent: drain.began\xff" + strings.Repeat("y", 9000)
		s.feed.Observe(b2bua.Event{Kind: b2bua.EventBegan, Record: r})
		if e := c.event(); e.Type != CallStarted || len(e.From) > maxText+len("…") {
			t.Errorf("%+v", e)
		}
	})
}

func TestEventsAreChosenByTypeAndTrunk(t *testing.T) {
	happens := func(f *Feed) {
		f.Observe(b2bua.Event{Kind: b2bua.EventBegan, Record: record("1")})
		f.Observe(b2bua.Event{Kind: b2bua.EventChanged, Change: b2bua.TargetDown, Leg: b2bua.Leg{Trunk: "carrier", Target: "sip:192.0.2.3"}})
		f.Observe(b2bua.Event{Kind: b2bua.EventChanged, Change: b2bua.TrunkDown, Leg: b2bua.Leg{Trunk: "carrier"}})
		r := record("1")
		r.TargetTrunk = "carrier"
		f.Observe(b2bua.Event{Kind: b2bua.EventEnded, Record: r})
		f.Tell(Event{Type: DrainBegan})
	}
	for query, want := range map[string]string{
		"":                                "call.started target.down trunk.down call.ended drain.began",
		"?types=trunk":                    "trunk.down",
		"?types=trunk,target.*":           "target.down trunk.down",
		"?types=call.ended":               "call.ended",
		"?types=call&types=drain":         "call.started call.ended drain.began",
		"?trunk=carrier":                  "target.down trunk.down call.ended",
		"?trunk=pbx":                      "call.started call.ended",
		"?trunk=carrier&types=call,trunk": "trunk.down call.ended",
	} {
		onStreams(t, func(s *streaming) {
			c := s.follow(query, "")
			happens(s.feed)
			for name := range strings.FieldsSeq(want) {
				if e := c.event(); e.Type != name {
					t.Errorf("%s: %s, want %s", query, e.Type, name)
				}
			}
			if got := c.block(); got != ":" {
				t.Errorf("%s: then %q", query, got)
			}
		})
	}
}

func TestAClientGoesOnBehindTheLastEventItRead(t *testing.T) {
	onStreams(t, func(s *streaming) {
		for i := range 3 {
			s.feed.Tell(Event{Type: DrainBegan, Code: i})
		}
		all := s.follow("", "0")
		first := all.event()
		if first.Code != 0 {
			t.Errorf("an id of nobody's begins with %+v", first)
		}
		if e := s.follow("", first.ID).event(); e.Code != 1 {
			t.Errorf("behind the first comes %+v", e)
		}
		_ = all.event()
		last := all.event()
		for behind, code := range map[string]int{last.ID: 3, "": 3, s.feed.process + "-99": 3, s.feed.process + "-18446744073709551615": 0, "other-2": 0} {
			c := s.follow("?types=drain", behind)
			synctest.Wait()
			defer c.conn.Close()
			if code == 3 {
				defer func() {
					if e := c.event(); e.Code != 3 {
						t.Errorf("%q: %+v", behind, e)
					}
				}()
			} else if e := c.event(); e.Code != code {
				t.Errorf("%q: %+v", behind, e)
			}
		}
		s.feed.Tell(Event{Type: DrainBegan, Code: 3})
	})
}

func TestAClientThatFallsBehindIsToldByHowMuch(t *testing.T) {
	onStreams(t, func(s *streaming) {
		s.feed.Tell(Event{Type: ScriptLoaded})
		id := s.follow("", "0").event().ID
		for i := range feedSize + 5 {
			s.feed.Tell(Event{Type: DrainBegan, Code: i})
		}
		c := s.follow("?types=drain", id)
		if e := c.event(); e.Type != Missed || e.Count != 5 || e.ID != "" {
			t.Errorf("%+v", e)
		}
		for i := range feedSize {
			if e := c.event(); e.Code != i+5 {
				t.Fatalf("%d: %+v", i, e)
			}
		}
	})
}

func TestAClientThatReadsNothingIsCutAndNobodyWaits(t *testing.T) {
	onStreams(t, func(s *streaming) {
		c := s.dial("", "")
		began := time.Now()
		for range 3 * feedSize {
			s.feed.Tell(Event{Type: DrainBegan})
		}
		if time.Since(began) != 0 {
			t.Error("telling has waited")
		}
		time.Sleep(writeLimit - time.Second)
		if s.following() != 1 {
			t.Error("cut too early")
		}
		time.Sleep(2 * time.Second)
		if s.following() != 0 {
			t.Error("it is not cut")
		}
		_ = c.Close()
	})
}

func (s *streaming) following() int {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return len(s.feed.readers)
}

func TestAStreamOutlivesTheLimitsOfARequest(t *testing.T) {
	onStreams(t, func(s *streaming) {
		c := s.follow("", "")
		began := time.Now()
		for range 8 {
			if got := c.block(); got != ":" {
				t.Errorf("%q", got)
			}
		}
		if took := time.Since(began); took != 8*heartbeat {
			t.Errorf("eight heartbeats in %s", took)
		}
		s.feed.Tell(Event{Type: DrainBegan})
		if e := c.event(); e.Type != DrainBegan {
			t.Errorf("%+v", e)
		}
	})
}

func TestWhoeverGoesIsForgotten(t *testing.T) {
	onStreams(t, func(s *streaming) {
		_ = s.follow("", "").conn.Close()
		synctest.Wait()
		if n := s.following(); n != 0 {
			t.Errorf("%d clients", n)
		}
	})
}

func TestAFeedThatIsClosedTellsTheRestAndEnds(t *testing.T) {
	onStreams(t, func(s *streaming) {
		c := s.follow("", "")
		s.feed.Tell(Event{Type: DrainBegan})
		s.feed.Close()
		if e := c.event(); e.Type != DrainBegan {
			t.Errorf("%+v", e)
		}
		if _, err := c.body.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	})
}

func TestFollowersAreCountedAndChecked(t *testing.T) {
	feed := NewFeed()
	d := behind(t)
	h, err := Handler(Config{
		Engine: d, Scripts: d, History: d, Token: "t0ken", Drain: func() {}, Metrics: http.NotFoundHandler(), Events: feed,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	feed.Close() // streams end at once
	good := []string{"Authorization", "Bearer t0ken"}
	for _, one := range []struct {
		method, path string
		headers      []string
		want         int
	}{
		{"GET", "/api/v1/events", nil, 401},
		{"GET", "/api/v1/events?types=calls", good, 400},
		{"GET", "/api/v1/events?types=", good, 400},
		{"GET", "/api/v1/events", good, 200},
		{"HEAD", "/api/v1/events", good, 200},
		{"POST", "/api/v1/events", good, 405},
	} {
		if w := ask(h, one.method, one.path, one.headers...); w.Code != one.want {
			t.Errorf("%s %s: %d %s", one.method, one.path, w.Code, w.Body)
		}
	}
	for range maxReaders {
		if _, err := feed.open(""); err != nil {
			t.Fatal(err)
		}
	}
	if w := ask(h, "GET", "/api/v1/events", good...); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestEachTypeOfEventIsDocumented(t *testing.T) {
	w := ask(serve(t, behind(t), ""), "GET", "/api/openapi.json")
	for _, name := range append(eventTypes(), Missed) {
		if !strings.Contains(w.Body.String(), fmt.Sprintf("%q", name)) {
			t.Errorf("%s is not documented", name)
		}
	}
}

func BenchmarkTell(b *testing.B) {
	f := NewFeed()
	ev := b2bua.Event{Kind: b2bua.EventBegan, Record: record("1"), At: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		f.Observe(ev)
	}
}
