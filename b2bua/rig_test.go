package b2bua

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

const (
	sbc      = "192.0.2.10:5060"
	sdpOffer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n"
)

// rig is a server between a caller and three callees, on virtual time.
type rig struct {
	*testing.T
	network *simnet.Network
	server  *Server
	policy  *fixed
	alice   *simnet.Agent
	bob     *simnet.Agent
	carol   *simnet.Agent
	records []*Record
	changes []string // of trunks
	mu      sync.Mutex
}

// fixed is a policy made of functions; a nil one is no hook.
type fixed struct {
	invite   func(context.Context, View) Decided
	branch   func(View, Leg, *message.Message) Decided
	progress func(View, Leg, *message.Message) Decided
	answer   func(View, Leg, *message.Message) Decided
	failure  func(context.Context, View, Leg, *message.Message, Origin) Decided
	final    func(View, *message.Message, Origin)
	request  func(View, Leg, *message.Message) Decided
	response func(View, Leg, *message.Message)
	bye      func(View, Leg, *message.Message)
	refer    func(context.Context, View, Leg, *message.Message) Decided
	outside  func(context.Context, View) Decided
	later    *fixed // who decides about new calls since a reload
	broken   bool   // it panics
	open     int
	calls    []*Call
	mu       sync.Mutex // guards later, open and calls
}

type fixedRouter struct {
	*fixed
	Handle
}

func (p *fixed) Router(h Handle) Router {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		panic("the policy is broken")
	}
	if p.later != nil {
		return p.later.Router(h)
	}
	p.open++
	if c, ok := h.(*Call); ok {
		p.calls = append(p.calls, c)
	}
	return fixedRouter{p, h}
}

func (r fixedRouter) Wants(h Hook) bool {
	switch h {
	case HookInvite:
		return r.invite != nil
	case HookBranch:
		return r.branch != nil
	case HookProgress:
		return r.progress != nil
	case HookAnswer:
		return r.answer != nil
	case HookFailure:
		return r.failure != nil
	case HookFinal:
		return r.final != nil
	case HookRequest:
		return r.request != nil
	case HookResponse:
		return r.response != nil
	case HookBye:
		return r.bye != nil
	case HookRefer:
		return r.refer != nil
	case HookOutside:
		return r.outside != nil
	}
	return false
}

func (r fixedRouter) Invite(ctx context.Context, v View) Decided { return r.invite(ctx, v) }
func (r fixedRouter) Branch(v View, l Leg, m *message.Message) Decided {
	return r.branch(v, l, m)
}

func (r fixedRouter) Progress(v View, l Leg, m *message.Message) Decided {
	return r.progress(v, l, m)
}
func (r fixedRouter) Answer(v View, l Leg, m *message.Message) Decided { return r.answer(v, l, m) }
func (r fixedRouter) Failure(ctx context.Context, v View, l Leg, m *message.Message, o Origin) Decided {
	return r.failure(ctx, v, l, m, o)
}
func (r fixedRouter) Final(v View, m *message.Message, o Origin) { r.final(v, m, o) }
func (r fixedRouter) Request(v View, l Leg, m *message.Message) Decided {
	return r.request(v, l, m)
}
func (r fixedRouter) Response(v View, l Leg, m *message.Message) { r.response(v, l, m) }
func (r fixedRouter) Bye(v View, l Leg, m *message.Message)      { r.bye(v, l, m) }
func (r fixedRouter) Refer(ctx context.Context, v View, l Leg, m *message.Message) Decided {
	return r.refer(ctx, v, l, m)
}
func (r fixedRouter) Outside(ctx context.Context, v View) Decided { return r.outside(ctx, v) }
func (r fixedRouter) End(context.Context, View, *Record)          {}
func (r fixedRouter) Inbound(Leg, *message.Message)               {}
func (r fixedRouter) Outbound(Leg, *message.Message)              {}
func (r fixedRouter) Name() string                                { return "fixed" }
func (r fixedRouter) Close() {
	r.fixed.mu.Lock()
	r.fixed.open--
	r.fixed.mu.Unlock()
}

// toBob and toBobThenCarol are the usual routes.
func toBob(context.Context, View) Decided { return routeTo("192.0.2.2:5060") }

func toBobThenCarol(context.Context, View) Decided {
	return routeTo("192.0.2.2:5060", "192.0.2.3:5060")
}

func routeTo(hosts ...string) Decided {
	r := Route{}
	for _, h := range hosts {
		r.Targets = append(r.Targets, Target{URI: "sip:bob@" + h})
	}
	return Decided{Decision: r}
}

// Observe keeps records, and how trunks change.
func (r *rig) Observe(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Kind {
	case EventEnded:
		r.records = append(r.records, e.Record)
	case EventChanged:
		r.changes = append(r.changes, strings.TrimSpace(e.Leg.Trunk+" "+string(e.Change)+" "+e.Leg.Target))
	}
}

// play runs f on a rig and then proves that nothing of it is left over.
func play(t *testing.T, p *fixed, f func(r *rig)) { playOn(t, simnet.Faults{}, p, f) }

func playOn(t *testing.T, faults simnet.Faults, p *fixed, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, faults, p)
		f(r)
		time.Sleep(3 * time.Minute)
		if n := r.server.index.size() + len(r.server.index.parties) + len(r.server.index.merged); n != 0 {
			t.Errorf("%d calls, legs or INVITEs are left over", n)
		}
		for _, s := range r.server.Trunks().Stats() {
			if s.Calls != 0 {
				t.Errorf("%d calls are left over in trunk %s", s.Calls, s.Name)
			}
		}
		if c := r.server.Counters(); c.Servers != 0 || c.Clients != 0 {
			t.Errorf("transactions are left over: %+v", c)
		}
		if n := r.server.waiting.Load() + r.server.subscribed.Load(); n != 0 {
			t.Errorf("%d requests outside calls are left over", n)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.open != 0 || r.server.Active() != 0 || r.server.faults.Load() != 0 {
			t.Errorf("left over: %d routers, %d calls, %d faults", p.open, r.server.Active(), r.server.faults.Load())
		}
		for _, c := range p.calls {
			if left := c.leftovers(); len(left) > 0 {
				t.Errorf("a call has left over: %s", left)
			}
		}
		for _, a := range []*simnet.Agent{r.alice, r.bob, r.carol} {
			a.Close()
		}
		r.server.Close()
	})
}

func newRig(t *testing.T, faults simnet.Faults, p *fixed) *rig {
	t.Helper()
	r := &rig{T: t, network: simnet.New(faults), policy: p}
	table, err := trunk.NewTable([]trunk.Trunk{
		{Name: "phones", Match: []string{"192.0.2.0/24"}},
		{Name: "bob", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.2:5060"}}},
		{Name: "carol", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.3:5060"}}},
	}, nil)
	r.check(err)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	r.server, err = New(Config{Policy: p, Network: r.network, Log: log, Observers: []Observer{r}, UserAgent: "legwork", Settings: Settings{Trunks: table}})
	r.check(err)
	for _, network := range []string{"udp", "tcp"} {
		_, err = r.server.Listen(transport.ListenerConfig{Name: network, Network: network, Address: sbc})
		r.check(err)
	}
	r.alice = r.agent("192.0.2.1:5060")
	r.bob = r.agent("192.0.2.2:5060")
	r.carol = r.agent("192.0.2.3:5060")
	return r
}

func (r *rig) agent(addr string) *simnet.Agent {
	r.Helper()
	a, err := simnet.NewAgent(r.network, "udp", addr)
	r.check(err)
	return a
}

func (r *rig) check(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// wait takes the next message of an agent.
func (r *rig) wait(a *simnet.Agent, wants ...string) *simnet.Incoming {
	r.Helper()
	in, err := a.Next(40*time.Second, wants...)
	r.check(err)
	return in
}

// never fails when such a message comes within a minute.
func (r *rig) never(a *simnet.Agent, wants ...string) {
	r.Helper()
	if in, err := a.Next(time.Minute, wants...); err == nil {
		r.Fatalf("unexpected %s", in.Name())
	}
}

// record waits for the one record of the only call.
func (r *rig) record() *Record {
	r.Helper()
	time.Sleep(time.Minute)
	return r.only()
}

// only is the one record there is. What was heard on the wire may be ahead of it.
func (r *rig) only() *Record {
	r.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.records) != 1 {
		r.Fatalf("%d records, want 1", len(r.records))
	}
	return r.records[0]
}

// dialled is a call that alice has begun.
type dialled struct {
	*rig
	req    *message.Message
	client *transaction.Client
}

func (r *rig) dial(body string) *dialled {
	r.Helper()
	d := r.dialWith(body, nil)
	r.wait(r.alice, "100")
	return d
}

// dialWith lets edit see the INVITE before it is sent, and waits for nothing.
func (r *rig) dialWith(body string, edit func(*message.Message)) *dialled {
	r.Helper()
	req := r.alice.Invite("sip:bob@"+sbc, body)
	if edit != nil {
		edit(req)
	}
	client, err := r.alice.Send(req, sbc)
	r.check(err)
	return &dialled{r, req, client}
}

func (d *dialled) cancel(reason string) { d.client.Cancel(reason) }

// talk is what a 200 makes of the call: sent by the callee to the INVITE in, and
// as alice gets it. The ACK comes next.
func (d *dialled) talk(callee *simnet.Agent, in *simnet.Incoming, sent *message.Message, ok *simnet.Incoming) *conversation {
	return &conversation{
		rig: d.rig, atBob: in, ok: ok,
		alice: d.alice.Dialog(d.req, ok.Message, false), bob: callee.Dialog(in.Message, sent, true),
	}
}

// conversation is a call that bob has answered.
type conversation struct {
	*rig
	alice, bob *dialog.Dialog
	atBob      *simnet.Incoming // his INVITE
	ok         *simnet.Incoming // alice's 200
}

// answered plays a call up to the ACK on both legs.
func (r *rig) answered() *conversation { return r.answeredWith(nil) }

// answeredWith lets edit see bob's 200 before it is sent.
func (r *rig) answeredWith(edit func(*message.Message)) *conversation {
	r.Helper()
	d := r.dial(sdpOffer)
	in := r.wait(r.bob, "INVITE")
	in.Reply(180, nil)
	sent := in.Reply(200, func(res *message.Message) {
		withSDP(res)
		if edit != nil {
			edit(res)
		}
	})
	t := d.talk(r.bob, in, sent, r.wait(r.alice, "200"))
	r.ack(t.alice, 1, "")
	r.wait(r.bob, "ACK")
	r.wait(r.alice, "180")
	return t
}

func withSDP(res *message.Message) {
	res.Set("Content-Type", "application/sdp")
	res.Body = []byte(strings.ReplaceAll(sdpOffer, "192.0.2.1", "192.0.2.2"))
}

func (r *rig) ack(d *dialog.Dialog, cseq uint32, body string) {
	r.Helper()
	ack := r.alice.In(d, "ACK", cseq)
	if body != "" {
		ack.Set("Content-Type", "application/sdp")
		ack.Body = []byte(body)
	}
	_, err := r.alice.SendACK(ack, sbc)
	r.check(err)
}

// say sends a request in a dialog to the server.
func (r *rig) say(a *simnet.Agent, d *dialog.Dialog, method string, edit func(*message.Message)) *message.Message {
	r.Helper()
	req := a.In(d, method, d.Next())
	if edit != nil {
		edit(req)
	}
	_, err := a.Send(req, sbc)
	r.check(err)
	return req
}

// hangUpByAlice ends a talk and checks the goodbyes.
func (t *conversation) hangUpByAlice() {
	t.Helper()
	t.say(t.rig.alice, t.alice, "BYE", nil)
	t.wait(t.rig.alice, "200 BYE")
	t.wait(t.rig.bob, "BYE").Reply(200, nil)
}
