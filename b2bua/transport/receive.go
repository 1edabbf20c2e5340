package transport

import (
	"bytes"
	"errors"
	"hash/fnv"
	"net/netip"
	"runtime/debug"
	"strconv"

	"legwork/b2bua/message"
)

// turned tells whether what comes in is dropped unread. A response is not: it
// needs a transaction of ours that waits for it from there.
func (t *Transport) turned(l *Listener, source netip.Addr, b []byte) bool {
	return t.config.Turned != nil && !bytes.HasPrefix(b, []byte("SIP/2.0 ")) && t.config.Turned(l, source, b)
}

// receive takes one message that fills b and keeps it.
func (t *Transport) receive(b []byte, f Flow) {
	t.count.received.Add(1)
	if len(b) > t.config.MaxMessage {
		t.refuse(&message.Malformed{Status: 513, Why: "message is too large", Partial: message.Salvage(b)}, f)
		return
	}
	m, err := message.Parse(b)
	if err != nil {
		var bad *message.Malformed
		if errors.As(err, &bad) {
			t.refuse(bad, f)
		}
		return
	}
	if bad := m.Check(); bad != nil {
		t.refuse(bad, f)
		return
	}
	if m.IsRequest() {
		Arrive(m, f.Remote)
	}
	t.handle(m, f)
}

// handle keeps a fault of the handler to its message.
func (t *Transport) handle(m *message.Message, f Flow) {
	defer func() {
		if fault := recover(); fault != nil {
			t.log.Error("handling a message failed", "method", m.Method, "code", m.Status, "source", f.Remote,
				"err", fault, "stack", string(debug.Stack()))
		}
	}()
	t.config.Handler(m, f)
}

// refuse answers a malformed request without a transaction (RFC 3261 section
// 8.2.7); responses, ACKs and what has no Via are dropped.
func (t *Transport) refuse(bad *message.Malformed, f Flow) {
	t.count.malformed.Add(1)
	t.log.Debug("malformed message", "source", f.Remote, "transport", f.Listener.Name, "reason", bad.Why)
	if t.config.Malformed != nil {
		t.config.Malformed(bad, f)
	}
	m := bad.Partial
	if m == nil || !m.IsRequest() || m.Method == "ACK" {
		return
	}
	if _, ok := m.Lookup("Via"); !ok {
		return
	}
	Arrive(m, f.Remote)
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(m.CallID() + m.Get("From") + m.Get("CSeq")))
	res := m.Respond(bad.Status, "", strconv.FormatUint(hash.Sum64(), 36))
	res.Add("Warning", "399 "+f.Listener.SentBy()+` "`+bad.Why+`"`)
	t.Send(ResponseFlow(m, f), res.Bytes(), nil)
}
