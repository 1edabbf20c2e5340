package luatest

import (
	"fmt"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// content is what a test gives a message: headers that replace, and a body.
type content struct {
	headers []message.Header // those of one name stand together
	body    []byte
	given   bool // the test said what the body is; false: what an agent would send
}

// put writes it into a message.
func (c content) put(m *message.Message) {
	last := ""
	for _, h := range c.headers {
		if h.Name == last {
			m.Add(h.Name, h.Value)
		} else {
			m.Set(h.Name, h.Value)
		}
		last = h.Name
	}
	if !c.given {
		return
	}
	m.Body = c.body
	switch {
	case len(c.body) == 0:
		m.Del("Content-Type")
	case m.Get("Content-Type") == "" && strings.HasPrefix(string(c.body), "v=0"):
		m.Set("Content-Type", "application/sdp")
	}
}

func isSDP(m *message.Message) bool {
	return len(m.Body) > 0 && strings.HasPrefix(strings.ToLower(m.Get("Content-Type")), "application/sdp")
}

// reply answers the last request that has no final answer.
func (l *leg) reply(code int, c content) error {
	in, called, version := l.pending(code)
	if in == nil {
		return fmt.Errorf("there is no request to answer; %s", l.heard())
	}
	var body []byte
	if !c.given && in.Method == "INVITE" && (code == 183 || code/100 == 2) {
		var err error
		if called != nil {
			body, err = answer(l.agent.Addr.Addr(), version, called)
		} else {
			body, err = offer(l.agent.Addr.Addr(), version)
		}
		if err != nil {
			return err
		}
	}
	sent := in.Reply(code, func(res *message.Message) {
		if body != nil {
			withSDP(res, body)
		}
		c.put(res)
	})
	if opensDialog(in.Method) && code > 100 && code < 300 {
		l.established(in, sent)
	}
	l.stage.settle()
	return nil
}

// pending takes the request that is to be answered, and lets go of it with a
// final answer.
func (l *leg) pending(code int) (in *simnet.Incoming, called []byte, version uint64) {
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	n := len(l.open) - 1
	if n < 0 {
		return nil, nil, 0
	}
	in = l.open[n]
	if code >= 200 {
		l.open = l.open[:n]
	}
	if l.media == 0 || code < 200 && l.dialog == nil {
		l.media = 1
	}
	return in, l.called, l.media
}

func (l *leg) established(in *simnet.Incoming, sent *message.Message) {
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	if l.dialog == nil {
		l.dialog = l.agent.Dialog(in.Message, sent, true)
	}
}

// request sends a request of its own within the call.
func (l *leg) request(method string, c content) error {
	switch method {
	case "CANCEL":
		return l.cancel(c)
	case "ACK":
		return l.acknowledge(c)
	}
	l.stage.mu.Lock()
	if l.dialog == nil {
		l.stage.mu.Unlock()
		return fmt.Errorf("%s needs a dialog and there is none; %s", method, l.heard())
	}
	m := l.agent.In(l.dialog, method, l.dialog.Next())
	if method == "INVITE" {
		l.media++
	}
	version := l.media
	l.stage.mu.Unlock()
	if method == "INVITE" && !c.given {
		body, err := offer(l.agent.Addr.Addr(), version)
		if err != nil {
			return err
		}
		c.body, c.given = body, true
	}
	c.put(m)
	if method == "INVITE" {
		l.stage.mu.Lock()
		l.asked = isSDP(m)
		l.stage.mu.Unlock()
	}
	if _, err := l.agent.Send(m, l.peer); err != nil {
		return err
	}
	l.stage.settle()
	return nil
}

// cancel gives up the INVITE that began the call.
func (l *leg) cancel(c content) error {
	l.stage.mu.Lock()
	client, final := l.client, l.final()
	l.stage.mu.Unlock()
	if client == nil || final != nil || l.invite.Method != "INVITE" {
		return fmt.Errorf("there is no INVITE to cancel; %s", l.heard())
	}
	reason := ""
	for _, h := range c.headers {
		if !message.Same(h.Name, "Reason") {
			return fmt.Errorf("a CANCEL carries no header but Reason")
		}
		reason = h.Value
	}
	client.Cancel(reason)
	l.stage.settle()
	return nil
}

// acknowledge sends the ACK of the 2xx once more.
func (l *leg) acknowledge(c content) error {
	l.stage.mu.Lock()
	d, final := l.dialog, l.final()
	if l.client == nil || d == nil || final == nil || final.Status >= 300 {
		l.stage.mu.Unlock()
		return fmt.Errorf("there is no 2xx to acknowledge; %s", l.heard())
	}
	cseq, _, _ := final.CSeq()
	ack := l.agent.In(d, "ACK", cseq)
	l.stage.mu.Unlock()
	c.put(ack)
	if _, err := l.agent.SendACK(ack, l.peer); err != nil {
		return err
	}
	l.stage.settle()
	return nil
}

// heard lists what came, for errors.
func (l *leg) heard() string {
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	var names []string
	for _, m := range l.got {
		name := m.Method
		if !m.IsRequest() {
			name = fmt.Sprint(m.Status)
			if m.Method != "INVITE" {
				name += " " + m.Method
			}
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "nothing came"
	}
	return "what came: " + strings.Join(names, ", ")
}
