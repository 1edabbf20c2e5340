package script

import (
	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/cucm"
)

// maxCarried bounds the messages whose pass through has not gone out yet.
const maxCarried = 16

// carried is what the CUCM scripts of one call keep between messages. It belongs
// to the call's mailbox; nil holds nothing.
type carried struct {
	contexts map[int]*cucm.Context // by leg
	passes   []passing
	block    string // where the 1xx that came last was blocked
	blocked  int    // on which leg
}

// passing is what one message gives to the one that it causes on the other side.
type passing struct {
	leg     int
	method  string
	class   int  // of a response; 0: a request
	initial bool // outside a dialog: each target gets it
	pass    *cucm.PassThrough
}

func passingOf(leg b2bua.Leg, m *message.Message) passing {
	return passing{leg: leg.Index, method: m.Method, class: m.Status / 100, initial: m.IsRequest() && m.ToTag() == ""}
}

// context is that of a leg.
func (c *carried) context(leg b2bua.Leg) *cucm.Context {
	one := c.contexts[leg.Index]
	if one == nil {
		one = &cucm.Context{}
		c.contexts[leg.Index] = one
	}
	return one
}

// keep notes what a handler has said of a message that came.
func (c *carried) keep(leg b2bua.Leg, m *message.Message, out cucm.Outcome, where string) {
	if out.Block {
		c.block, c.blocked = where, leg.Index
	}
	if out.Pass == nil {
		return
	}
	one := passingOf(leg, m)
	one.pass = out.Pass
	if len(c.passes) == maxCarried {
		c.passes = c.passes[1:]
	}
	c.passes = append(c.passes, one)
}

// forget drops what an earlier message of the kind has left: nothing has come of
// it.
func (c *carried) forget(leg b2bua.Leg, m *message.Message) {
	if c == nil {
		return
	}
	c.block = ""
	kept := c.passes[:0]
	for _, one := range c.passes {
		same := one.method == m.Method && (one.class == 0) == m.IsRequest() && (one.class > 0 || one.leg == leg.Index)
		if !same {
			kept = append(kept, one)
		}
	}
	clear(c.passes[len(kept):])
	c.passes = kept
}

// take is what was passed through to a message that is about to leave.
func (c *carried) take(leg b2bua.Leg, m *message.Message) *cucm.PassThrough {
	if c == nil {
		return nil
	}
	want := passingOf(leg, m)
	for i, one := range c.passes {
		across := (one.leg == 0) != (want.leg == 0)
		if !across || one.method != want.method || one.class != want.class || one.initial != want.initial {
			continue
		}
		if !one.initial {
			c.passes = append(c.passes[:i], c.passes[i+1:]...)
		}
		return one.pass
	}
	return nil
}

// blocked tells whether the 1xx that has just come on a leg is to be as if it had
// not, and which handler says so.
func (r *router) blocked(leg b2bua.Leg) (where string, ok bool) {
	c := r.carried
	if c == nil || c.block == "" || c.blocked != leg.Index {
		return "", false
	}
	where, c.block = c.block, ""
	return where, true
}
