package b2bua

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// wire is how long every message takes.
const wire = 10 * time.Millisecond

// When things happen, counted from alice's INVITE. The server sees a message
// one wire later.
const (
	rang      = 3 * wire          // the server hears it ring
	picksUp   = time.Second       // bob answers
	answered  = picksUp + wire    // the server hears it
	earlyAt   = 2 * time.Second   // where events meet while it rings
	unackedAt = answered + 6*wire // before alice's ACK
	talkingAt = 3 * time.Second
	goodbyeAt = 20 * time.Second // behind that
)

// moment is one event of a crossing: who does what.
type moment struct{ who, what string }

func (m moment) String() string { return m.who + " " + m.what }

// stage is a play of one row: two events that meet at the server, or on the way
// there.
type stage struct {
	*rig
	phase  string
	events [2]moment
	phones map[string]*actor
	tap    *tap
	route  Route
	meet   time.Duration
	began  time.Time
	asked  atomic.Bool // a hook of the policy of a reload
	fault  fault
	packet atomic.Int64 // how many have passed since the events
}

// newStage prepares what the events of a row need.
func newStage(r *rig, phase string, events [2]moment) *stage {
	s := &stage{rig: r, phase: phase, events: events, tap: &tap{turns: map[netip.AddrPort][]*turn{}}}
	s.phones = map[string]*actor{"A": {Agent: r.alice}, "B": {Agent: r.bob}, "C": {Agent: r.carol, eager: true}}
	s.route = routeTo("192.0.2.2:5060").Decision.(Route)
	s.meet = map[string]time.Duration{"early": earlyAt, "cancelled": earlyAt, "unacked": unackedAt, "talking": talkingAt, "ended": talkingAt}[phase]
	for _, e := range events {
		s.prepare(e)
	}
	r.policy.invite = s.invite
	return s
}

// invite routes to bob, and whom a REFER names to carol.
func (s *stage) invite(_ context.Context, v View) Decided {
	if strings.HasPrefix(v.Request.URI, "sip:carol") {
		return routeTo("192.0.2.3:5060")
	}
	return Decided{Decision: s.route}
}

func (s *stage) prepare(e moment) {
	switch p := s.phones[e.who]; {
	case p == nil:
		s.prepareOurs(e.what)
	case e.what == "PRACK" || e.what == "PRACK without SDP":
		p.keeps = "PRACK"
		s.other(p).reliable, s.other(p).bare = true, e.what != "PRACK"
	case e.what == "REFER here":
		s.route.Refer = LocalRefer
	case strings.Contains(e.what, "UPDATE") && s.early():
		s.phones["B"].reliable = true
		if e.what != "UPDATE" {
			p.keeps = "UPDATE"
		}
	case (e.what == "200" || e.what == "4xx") && !s.early():
		p.keeps = "INVITE"
	case e.what == "CANCEL" && !s.early():
		s.other(p).keeps = "INVITE"
	}
}

func (s *stage) early() bool { return s.phase == "early" || s.phase == "cancelled" }

func (s *stage) other(p *actor) *actor {
	if p == s.phones["A"] {
		return s.phones["B"]
	}
	return s.phones["A"]
}

// prepareOurs has a timer run out where the events meet.
func (s *stage) prepareOurs(what string) {
	hour := "Session-Expires: 3600;refresher="
	switch what {
	case "timer try":
		s.phones["B"].silent = true
		s.route.Try = s.meet - wire
	case "timer ring":
		s.route.Ring = s.meet - rang
	case "timer budget":
		s.route.Budget = s.meet - wire
	case "timer PRACK":
		s.phones["A"].keeps, s.phones["B"].reliable = "PRACK", true
		s.meet = rang + 32*time.Second
	case "timer ACK":
		s.meet = answered + 32*time.Second
	case "timer duration":
		s.route.MaxDuration = s.meet - answered
	case "timer refresh A":
		s.phones["A"].edit = func(m *message.Message) { lines(m, []string{"Supported: timer", hour + "uas"}) }
		s.meet = answered + 1800*time.Second
	case "timer refresh B":
		s.phones["B"].edit = func(m *message.Message) { lines(m, []string{"Require: timer", hour + "uac"}) }
		s.meet = answered + 1800*time.Second
	case "timer expiry A":
		s.phones["A"].edit = func(m *message.Message) { lines(m, []string{"Supported: timer", hour + "uac"}) }
		s.meet = answered + 3568*time.Second
	case "timer expiry B":
		s.phones["B"].edit = func(m *message.Message) { lines(m, []string{"Require: timer", hour + "uas"}) }
		s.meet = answered + 3568*time.Second
	}
}

// play has the second event reach the server so much later than the first, and
// brings the call to its end.
func (s *stage) play(later time.Duration) {
	s.began = time.Now()
	s.network.OnPath(s.onPath)
	for _, p := range s.phones {
		p.Hear(p.hear)
	}
	s.begin()
	first, second := s.moments(later)
	go s.cue(s.events[1], second)
	s.cue(s.events[0], first)
	s.until(s.meet + 2*time.Second)
	s.settle()
	for i, name := range []string{"A", "B", "C"} {
		s.until(s.meet + goodbyeAt + time.Duration(i)*5*time.Second)
		s.phones[name].act("BYE")
	}
	s.until(s.meet + 2*time.Minute)
}

// moments are when both events happen at the server: a timer runs out where it
// does, what meets it is moved.
func (s *stage) moments(later time.Duration) (first, second time.Duration) {
	if strings.HasPrefix(s.events[0].what, "timer") {
		return s.meet, s.meet + later
	}
	return s.meet - later, s.meet
}

// begin brings the call to its phase.
func (s *stage) begin() {
	a, b := s.phones["A"], s.phones["B"]
	a.request = s.rig.alice.Invite("sip:bob@"+sbc, sdpOffer)
	if b.reliable {
		can100rel(a.request)
	}
	if a.edit != nil {
		a.edit(a.request)
	}
	a.holdACK = s.phase == "unacked"
	client, err := a.Send(a.request, sbc)
	s.check(err)
	a.client = client
	if s.early() {
		s.earlyOffers()
		return
	}
	s.until(picksUp)
	b.act("200")
	if s.phase != "unacked" {
		s.openReInvites()
	}
	if s.phase == "ended" {
		go s.cue(moment{"L", "admin"}, s.meet-wire/2)
	}
}

// earlyOffers sends the UPDATE that an event answers, and the CANCEL of the
// phase behind it.
func (s *stage) earlyOffers() {
	for _, p := range s.phones {
		if p.keeps == "UPDATE" {
			s.until(s.meet - 300*time.Millisecond)
			s.other(p).act("UPDATE")
		}
	}
	if s.phase == "cancelled" {
		go s.cue(moment{"A", "CANCEL"}, s.meet-wire/2)
	}
}

// openReInvites sends the re-INVITE that an event answers or cancels.
func (s *stage) openReInvites() {
	for _, p := range s.phones {
		if p.keeps == "INVITE" {
			s.until(s.meet - 300*time.Millisecond)
			s.other(p).act("re-INVITE")
		}
	}
}

// settle has the phones do what they have put off.
func (s *stage) settle() {
	s.phones["A"].act("ACK")
	for _, p := range s.phones {
		p.settle()
	}
}

// cue lets an event reach the server at a time.
func (s *stage) cue(e moment, at time.Duration) {
	if p := s.phones[e.who]; p != nil {
		s.until(at - wire)
		p.act(e.what)
		return
	}
	s.until(at)
	switch e.what {
	case "admin":
		for _, c := range s.server.Calls() {
			s.server.HangUp(c.ID, "admin")
		}
	case "reload":
		s.reload()
	}
}

// reload replaces the policy, the trunks and the default route.
func (s *stage) reload() {
	table, err := trunk.NewTable([]trunk.Trunk{{Name: "others", Match: []string{"198.51.100.0/24"}}}, nil)
	s.check(err)
	s.check(s.server.Apply(Settings{Trunks: table}))
	s.policy.mu.Lock()
	defer s.policy.mu.Unlock()
	s.policy.later = &fixed{ // a search for whom a REFER names is a call from now on
		invite:  s.invite,
		request: func(View, Leg, *message.Message) Decided { s.asked.Store(true); return Decided{} },
		bye:     func(View, Leg, *message.Message) { s.asked.Store(true) },
		final:   func(View, *message.Message, Origin) { s.asked.Store(true) },
	}
}

// until sleeps till a time after the beginning.
func (s *stage) until(d time.Duration) { time.Sleep(time.Until(s.began.Add(d))) }

// outcome is what came of it.
func (s *stage) outcome() result {
	mark := s.began.Add(s.meet - 500*time.Millisecond)
	rec := s.only()
	var all result
	for i, name := range []string{"A", "B", "C"} {
		all[i] = s.tap.since(s.phones[name].Addr, mark)
	}
	all[3] = strconv.Itoa(rec.Code) + " " + rec.HungUpBy
	return all
}

// result is what A, B and C have lived through, and the record.
type result [4]string

// fault is what befalls the n-th packet from the events on.
type fault struct {
	n  int
	do string // lost, doubled, late
}

// onPath is the way of every packet.
func (s *stage) onPath(p simnet.Packet) bool {
	s.tap.saw(p)
	if at := time.Since(s.began) - s.meet; at < -wire-2*time.Millisecond || at > goodbyeAt-wire {
		return true
	}
	if int(s.packet.Add(1)) != s.fault.n {
		return true
	}
	switch s.fault.do {
	case "doubled":
		go s.network.Inject(p, wire+2*time.Millisecond)
	case "late":
		go s.network.Inject(p, 3*wire)
		return false
	case "lost":
		return false
	}
	return true
}
