package luatest

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/number"
	"legwork/b2bua/pcap"
)

// A Retelling makes a test of a call that was captured: the caller and the
// callees do what they did, and what Legwork, or what was in its place, told them
// is expected of it again.
//
// The legs are told apart by Call-ID and tags. Callees are those whom the address
// that the caller's INVITE went to has invited, while the call lasted, for the same
// number or caller. In a capture without callees the one callee does what the
// caller saw.
type Retelling struct {
	Capture *pcap.Capture
	Call    *pcap.Call
	File    string // where it was read, for people
	Trunk   string // that the caller comes from; "" when trunks are made up
	Remark  string // on the trunk, for people
}

// hop is one leg as it was captured. It begins at the INVITE that was not
// challenged.
type hop struct {
	name     string // "c:a()" or "c:b(1)"
	callID   string
	tag      string // of who invited
	first    pcap.Message
	imagined bool // callee of a capture without callees
}

// step is one thing that the test does or expects.
type step struct {
	at     time.Time
	hop    *hop
	sent   bool // by the test's agent; else it got it
	invite bool // the first INVITE of a callee
	pcap.Message
}

// hops finds the caller's leg and those of the callees, in their order.
func (r *Retelling) hops() []*hop {
	a := hopOf("c:a()", r.Call.Invite())
	for _, m := range r.Call.Messages {
		if a.holds(m) && m.IsRequest() && m.Message.Method == "INVITE" && m.ToTag() == "" && cseq(m) > cseq(a.first) {
			a.first = m
		}
	}
	list := []*hop{a}
	last := r.Call.Messages[len(r.Call.Messages)-1].At
	for _, m := range r.Capture.Messages {
		if !m.IsRequest() || m.Message.Method != "INVITE" || m.ToTag() != "" || m.At.Before(a.first.At) || m.At.After(last) {
			continue
		}
		known := slices.ContainsFunc(list, func(h *hop) bool { return h.callID == m.CallID() && h.tag == m.FromTag() })
		if !known && sameHost(m.From, a.first.To) && r.related(m) {
			list = append(list, hopOf(fmt.Sprintf("c:b(%d)", len(list)), m))
		}
	}
	if len(list) == 1 {
		imagined := *a
		imagined.name, imagined.imagined = "c:b(1)", true
		list = append(list, &imagined)
	}
	return list
}

func hopOf(name string, m pcap.Message) *hop {
	return &hop{name: name, callID: m.CallID(), tag: m.FromTag(), first: m}
}

// sameHost tells whether two sockets may be of one host.
func sameHost(a, b netip.AddrPort) bool {
	return a.Addr() == b.Addr() && (a.Port() == b.Port() || !a.Addr().IsLoopback())
}

// related goes by who is called and who calls.
func (r *Retelling) related(m pcap.Message) bool {
	other := &pcap.Call{ID: m.CallID(), Messages: []pcap.Message{m}}
	for _, user := range []string{userOf(r.Call.Invite().URI), userOf(message.URIOf(r.Call.Invite().Get("From")))} {
		if slices.ContainsFunc(other.Users(), func(one string) bool { return number.Same(one, user) }) {
			return true
		}
	}
	return false
}

func userOf(uri string) string {
	u, err := message.ParseURI(uri)
	if err != nil {
		return ""
	}
	return u.User
}

func cseq(m pcap.Message) uint32 {
	n, _, _ := m.CSeq()
	return n
}

// holds tells whether a message belongs to the leg.
func (h *hop) holds(m pcap.Message) bool {
	return m.CallID() == h.callID && (m.FromTag() == h.tag || m.ToTag() == h.tag)
}

// byInviter tells who of the two sent it.
func (h *hop) byInviter(m pcap.Message) bool {
	if m.IsRequest() {
		return m.FromTag() == h.tag
	}
	return m.FromTag() != h.tag
}

// steps puts what happened into order, each thing once.
func (r *Retelling) steps(hops []*hop) []step {
	seen := map[string]bool{}
	var list []step
	for _, m := range r.Capture.Messages {
		if m.At.Before(hops[0].first.At) {
			continue
		}
		for _, h := range slices.Backward(hops) { // who is imagined acts before it is seen
			if !h.holds(m) {
				continue
			}
			one := step{at: m.At, hop: h, Message: m, sent: h.byInviter(m) == (h == hops[0])}
			one.invite = h != hops[0] && !h.imagined && !one.sent && cseq(m) == cseq(h.first) && m.IsRequest() && m.Message.Method == "INVITE"
			if h.imagined && !one.sent {
				continue // what the caller did: expected of its leg
			}
			if id := one.id(); !seen[id] && !one.itself() {
				seen[id] = true
				list = append(list, one)
			}
		}
	}
	return slices.DeleteFunc(list, func(s step) bool { return !s.worth(hops[0]) })
}

// id is the same for a message that is sent again.
func (s *step) id() string {
	n, method, _ := s.CSeq()
	tag := ""
	if !s.IsRequest() {
		tag = s.ToTag()
	}
	return fmt.Sprintf("%s %v %d %s %d %s %s %s", s.hop.name, s.sent, s.Status, s.Message.Method, n, method, tag, s.Get("RSeq"))
}

// itself tells what agents and engine do without being told: ACK, PRACK, and
// answers to BYE, CANCEL and PRACK.
func (s *step) itself() bool {
	method := s.Message.Method
	if s.IsRequest() {
		return method == "ACK" || method == "PRACK"
	}
	return method == "BYE" || method == "CANCEL" || method == "PRACK" || s.sent && method == "INVITE" && s.Status == 487
}

// worth drops what says nothing: the INVITE that begins the call, and 100 and
// challenges of ours.
func (s *step) worth(a *hop) bool {
	isInvite := s.IsRequest() && s.Message.Method == "INVITE"
	switch {
	case s.hop == a && s.sent && isInvite && s.ToTag() == "":
		return false
	case s.hop.imagined && (s.Status == 100 || s.Status == 401 || s.Status == 407):
		return false
	case s.hop == a && !s.sent && (s.Status == 100 || s.Status == 401 || s.Status == 407):
		return false
	}
	return true
}
