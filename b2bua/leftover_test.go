package b2bua

import (
	"slices"
	"strings"

	"legwork/b2bua/transport"
)

// leftovers lists what a call that is over still has to do; "" is none. It is
// asked in the call's mailbox.
func (c *Call) leftovers() string {
	answer := make(chan string, 1)
	c.post(reached{then: func(transport.Flow, error) { answer <- strings.Join(c.unfinished(), ", ") }})
	return <-answer
}

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
	clocks := c.clocks[:]
	for _, l := range append(c.legs, c.a) {
		clocks = append(clocks, l.clocks[:]...)
		if l.load != nil {
			list = append(list, "place in a trunk")
		}
	}
	if slices.ContainsFunc(clocks, func(k clock) bool { return k.timer != nil && k.timer.Stop() }) {
		list = append(list, "timer")
	}
	return list
}
