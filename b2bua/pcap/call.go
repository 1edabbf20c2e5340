package pcap

import (
	"fmt"
	"slices"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/number"
)

// A Call is what was seen under one Call-ID, from the first INVITE on, or from a
// request that begins no call.
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
func (c *Capture) Calls() []*Call { return c.since(beginsCall) }

func beginsCall(m *message.Message) bool {
	return m.Method == "INVITE" && m.IsRequest() && m.ToTag() == ""
}

// since lists what was seen under each Call-ID from a first message on.
func (c *Capture) since(first func(*message.Message) bool) []*Call {
	var list []*Call
	known := map[string]*Call{}
	for _, m := range c.Messages {
		id := m.CallID()
		one := known[id]
		if one == nil {
			if !first(m.Message) {
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
	Number string // of the caller or the callee; see number.Sought
	Alone  bool   // a request outside any call will do, where there is no such call
}

// maxListed bounds the calls that an error lists.
const maxListed = 20

// Find is the first call that is wished for, and how many are. A call that goes
// on over several hops has one Call-ID a hop, and the first is where it came from.
// The error lists what there is.
func (c *Capture) Find(w Wish) (*Call, int, error) {
	calls := c.Calls()
	found := w.among(calls)
	if len(found) == 0 && w.Alone {
		alone := c.since((*message.Message).OutsideCall)
		found, calls = w.among(alone), append(calls, alone...)
	}
	switch {
	case len(found) > 0:
		return found[0], len(found), nil
	case len(calls) == 0:
		return nil, 0, fmt.Errorf("no INVITE that begins a call; SIP messages: %d%s", len(c.Messages), c.brokenToo())
	}
	return nil, 0, c.unlike(calls)
}

// among are those that are wished for.
func (w Wish) among(calls []*Call) (found []*Call) {
	for _, one := range calls {
		if (w.CallID == "" || w.CallID == one.ID) && (w.Number == "" || one.isOf(w.Number)) {
			found = append(found, one)
		}
	}
	return found
}

// brokenToo says what else there is, if anything.
func (c *Capture) brokenToo() string {
	if c.Broken == 0 {
		return ""
	}
	return fmt.Sprintf("; %d more begin like SIP and are broken, or were cut off when they were captured", c.Broken)
}

// unlike lists what there is instead.
func (c *Capture) unlike(calls []*Call) error {
	var b strings.Builder
	for i, one := range calls {
		if i == maxListed {
			fmt.Fprintf(&b, "\n  ... and %d more", len(calls)-i)
			break
		}
		b.WriteString("\n  " + one.String())
	}
	return fmt.Errorf("no such call; there are:%s%s", b.String(), c.brokenToo())
}

// Users are those of the URIs of caller and callee.
func (c *Call) Users() []string {
	m := c.Invite()
	uris := []string{m.URI}
	for _, name := range []string{"From", "To", "P-Asserted-Identity"} {
		uris = append(uris, message.URIOf(m.Get(name)))
	}
	var users []string
	for _, one := range uris {
		if u, err := message.ParseURI(one); err == nil && u.User != "" {
			users = append(users, u.User)
		}
	}
	return users
}

func (c *Call) isOf(wanted string) bool {
	return slices.ContainsFunc(c.Users(), func(user string) bool { return number.Sought(user, wanted) })
}
