package flows

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// phone is one person's: it does what RFC 3261 has every user agent do by
// itself (repeat and match requests and responses, repeat a 2xx until its ACK
// comes, acknowledge a repeated 2xx again), and the rest as it is told. It
// embeds the line in use: the latest that was begun or answered.
type phone struct {
	*line
	w         *world
	name      string
	host      string // of its SDP
	aor       string
	proxy     string // where requests outside dialogs go
	agent     *simnet.Agent
	past      []*simnet.Agent // where the phone was before it moved
	version   int             // of its SDP
	challenge challenge

	mu    sync.Mutex // guards all below, and the inboxes of lines
	lines []*line
	fresh []*line // begun by others and not looked at
	heard chan struct{}
}

func (w *world) alice() *phone {
	return w.phone("alice", "atlanta.example.com", atAtlanta, ss1)
}

func (w *world) bob() *phone {
	proxy := ss1
	if w.engines[ss2] != nil {
		proxy = ss2
	}
	return w.phone("bob", "biloxi.example.com", atBiloxi, proxy)
}

func (w *world) carol() *phone {
	return w.phone("carol", "chicago.example.com", atChicago, ss1)
}

func (w *world) bill() *phone {
	return w.phone("bill", "biloxi.example.com", atBill, ss1)
}

func (w *world) park() *phone {
	return w.phone("park", "biloxi.example.com", atPark, ss1)
}

func (w *world) music() *phone {
	return w.phone("music", "biloxi.example.com", atMusic, ss1)
}

func (w *world) desk() *phone {
	return w.phone("desk", "biloxi.example.com", atDesk, ss1)
}

func (w *world) phone(name, domain, addr, proxy string) *phone {
	w.Helper()
	agent, err := simnet.NewAgent(w.net, w.network, addr)
	w.must(err)
	p := &phone{w: w, name: name, aor: "sip:" + name + "@" + domain, proxy: proxy, heard: make(chan struct{}, 1)}
	p.settles(agent)
	w.phones = append(w.phones, p)
	return p
}

// moves gives the phone another address.
func (p *phone) moves(addr string) {
	p.w.Helper()
	agent, err := simnet.NewAgent(p.w.net, p.w.network, addr)
	p.w.must(err)
	p.past = append(p.past, p.agent)
	p.settles(agent)
}

func (p *phone) settles(agent *simnet.Agent) {
	p.agent, p.host = agent, agent.Addr.Addr().String()
	agent.Hear(p.hear)
}

// hear takes a message in the socket's reader.
func (p *phone) hear(in *simnet.Incoming) {
	p.mu.Lock()
	l := p.lineOf(in)
	if !l.again(in) {
		l.inbox = append(l.inbox, in)
	}
	p.mu.Unlock()
	select {
	case p.heard <- struct{}{}:
	default:
	}
}

// lineOf finds the line of a message by its Call-ID, or begins one. That nobody
// answered has none: it is news of the line that was begun last.
func (p *phone) lineOf(in *simnet.Incoming) *line {
	for i := len(p.lines) - 1; i >= 0; i-- {
		if l := p.lines[i]; l.callID == in.CallID() || in.CallID() == "" {
			return l
		}
	}
	l := newLine(p, in.CallID())
	p.lines, p.fresh = append(p.lines, l), append(p.fresh, l)
	return l
}

// gets waits for a message on the line in use; a request that begins a line
// puts that in use.
func (p *phone) gets(want string) *message.Message {
	p.w.Helper()
	limit := time.After(40 * time.Second)
	for {
		p.mu.Lock()
		if len(p.fresh) > 0 && p.fresh[0].inbox[0].Name() == want {
			p.line, p.fresh = p.fresh[0], p.fresh[1:]
		}
		ready := p.line != nil && p.holds(want)
		p.mu.Unlock()
		if ready {
			return p.line.gets(want)
		}
		select {
		case <-p.heard:
		case <-limit:
			p.w.Fatalf("%s got no %s; there is: %s", p.name, want, p.left())
		}
	}
}

// hears nothing within a minute that begins a line or belongs to one.
func (p *phone) hearsNothing() {
	p.w.Helper()
	time.Sleep(time.Minute)
	if left := p.left(); left != "" {
		p.w.Errorf("%s was told %s", p.name, left)
	}
}

// left lists what nobody looked at.
func (p *phone) left() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, l := range p.lines {
		for _, in := range l.inbox {
			names = append(names, in.Name())
		}
	}
	return strings.Join(names, ", ")
}

// sdp is a new description of what the phone hears and says; direction "" is
// that of every phone that is not on hold.
func (p *phone) sdp(direction string) string {
	p.version++
	text := "v=0\r\no=" + p.name + " 2890844526 " + strconv.Itoa(2890844525+p.version) + " IN IP4 " + p.host + "\r\ns=-\r\nc=IN IP4 " + p.host +
		"\r\nt=0 0\r\nm=audio 49172 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
	if direction != "" {
		text += "a=" + direction + "\r\n"
	}
	return text
}

// answer is the SDP that RFC 3264 section 6.1 answers an offer with.
func (p *phone) answer(offer string) string {
	switch direction(offer) {
	case "sendonly":
		return p.sdp("recvonly")
	case "recvonly":
		return p.sdp("sendonly")
	case "inactive":
		return p.sdp("inactive")
	}
	return p.sdp("")
}

func direction(sdp string) string {
	for _, d := range []string{"sendonly", "recvonly", "inactive"} {
		if strings.Contains(sdp, "a="+d+"\r\n") {
			return d
		}
	}
	return "sendrecv"
}

// calls begins a line with an INVITE; an edit without a body leaves the offer to
// the callee.
func (p *phone) calls(uri string, edits ...edit) *message.Message {
	p.w.Helper()
	req := p.begins("INVITE", uri)
	with(req, p.sdp(""))
	return p.line.request(req, p.proxy, edits)
}

// asks begins a line with another request.
func (p *phone) asks(method, uri string, edits ...edit) *message.Message {
	p.w.Helper()
	req := p.begins(method, uri)
	return p.line.request(req, p.proxy, edits)
}

// begins puts a new line in use and builds its first request.
func (p *phone) begins(method, uri string) *message.Message {
	req := p.agent.Invite(uri, "")
	req.Method = method
	req.Set("From", "<"+p.aor+">;tag="+req.FromTag()+p.name)
	req.Set("To", "<"+uri+">")
	req.Set("CSeq", "1 "+method)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line = newLine(p, req.CallID())
	p.lines = append(p.lines, p.line)
	return req
}

// edit changes a message before it is sent.
type edit func(*message.Message)

func withoutSDP(m *message.Message) {
	m.Del("Content-Type")
	m.Body = nil
}

// holding is an offer of RFC 3264 section 8.4 in a re-INVITE.
func (p *phone) holding(m *message.Message) { with(m, p.sdp("sendonly")) }

func with(m *message.Message, sdp string) {
	m.Set("Content-Type", "application/sdp")
	m.Body = []byte(sdp)
}

// connection and port say where RTP goes by an SDP.
func connection(sdp string) string { return after(sdp, "c=IN IP4 ") }

func port(sdp string) string { return after(sdp, "m=audio ") }

func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	return strings.FieldsFunc(rest+" ", func(r rune) bool { return r == ' ' || r == '\r' })[0]
}
