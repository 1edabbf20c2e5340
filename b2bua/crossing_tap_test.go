package b2bua

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// tap writes down what passes between the server and each phone: requests in
// the order they left, with their final answers. Repeats are one.
type tap struct {
	mu    sync.Mutex // guards all below
	turns map[netip.AddrPort][]*turn
}

// turn is a request and its answer.
type turn struct {
	callID, method string
	cseq           uint32
	sent           bool // by the phone
	again          bool // it was in a dialog
	codes          []int
	at             time.Time // of the request, later of the answer
}

func (t *tap) saw(p simnet.Packet) {
	m, err := message.Parse(p.Bytes)
	if err != nil {
		return
	}
	phone, sent := p.From, true
	if phone.String() == sbc {
		phone, sent = p.To, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n, method, _ := m.CSeq()
	if !m.IsRequest() {
		if w := t.find(phone, m.CallID(), method, n, !sent); w != nil && m.Status >= 200 && !slices.Contains(w.codes, m.Status) {
			w.codes, w.at = append(w.codes, m.Status), time.Now()
		}
		return
	}
	if t.find(phone, m.CallID(), m.Method, n, sent) != nil {
		return
	}
	if w := t.find(phone, m.CallID(), "INVITE", n, sent); m.Method == "ACK" && w != nil && len(w.codes) > 0 && w.codes[0] >= 300 {
		return // hop by hop
	}
	t.turns[phone] = append(t.turns[phone], &turn{m.CallID(), m.Method, n, sent, m.ToTag() != "", nil, time.Now()})
}

func (t *tap) find(phone netip.AddrPort, callID, method string, cseq uint32, sent bool) *turn {
	for _, w := range t.turns[phone] {
		if w.callID == callID && w.method == method && w.cseq == cseq && w.sent == sent {
			return w
		}
	}
	return nil
}

// since lists what a phone has lived through: "BYE 200" it sent, "(BYE 200)" it
// got.
func (t *tap) since(phone netip.AddrPort, mark time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for _, w := range t.turns[phone] {
		if w.at.Before(mark) {
			continue
		}
		text := w.method
		if w.again && w.method == "INVITE" {
			text = "re-INVITE"
		}
		for _, code := range w.codes {
			text += " " + strconv.Itoa(code)
		}
		if len(w.codes) == 0 && w.method != "ACK" {
			text += " -"
		}
		if !w.sent {
			text = "(" + text + ")"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}
