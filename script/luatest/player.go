package luatest

import (
	"sync"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// player is a phone at one leg of a lab's call. By itself it keeps to the RFCs:
// it rings and answers, repeats its 2xx until the ACK comes, acknowledges, and
// hangs up when it has talked. What it does wrong is the misbehaviour's.
type player struct {
	lab *lab
	leg *leg

	mu      sync.Mutex       // guards all below
	in      *simnet.Incoming // the INVITE that it got; nil: it is the caller
	settled bool             // that INVITE has its final response
	acked   bool
	asking  bool // a re-INVITE of its own has no final response
	asked   int  // how many re-INVITEs it has sent
	gone    bool // it has said or heard goodbye
	final   chan struct{}
	finalAt time.Time // when final was closed: the caller's INVITE has its final response
}

// Times of a phone that behaves.
const (
	ringsAfter   = 100 * time.Millisecond
	answersAfter = 2 * time.Second
	talks        = 10 * time.Second
	firstPause   = 500 * time.Millisecond // T1
	lastPause    = 4 * time.Second        // T2
	ackLimit     = 32 * time.Second       // 64*T1
	maxAsked     = 5                      // re-INVITEs of one phone
)

// wait lets time pass; false when the call is over for good.
func (p *player) wait(d time.Duration) bool {
	end := time.NewTimer(d)
	defer end.Stop()
	select {
	case <-end.C:
		return true
	case <-p.lab.stage.over:
		return false
	}
}

// answers is what a callee does that behaves.
func (p *player) answers() {
	if p.wait(ringsAfter) {
		p.say(180)
	}
	if p.wait(answersAfter - ringsAfter) {
		p.say(200)
	}
}

// calls is what a caller does that behaves.
func (p *player) calls() {
	if p.isAnswered() && p.wait(talks) {
		p.bye()
	}
}

// isAnswered waits for the final response to the caller's INVITE and tells
// whether it is a 2xx.
func (p *player) isAnswered() bool {
	select {
	case <-p.final:
	case <-p.lab.stage.over:
		return false
	}
	p.lab.stage.mu.Lock()
	defer p.lab.stage.mu.Unlock()
	final := p.leg.final()
	return final != nil && final.Status < 300
}

// give gives the caller's INVITE up.
func (p *player) give() {
	p.lab.stage.mu.Lock()
	client := p.leg.client
	p.lab.stage.mu.Unlock()
	if client != nil {
		client.Cancel("")
	}
}

// say answers the INVITE that the phone got, unless that has a final answer.
func (p *player) say(code int, edits ...func(*message.Message)) {
	p.mu.Lock()
	in, late := p.in, p.settled
	p.settled = p.settled || code >= 200
	p.mu.Unlock()
	if !late {
		p.reply(in, code, edits...)
	}
}

// reply answers an INVITE, and says a 2xx again until its ACK comes.
func (p *player) reply(in *simnet.Incoming, code int, edits ...func(*message.Message)) {
	sent := in.Reply(code, func(res *message.Message) {
		if code == 183 || code/100 == 2 {
			describe(p.leg.agent, in, res)
		}
		for _, edit := range edits {
			edit(res)
		}
	})
	if code > 100 && code < 300 {
		p.leg.established(in, sent)
	}
	if code/100 == 2 {
		p.mu.Lock()
		p.acked = false
		p.mu.Unlock()
		go p.repeat(in)
	}
}

// describe puts the SDP into an agent's answer to an INVITE that the RFCs ask for.
func describe(a *simnet.Agent, in *simnet.Incoming, res *message.Message) {
	at := a.Addr.Addr()
	body, err := offer(at, 1)
	if isSDP(in.Message) {
		body, err = answer(at, 1, in.Body)
	}
	if err == nil {
		withSDP(res, body)
	}
}

func withSDP(m *message.Message, sdp []byte) {
	m.Set("Content-Type", "application/sdp")
	m.Body = sdp
}

// repeat says a 2xx again until its ACK comes, and goodbye when none does (RFC
// 3261 section 13.3.1.4).
func (p *player) repeat(in *simnet.Incoming) {
	began := time.Now()
	for pause := firstPause; p.wait(pause); pause = min(2*pause, lastPause) {
		p.mu.Lock()
		done := p.acked || p.gone
		p.mu.Unlock()
		switch {
		case done:
			return
		case time.Since(began) >= ackLimit:
			p.bye()
			return
		}
		in.Again()
	}
}

// bye hangs up, once.
func (p *player) bye() {
	p.mu.Lock()
	gone := p.gone
	p.gone = true
	p.mu.Unlock()
	if !gone {
		p.ask("BYE")
	}
}

// reinvite offers the session anew.
func (p *player) reinvite() {
	p.mu.Lock()
	idle := !p.asking && !p.gone && p.asked < maxAsked
	if idle {
		p.asking = true
		p.asked++
	}
	p.mu.Unlock()
	if idle {
		p.ask("INVITE")
	}
}

// ask sends a request in the dialog, if there is one.
func (p *player) ask(method string) {
	s, l := p.lab.stage, p.leg
	s.mu.Lock()
	if l.dialog == nil {
		s.mu.Unlock()
		return
	}
	m := l.agent.In(l.dialog, method, l.dialog.Next())
	if method == "INVITE" {
		l.media++
		l.asked = true
		if body, err := offer(l.agent.Addr.Addr(), l.media+1); err == nil {
			withSDP(m, body)
		}
	}
	s.mu.Unlock()
	_, _ = l.agent.Send(m, l.peer) // the flow exists: an INVITE went over it
}

// hear takes a request.
func (p *player) hear(in *simnet.Incoming) {
	switch {
	case in.Method == "INVITE" && in.ToTag() == "":
		p.mu.Lock()
		p.in = in
		p.mu.Unlock()
		go p.lab.deed.callee(p)
	case in.Method == "INVITE":
		p.mu.Lock()
		crosses, gone := p.asking, p.gone
		p.mu.Unlock()
		switch {
		case gone:
			p.reply(in, 481)
		case crosses:
			p.reply(in, 491)
		default:
			p.reply(in, 200)
		}
	case in.Method == "ACK":
		p.mu.Lock()
		p.acked = true
		p.mu.Unlock()
	case in.Method == "CANCEL":
		p.say(487)
	case in.Method == "BYE":
		p.mu.Lock()
		p.gone = true
		p.mu.Unlock()
		in.Reply(200, nil)
	default:
		in.Reply(200, nil)
	}
}

// notice is of the final response to the caller's INVITE, whatever becomes of it.
func (p *player) notice(in *simnet.Incoming) {
	if in.IsRequest() || p.leg.name != "a" || in.Method != "INVITE" || in.Status < 200 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finalAt.IsZero() {
		p.finalAt = time.Now()
		close(p.final)
	}
}

// told takes a response.
func (p *player) told(in *simnet.Incoming) {
	if in.Method != "INVITE" || in.Status < 200 {
		return
	}
	p.mu.Lock()
	again := p.asking && in.Status == 491
	p.asking = false
	p.mu.Unlock()
	if again {
		go p.askAgain()
	}
}

// askAgain is for a re-INVITE that has crossed another: who owns the Call-ID
// waits longer (RFC 3261 section 14.1).
func (p *player) askAgain() {
	pause := time.Second
	if p.leg.name == "a" {
		pause = 3 * time.Second
	}
	if p.wait(pause) {
		p.reinvite()
	}
}
