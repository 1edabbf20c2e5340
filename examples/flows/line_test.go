package flows

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transaction"
)

// line is a phone's half of one dialog, from its first request on.
type line struct {
	p      *phone
	callID string

	inbox  []*simnet.Incoming // guarded by the phone
	known  map[string]bool    // what came before, to tell repeats
	acks   map[string]*message.Message
	tried  bool   // a 100 came
	acked  uint32 // CSeq of the latest ACK
	stop   func()
	target string // address of the next hop of ACKs

	dialog  *dialog.Dialog
	early   bool             // it is
	invite  *message.Message // ours, the latest
	client  *transaction.Client
	mine    *message.Message   // our latest request
	ok      *message.Message   // the 2xx to our INVITE
	pending []*simnet.Incoming // requests to be answered
	local   string             // SDP
	remote  string
}

func newLine(p *phone, callID string) *line {
	return &line{p: p, callID: callID, known: map[string]bool{}, acks: map[string]*message.Message{}, stop: func() {}}
}

// again tells a repeat, and does what it asks for.
func (l *line) again(in *simnet.Incoming) bool {
	if in.Status == 100 {
		l.tried = true
		return true
	}
	cseq := in.Get("CSeq")
	key := in.Name() + "|" + cseq + "|" + in.ToTag() + "|" + in.Get("RSeq")
	repeated := l.known[key] && in.CallID() != ""
	l.known[key] = true
	if in.Method == "ACK" {
		l.acked, _, _ = in.CSeq()
		l.stop()
	}
	if ack := l.acks[cseq]; repeated && in.Status/100 == 2 && ack != nil {
		_, err := l.p.agent.SendACK(ack, l.target)
		l.p.w.must(err)
	}
	return repeated
}

// holds says whether gets would find its message; the phone is locked.
func (l *line) holds(want string) bool {
	if want == "100" {
		return l.tried || !l.p.w.clean
	}
	return l.index(want) >= 0 || l.p.w.ordered() && len(l.inbox) > 0
}

func (l *line) index(want string) int {
	return slices.IndexFunc(l.inbox, func(in *simnet.Incoming) bool {
		if in.IsRequest() {
			return in.Method == want
		}
		return strconv.Itoa(in.Status) == want && (in.Method == "" || in.Method == l.mine.Method)
	})
}

// gets waits for a request ("BYE") or for a response ("200") to our latest
// request. On a clean network nothing else may come before, but for what comes
// over another connection. 100 goes from hop to hop and may be lost.
func (l *line) gets(want string) *message.Message {
	p := l.p
	p.w.Helper()
	limit := time.After(40 * time.Second)
	for {
		p.mu.Lock()
		if l.holds(want) {
			defer p.mu.Unlock()
			return l.take(want)
		}
		p.mu.Unlock()
		select {
		case <-p.heard:
		case <-limit:
			p.w.Fatalf("%s got no %s; there is: %s", p.name, want, p.left())
		}
	}
}

func (l *line) take(want string) *message.Message {
	w := l.p.w
	w.Helper()
	if want == "100" {
		return nil
	}
	i := l.index(want)
	if w.ordered() && i != 0 {
		w.Fatalf("%s got %s, want %s", l.p.name, l.inbox[0].Name(), want)
	}
	in := l.inbox[i]
	l.inbox = slices.Delete(l.inbox, i, i+1)
	if in.IsRequest() {
		l.asked(in)
	} else {
		l.answered(in)
	}
	return in.Message
}

// asked takes a request.
func (l *line) asked(in *simnet.Incoming) {
	l.hearSDP(in.Message)
	if in.Method == "ACK" || in.Method == "CANCEL" {
		return
	}
	cseq, _, _ := in.CSeq()
	if l.dialog != nil {
		if err := l.dialog.Receive(cseq); err != nil {
			l.p.w.Errorf("%s: %v: %s", l.p.name, err, in)
		}
	}
	l.pending = append(l.pending, in)
}

// answered takes a response.
func (l *line) answered(in *simnet.Incoming) {
	l.hearSDP(in.Message)
	if in.Status == 401 || in.Status == 407 {
		l.p.challenged(in.Message)
	}
	if !makesDialog(in.Method) || in.Status >= 300 || in.ToTag() == "" {
		return
	}
	if in.Method == "INVITE" {
		l.ok = in.Message
	}
	if l.dialog == nil || l.early {
		l.dialog, l.early = l.p.agent.Dialog(l.mine, in.Message, false), in.Status < 200
	} else if c, ok := in.Contact(); ok {
		l.dialog.Refresh(c.URI)
	}
}

// makesDialog is true for requests that begin a dialog (RFC 3261 section 12, RFC 6665,
// RFC 3515).
func makesDialog(method string) bool {
	return method == "INVITE" || method == "SUBSCRIBE" || method == "REFER"
}

func (l *line) hearSDP(m *message.Message) {
	if m.Get("Content-Type") == "application/sdp" {
		l.remote = string(m.Body)
	}
}

// sends sends a status ("180") in answer to the latest request, or a request
// ("BYE") in the dialog.
func (l *line) sends(what string, edits ...edit) *message.Message {
	l.p.w.Helper()
	if code, err := strconv.Atoi(what); err == nil {
		return l.answers(code, edits)
	}
	switch what {
	case "ACK":
		return l.acknowledges(edits)
	case "CANCEL":
		l.client.Cancel("")
		return nil
	}
	l.p.w.pause()
	req := l.p.agent.In(l.dialog, what, l.dialog.Next())
	if what == "INVITE" {
		with(req, l.p.sdp(""))
	}
	return l.request(req, l.next(), edits)
}

// request sends a request of ours.
func (l *line) request(req *message.Message, to string, edits []edit) *message.Message {
	l.p.w.Helper()
	for _, e := range edits {
		e(req)
	}
	l.say(req)
	l.mine = req
	client, err := l.p.agent.Send(req, to)
	l.p.w.must(err)
	if req.Method == "INVITE" {
		l.invite, l.client = req, client
	}
	return req
}

func (l *line) say(m *message.Message) {
	if m.Get("Content-Type") == "application/sdp" {
		l.local = string(m.Body)
	}
}

// next is the address that requests in the dialog go to.
func (l *line) next() string {
	_, _, next := l.dialog.Path()
	u, err := message.ParseURI(next)
	l.p.w.must(err)
	return u.Host + ":" + strconv.Itoa(u.Port)
}

// answers answers the latest request. An INVITE with an offer is answered with
// SDP, one without gets an offer.
func (l *line) answers(code int, edits []edit) *message.Message {
	w := l.p.w
	w.Helper()
	if len(l.pending) == 0 {
		w.Fatalf("%s has nothing to answer %d", l.p.name, code)
	}
	in := l.pending[len(l.pending)-1]
	sent := in.Reply(code, func(res *message.Message) {
		if in.ToTag() == "" {
			res.Set("To", message.WithTag(in.Get("To"), res.ToTag()+l.p.name))
		}
		if offered := string(in.Body); in.Method == "INVITE" && code/100 == 2 {
			with(res, l.p.answer(offered))
		}
		for _, e := range edits {
			e(res)
		}
	})
	l.say(sent)
	if code >= 200 {
		l.pending = l.pending[:len(l.pending)-1]
	}
	if makesDialog(in.Method) && code > 100 && code < 300 && l.dialog == nil {
		l.dialog = l.p.agent.Dialog(in.Message, sent, true)
	}
	if in.Method == "INVITE" {
		l.repeats(in, code)
	}
	return sent
}

// repeats sends a 2xx again until the ACK comes (RFC 3261 section 13.3.1.4) and,
// where it may be lost, a provisional response too.
func (l *line) repeats(in *simnet.Incoming, code int) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.stop()
	cseq, _, _ := in.CSeq()
	if code >= 300 || code < 200 && l.p.w.clean || l.acked == cseq {
		return
	}
	pause, stopped := 500*time.Millisecond, false
	var timer *time.Timer
	timer = time.AfterFunc(pause, func() {
		l.p.mu.Lock()
		defer l.p.mu.Unlock()
		if stopped {
			return
		}
		in.Again()
		pause = min(2*pause, 4*time.Second)
		timer.Reset(pause)
	})
	end := time.AfterFunc(32*time.Second, timerStop(l, &stopped))
	l.stop = func() {
		stopped = true
		timer.Stop()
		end.Stop()
	}
}

func timerStop(l *line, stopped *bool) func() {
	return func() {
		l.p.mu.Lock()
		defer l.p.mu.Unlock()
		*stopped = true
	}
}

// acknowledges sends the ACK to a 2xx; where that held the offer, the ACK holds
// the answer.
func (l *line) acknowledges(edits []edit) *message.Message {
	w := l.p.w
	w.Helper()
	cseq, _, _ := l.invite.CSeq()
	ack := l.p.agent.In(l.dialog, "ACK", cseq)
	if len(l.invite.Body) == 0 {
		with(ack, l.p.answer(string(l.ok.Body)))
	}
	for _, e := range edits {
		e(ack)
	}
	l.say(ack)
	l.p.mu.Lock()
	l.target = l.next()
	l.acks[l.invite.Get("CSeq")] = ack
	l.p.mu.Unlock()
	_, err := l.p.agent.SendACK(ack, l.target)
	w.must(err)
	return ack
}

// talk says that two lines hear each other: RTP flows both ways.
func (w *world) talk(a, b *line) {
	w.Helper()
	w.agree(a, b)
	if direction(a.local) != "sendrecv" || direction(b.local) != "sendrecv" {
		w.Errorf("%s and %s: %s and %s", a.p.name, b.p.name, direction(a.local), direction(b.local))
	}
}

// held says that a has put b on hold.
func (w *world) held(a, b *line) {
	w.Helper()
	w.agree(a, b)
	if direction(a.local) != "sendonly" || direction(b.local) != "recvonly" {
		w.Errorf("%s holds %s: %s and %s", a.p.name, b.p.name, direction(a.local), direction(b.local))
	}
}

// agree says that each line has what the other said last.
func (w *world) agree(a, b *line) {
	w.Helper()
	same := func(said, heard string) bool { return said != "" && w.session(said) == w.session(heard) }
	if !same(a.local, b.remote) || !same(b.local, a.remote) {
		w.Errorf("%s and %s do not agree:\n%s", a.p.name, b.p.name, strings.Join([]string{a.local, b.remote, b.local, a.remote}, "\n"))
	}
}
