package pcap

import (
	"fmt"
	"strings"

	"legwork/b2bua/message"
)

// A Call is what was seen under one Call-ID, from the first INVITE on.
type Call struct {
	ID       string // Call-ID
	Messages []Message
}

// Invite is the request that began it.
func (c *Call) Invite() Message { return c.Messages[0] }

// String is one line for people.
func (c *Call) String() string {
	m := c.Invite()
	return fmt.Sprintf("%s  %s → %s  %s", m.At.UTC().Format("2006-01-02 15:04:05.000"), message.URIOf(m.Get("From")), m.URI, c.ID)
}

// Calls lists the calls whose first INVITE was seen, in its order.
func (c *Capture) Calls() []*Call {
	var list []*Call
	known := map[string]*Call{}
	for _, m := range c.Messages {
		id := m.CallID()
		one := known[id]
		if one == nil {
			if m.Message.Method != "INVITE" || !m.IsRequest() || m.ToTag() != "" {
				continue
			}
			one = &Call{ID: id}
			known[id] = one
			list = append(list, one)
		}
		one.Messages = append(one.Messages, m)
	}
	return list
}

// A Wish says which call is wanted. Empty fields want nothing.
type Wish struct {
	CallID string
	Number string // of the caller or the callee
}

// maxListed bounds the calls that an error lists.
const maxListed = 20

// Find is the first call that is wished for, and how many are. A call that goes
// on over several hops has one Call-ID a hop, and the first is where it came from.
// The error lists what there is.
func (c *Capture) Find(w Wish) (*Call, int, error) {
	calls := c.Calls()
	var found []*Call
	for _, one := range calls {
		if (w.CallID == "" || w.CallID == one.ID) && (w.Number == "" || one.Has(w.Number)) {
			found = append(found, one)
		}
	}
	switch {
	case len(found) > 0:
		return found[0], len(found), nil
	case len(calls) == 0:
		return nil, 0, fmt.Errorf("%d SIP messages and no INVITE that begins a call", len(c.Messages))
	}
	var b strings.Builder
	for i, one := range calls {
		if i == maxListed {
			fmt.Fprintf(&b, "\n  ... and %d more", len(calls)-i)
			break
		}
		b.WriteString("\n  " + one.String())
	}
	return nil, 0, fmt.Errorf("no such call; there are:%s", b.String())
}

// shortest is how many digits must be alike for a number to be another's end.
const shortest = 6

// Has tells whether the number is the caller's or the callee's. Prefixes of a
// country or a carrier may differ: 030123456 is +4930123456.
func (c *Call) Has(number string) bool {
	m := c.Invite()
	users := []string{m.URI}
	for _, name := range []string{"From", "To", "P-Asserted-Identity"} {
		users = append(users, message.URIOf(m.Get(name)))
	}
	want := digits(number)
	for _, one := range users {
		u, err := message.ParseURI(one)
		if err != nil {
			continue
		}
		if u.User == number && number != "" {
			return true
		}
		got := digits(u.User)
		short, long := want, got
		if len(short) > len(long) {
			short, long = long, short
		}
		if want != "" && (got == want || len(short) >= shortest && strings.HasSuffix(long, strings.TrimLeft(short, "0"))) {
			return true
		}
	}
	return false
}

func digits(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, s)
}
