package b2bua

import (
	"slices"
	"time"

	"legwork/b2bua/transport"
)

// mailboxLimit is how long a call may take to look up from what it does.
const mailboxLimit = time.Minute

// Leftover is what a server still has to do. All is zero when its calls are over
// and their transactions gone.
type Leftover struct {
	Calls        int // that are not over
	Known        int // that requests still find, and pairs of subscriptions
	Dialogs      int
	Transactions int
}

// Leftover counts what there is now.
func (s *Server) Leftover() Leftover {
	n := s.layer.Counters()
	s.index.mu.RLock()
	dialogs := len(s.index.parties)
	s.index.mu.RUnlock()
	return Leftover{Calls: s.Active(), Known: s.index.size(), Dialogs: dialogs, Transactions: int(n.Servers + n.Clients)}
}

// Follow finds a call that is not forgotten yet; false when there is none of
// that id. left lists what the call still has to do, forgotten or not, and ends
// its timers: it is asked once, at the end.
func (s *Server) Follow(id string) (left func() []string, ok bool) {
	c := s.index.call(id)
	if c == nil {
		return nil, false
	}
	return c.leftovers, true
}

// leftovers asks a call's mailbox for what is unfinished.
func (c *Call) leftovers() []string {
	answer := make(chan []string, 1)
	c.post(reached{then: func(transport.Flow, error) { answer <- c.unfinished() }})
	select {
	case list := <-answer:
		return list
	case <-time.After(mailboxLimit):
		return []string{"mailbox that is not read"}
	}
}

// unfinished lists what a call that is over still has to do, and stops its
// timers. It belongs to the mailbox.
func (c *Call) unfinished() []string {
	var list []string
	for what, left := range map[string]bool{
		"transaction":          c.open != 0,
		"place in the index":   len(c.keys) > 0,
		"request that crosses": len(c.crossing) > 0,
		"offer":                c.modify != nil,
		"errand":               len(c.errands) > 0,
		"repeated 2xx":         c.repeat != nil,
		"BYE that waits":       c.parting != nil,
		"REFER":                c.referral != nil,
		"transfer":             c.transfer != nil || c.seeking != nil || c.debt != nil,
		"question":             c.question != nil,
	} {
		if left {
			list = append(list, what)
		}
	}
	slices.Sort(list)
	clocks, ran := c.clocks[:], false
	for _, l := range append(c.legs, c.a) {
		clocks = append(clocks, l.clocks[:]...)
		if l.load != nil {
			list = append(list, "place in a trunk")
		}
	}
	for _, k := range clocks {
		ran = k.timer != nil && k.timer.Stop() || ran
	}
	if ran {
		list = append(list, "timer")
	}
	return list
}
