package transaction

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

// rig is a layer whose wire, core and user are one list of what happened, each
// line with its time since the start.
type rig struct {
	t     *testing.T
	layer *Layer
	flow  transport.Flow
	start time.Time

	mu   sync.Mutex // guards all below
	log  []string
	sent [][]byte
	fail error // of the next Send

	onRequest func(*Server, *message.Message)
	onAnswer  func(*Client, *message.Message)
}

// play runs one test on virtual time.
func play(t *testing.T, network string, story func(*rig)) {
	t.Helper()
	playWith(t, network, Config{}, story)
}

func playWith(t *testing.T, network string, c Config, story func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, start: time.Now(), flow: transport.Flow{
			Listener: &transport.Listener{Name: "edge", Network: network, Local: netip.MustParseAddrPort("192.0.2.1:5060")},
			Remote:   netip.MustParseAddrPort("192.0.2.9:5060"),
		}}
		n := 0
		c.Send, c.Core = r.send, r
		c.Unique = func() string { n++; return fmt.Sprint("unique", n) }
		r.layer = New(c)
		story(r)
		r.layer.Close()
	})
}

func (r *rig) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf("%gs ", time.Since(r.start).Seconds())+fmt.Sprintf(format, args...))
}

func (r *rig) send(_ transport.Flow, b []byte, failed func(error)) {
	r.mu.Lock()
	err := r.fail
	r.fail = nil
	r.sent = append(r.sent, b)
	r.mu.Unlock()
	if err != nil {
		failed(err)
		return
	}
	r.note("sent %s", title(r.t, b))
}

func title(t *testing.T, b []byte) string {
	t.Helper()
	m, err := message.Parse(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return name(m)
}

func name(m *message.Message) string {
	if m.IsRequest() {
		return m.Method
	}
	return fmt.Sprintf("%d %s", m.Status, m.Method)
}

// latest is the last message that was sent.
func (r *rig) latest() *message.Message {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sent) == 0 {
		r.t.Fatal("nothing was sent")
	}
	m, err := message.Parse(r.sent[len(r.sent)-1])
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

func (r *rig) Request(s *Server, req *message.Message, _ transport.Flow) {
	r.note("core %s", name(req))
	if r.onRequest != nil {
		r.onRequest(s, req)
	}
}
func (r *rig) Cancel(*Server, *message.Message)           { r.note("core cancelled") }
func (r *rig) ACK(*message.Message, transport.Flow)       { r.note("core ACK") }
func (r *rig) Stray(m *message.Message, _ transport.Flow) { r.note("stray %s", name(m)) }
func (r *rig) Failed(_ *Client, err error)                { r.note("failed: %v", err) }
func (r *rig) Response(c *Client, m *message.Message) {
	r.note("user %s", name(m))
	if r.onAnswer != nil {
		r.onAnswer(c, m)
	}
}

// happened compares and clears the log.
func (r *rig) happened(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.log, want) {
		r.t.Errorf("got\n  %s\nwant\n  %s", strings.Join(r.log, "\n  "), strings.Join(want, "\n  "))
	}
	r.log = nil
}

// empty says that nothing is remembered any more.
func (r *rig) empty() {
	r.t.Helper()
	synctest.Wait()
	if n := r.layer.Counters(); n.Servers != 0 || n.Clients != 0 {
		r.t.Errorf("left behind: %d server and %d client transactions", n.Servers, n.Clients)
	}
}

// at moves the clock to d after the start.
func (r *rig) at(d time.Duration) {
	time.Sleep(time.Until(r.start.Add(d)))
	synctest.Wait()
}

func request(method string) *message.Message {
	return &message.Message{Method: method, URI: "sip:bob@b.example", Headers: []message.Header{
		{Name: "Max-Forwards", Value: "70"},
		{Name: "From", Value: "<sip:alice@a.example>;tag=a"},
		{Name: "To", Value: "<sip:bob@b.example>"},
		{Name: "Call-ID", Value: "call-1"},
		{Name: "CSeq", Value: "7 " + method},
		{Name: "Route", Value: "<sip:p1.example;lr>"},
		{Name: "Route", Value: "<sip:p2.example;lr>"},
	}}
}

// incoming is a request with a Via of its sender's.
func incoming(method, via string) *message.Message {
	m := request(method)
	m.Headers = slices.Insert(m.Headers, 0, message.Header{Name: "Via", Value: "SIP/2.0/UDP " + via})
	return m
}

// answer lets the peer answer the latest request of that method.
func (r *rig) answer(code int, tag string) {
	r.t.Helper()
	r.mu.Lock()
	var req *message.Message
	for _, b := range r.sent {
		if m, err := message.Parse(b); err == nil && m.IsRequest() && m.Method != "ACK" && m.Method != "CANCEL" {
			req = m
		}
	}
	r.mu.Unlock()
	if req == nil {
		r.t.Error("no request to answer")
		return
	}
	r.layer.Receive(req.Respond(code, "", tag), r.flow)
}
