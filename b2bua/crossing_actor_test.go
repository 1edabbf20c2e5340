package b2bua

import (
	"sync"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transaction"
)

// actor is a user agent that keeps to the RFCs by itself: it acknowledges,
// repeats, refuses what crosses an offer of its own, and gives answers that it
// is not told to hold back.
type actor struct {
	*simnet.Agent
	silent   bool   // does not ring
	reliable bool   // its 183 has the answer and asks for a PRACK
	bare     bool   // that 183 has no SDP
	eager    bool   // answers at once
	keeps    string // the request that it does not answer by itself
	holdACK  bool
	edit     func(*message.Message) // sees its INVITE, or its 200 to one

	mu       sync.Mutex // guards all below
	dialog   *dialog.Dialog
	client   *transaction.Client // of its last INVITE
	request  *message.Message    // that INVITE
	ring     *simnet.Incoming    // the INVITE it got
	kept     *simnet.Incoming    // the request that waits for an answer
	rel      *message.Message    // the reliable 1xx without PRACK
	ok       *message.Message    // the 2xx without ACK
	acks     map[uint32]*transaction.Outgoing
	repeat   *time.Timer // of its 2xx
	offering uint32      // CSeq of its re-INVITE or UPDATE without answer
	up       bool
	gone     bool // it has said or heard goodbye
	quit     bool // it has given its INVITE up
}

// hear is what the phone does by itself.
func (p *actor) hear(in *simnet.Incoming) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !in.IsRequest() {
		p.told(in.Message)
		return
	}
	switch in.Method {
	case "INVITE", "UPDATE":
		p.offered(in)
	case "ACK":
		p.stopRepeat()
	case "BYE":
		in.Reply(200, nil)
		p.leave()
	case "CANCEL":
		p.cancelled()
	case "REFER":
		in.Reply(202, nil)
	default:
		in.Reply(200, nil)
	}
}

// offered takes an INVITE or an UPDATE.
func (p *actor) offered(in *simnet.Incoming) {
	switch first := in.ToTag() == ""; {
	case first:
		p.ring = in
		p.ringing()
	case p.gone || p.dialog == nil:
		in.Reply(481, nil)
	case p.offering != 0 || p.kept != nil:
		in.Reply(491, nil)
	case in.Method == p.keeps:
		p.kept = in
		if in.Method == "INVITE" {
			in.Reply(180, nil)
		}
	default:
		p.accept(in)
	}
}

func (p *actor) ringing() {
	switch {
	case p.silent:
		p.dialog = p.Dialog(p.ring.Message, p.ring.Respond(180, "", "silent"), true)
	case p.reliable && p.bare:
		p.dialog = p.Dialog(p.ring.Message, p.ring.Reply(183, reliably("1")), true)
	case p.reliable:
		p.dialog = p.Dialog(p.ring.Message, p.ring.Reply(183, reliably("1", withSDP)), true)
	default:
		p.dialog = p.Dialog(p.ring.Message, p.ring.Reply(180, nil), true)
	}
	if p.eager {
		p.accept(p.ring)
	}
}

// accept answers 200, with an SDP when there is an offer, and says it again
// until the ACK comes.
func (p *actor) accept(in *simnet.Incoming) {
	in.Reply(200, func(m *message.Message) {
		if in != p.ring || !p.reliable || p.bare {
			if len(in.Body) > 0 {
				withSDP(m)
			}
		}
		if p.edit != nil && in == p.ring {
			p.edit(m)
		}
	})
	if in.Method == "INVITE" {
		p.up = true
		p.repeatOK(in, 500*time.Millisecond, 32*time.Second)
	}
}

func (p *actor) repeatOK(in *simnet.Incoming, pause, left time.Duration) {
	p.repeat = time.AfterFunc(pause, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.repeat == nil || left <= 0 {
			return
		}
		in.Again()
		p.repeatOK(in, min(2*pause, 4*time.Second), left-pause)
	})
}

func (p *actor) stopRepeat() {
	if p.repeat != nil {
		p.repeat.Stop()
		p.repeat = nil
	}
}

// leave is a goodbye said or heard: a request without an answer gets 487 (RFC
// 3261 section 15.1.2).
func (p *actor) leave() {
	p.gone = true
	p.stopRepeat()
	if p.kept != nil {
		p.kept.Reply(487, nil)
		p.kept = nil
	}
}

func (p *actor) cancelled() {
	switch {
	case p.kept != nil && p.kept.Method == "INVITE":
		p.kept.Reply(487, nil)
		p.kept = nil
	case p.ring != nil && !p.up && !p.gone:
		p.ring.Reply(487, nil)
		p.gone = true
	}
}

// told takes a response.
func (p *actor) told(res *message.Message) {
	if res.Status < 200 {
		p.progressed(res)
		return
	}
	if seqOf(res) == p.offering {
		p.offering = 0
	}
	if res.Method != "INVITE" {
		return
	}
	switch {
	case res.Status < 300:
		p.answered(res)
	case !p.up:
		p.gone = true
	}
}

func seqOf(m *message.Message) uint32 {
	n, _, _ := m.CSeq()
	return n
}

// progressed takes a 1xx and acknowledges a reliable one.
func (p *actor) progressed(res *message.Message) {
	if res.Method != "INVITE" || res.ToTag() == "" || p.up {
		return
	}
	if p.dialog == nil {
		p.dialog = p.Dialog(p.request, res, false)
	}
	if res.Get("RSeq") == "" || p.rel != nil {
		return
	}
	if p.rel = res; p.keeps != "PRACK" {
		p.prack()
	}
}

func (p *actor) prack() {
	p.say("PRACK", func(m *message.Message) { m.Set("RAck", p.rel.Get("RSeq")+" 1 INVITE") })
}

// answered takes a 2xx to an INVITE. A phone that has given up hangs up (RFC
// 3261 section 9.1).
func (p *actor) answered(res *message.Message) {
	if p.dialog == nil {
		p.dialog = p.Dialog(p.request, res, false)
	}
	first := !p.up
	p.up, p.ok = true, res
	if p.holdACK && !p.quit {
		return
	}
	p.ack()
	if first && p.quit && !p.gone {
		p.bye()
	}
}

func (p *actor) ack() {
	if p.ok == nil {
		return
	}
	n := seqOf(p.ok)
	if again := p.acks[n]; again != nil {
		again.Again()
		return
	}
	if p.acks == nil {
		p.acks = map[uint32]*transaction.Outgoing{}
	}
	p.acks[n], _ = p.SendACK(p.In(p.dialog, "ACK", n), sbc)
}

// say sends a request in the dialog.
func (p *actor) say(method string, edit func(*message.Message)) {
	m := p.In(p.dialog, method, p.dialog.Next())
	if edit != nil {
		edit(m)
	}
	client, err := p.Send(m, sbc)
	if err == nil && method == "INVITE" {
		p.client = client
	}
}

func (p *actor) bye() {
	p.say("BYE", nil)
	p.leave()
}

// offer changes the session.
func (p *actor) offer(method string) {
	p.offering = p.dialog.LocalSeq + 1
	p.say(method, withSDP)
}

// act is an event of the table; what the phone may no longer do it leaves.
func (p *actor) act(event string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.quit && event == "CANCEL" || p.dialog == nil && event != "CANCEL" {
		return
	}
	switch event {
	case "CANCEL":
		p.quit = !p.up
		p.client.Cancel("")
	case "BYE":
		p.ackNow()
		p.bye()
	case "re-INVITE":
		p.ackNow()
		p.offer("INVITE")
	case "UPDATE":
		p.ackNow()
		p.offer("UPDATE")
	case "PRACK", "PRACK without SDP":
		if p.rel != nil {
			p.keeps = ""
			p.prack()
		}
	case "REFER", "REFER here":
		p.ackNow()
		p.say("REFER", func(m *message.Message) { m.Set("Refer-To", "<sip:carol@192.0.2.10>") })
	case "ACK":
		p.ackNow()
	case "200", "200 UPDATE":
		p.answer(200)
	case "4xx", "4xx UPDATE":
		p.answer(488)
	}
}

// ackNow acknowledges a 2xx whose ACK was put off.
func (p *actor) ackNow() {
	if p.holdACK {
		p.holdACK = false
		p.ack()
	}
}

// settle does what the phone has put off.
func (p *actor) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	keeps := p.keeps
	p.keeps = ""
	switch {
	case p.gone:
	case keeps == "PRACK" && p.rel != nil:
		p.prack()
	case p.kept != nil || p.ring != nil && !p.up:
		p.answer(200)
	}
}

// answer gives the answer that the phone has kept back.
func (p *actor) answer(code int) {
	in := p.kept
	p.kept = nil
	if in == nil && p.ring != nil && !p.up {
		in = p.ring
	}
	switch {
	case in == nil:
	case code == 200:
		p.accept(in)
	default:
		in.Reply(code, nil)
		p.gone = p.gone || in == p.ring
	}
}

// inCall tells whether the phone is in a call that nobody has ended.
func (p *actor) inCall() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.gone && (p.client != nil || p.ring != nil)
}
