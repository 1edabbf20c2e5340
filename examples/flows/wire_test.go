package flows

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// wire is all that was sent, in order.
type wire struct {
	mu      sync.Mutex // guards packets
	packets []simnet.Packet
}

func (s *wire) record(p simnet.Packet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packets = append(s.packets, p)
	return true
}

func (s *wire) all() []simnet.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.packets)
}

// times counts the requests that one host sent to another.
func (w *world) times(from, to, method string) (n int) {
	for _, p := range w.wire.all() {
		if p.From.String() == from && p.To.String() == to && strings.HasPrefix(string(p.Bytes), method+" ") {
			n++
		}
	}
	return n
}

// seen is one message between two hosts.
type seen struct {
	*message.Message
	from, to string
	ours     bool // a Legwork sent it
}

// hop names the pair of hosts, whoever speaks. A phone that moves stays itself.
func (s seen) hop() string {
	name := func(addr string) string { return strings.Replace(addr, elsewhere, atBiloxi, 1) }
	pair := []string{name(s.from), name(s.to)}
	slices.Sort(pair)
	return strings.Join(pair, " and ")
}

func (s seen) String() string { return s.from + " to " + s.to + ": " + s.Message.String() }

// keptApart says what makes Legwork a B2BUA, of every message of a flow: each
// hop has Call-IDs and tags of its own, requests bring nobody's Via but ours,
// Contacts hide who is behind, and SDP crosses as it was said. On a clean
// network nothing had to be sent twice.
func (w *world) keptApart() {
	callIDs, tags, said := map[string]string{}, map[string]string{}, map[string]bool{}
	sent := map[string]bool{}
	for _, p := range w.wire.all() {
		m, err := message.Parse(p.Bytes)
		if err != nil {
			w.Errorf("%s sent what is no message: %v\n%s", p.From, err, p.Bytes)
			continue
		}
		s := seen{Message: m, from: p.From.String(), to: p.To.String()}
		s.ours = w.engines[s.from] != nil
		w.belongs(s, "Call-ID", m.CallID(), callIDs)
		w.belongs(s, "From tag", m.FromTag(), tags)
		w.belongs(s, "To tag", m.ToTag(), tags)
		w.isOurs(s)
		if sdp := w.session(string(m.Body)); m.Get("Content-Type") == "application/sdp" {
			if s.ours && !said[sdp] && !w.edits {
				w.Errorf("an SDP that no phone has made: %s", s)
			}
			said[sdp] = said[sdp] || !s.ours
		}
		if key := s.String(); w.clean && sent[key] && !w.deaf[s.to] {
			w.Errorf("sent again: %s", s)
		} else {
			sent[key] = true
		}
	}
}

// session is an SDP without what differs when a leg's peer is another than at
// first: its origin stays the first one's and is counted on (RFC 3264 section 8),
// and whoever was on hold is told that this is over.
func (w *world) session(sdp string) string {
	before, rest, found := strings.Cut(sdp, "o=")
	if !w.splices || !found {
		return sdp
	}
	_, after, _ := strings.Cut(rest, "\r\n")
	return before + strings.ReplaceAll(after, "a=sendrecv\r\n", "")
}

// belongs fails when a value was seen on another hop.
func (w *world) belongs(s seen, what, value string, owner map[string]string) {
	if value == "" || s.ToTag() == "" && w.deaf[s.to] { // what died was said again to another proxy
		return
	}
	if first := owner[value]; first != "" && first != s.hop() {
		w.Errorf("the %s of %s stands in: %s", what, first, s)
	}
	owner[value] = s.hop()
}

// isOurs looks at what a proxy would have left as it was.
func (w *world) isOurs(s seen) {
	if !s.ours {
		return
	}
	if vias := s.List("Via"); s.IsRequest() && (len(vias) != 1 || !strings.Contains(vias[0], s.from)) {
		w.Errorf("Via is not ours alone: %s", s)
	}
	if len(s.All("Record-Route")) != 0 {
		w.Errorf("a Record-Route crossed: %s", s)
	}
	answersInvite := s.Status > 100 && s.Status < 300 && s.Method == "INVITE" && s.ToTag() != ""
	if contact := s.Get("Contact"); (s.Method == "INVITE" && s.IsRequest() || answersInvite) && !strings.Contains(contact, s.from) {
		w.Errorf("Contact is not ours: %s", s)
	}
}

// story is the wire in lines, for a flow that failed.
func (w *world) story() string {
	var b strings.Builder
	for _, p := range w.wire.all() {
		line, _, _ := strings.Cut(string(p.Bytes), "\r\n")
		m, err := message.Parse(p.Bytes)
		if err == nil && m.Status != 0 {
			line += " (" + m.Get("CSeq") + ")"
		}
		fmt.Fprintf(&b, "%-18s > %-18s %s\n", p.From, p.To, line)
	}
	return b.String()
}

// hops is how many Max-Forwards counted off a message.
func hops(m *message.Message) int {
	n, err := strconv.Atoi(m.Get("Max-Forwards"))
	if err != nil {
		return -1
	}
	return 70 - n
}
