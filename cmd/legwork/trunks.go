package main

import (
	"fmt"
	"strconv"
	"time"

	"legwork/b2bua/admin"
)

type trunksCommand struct{ remote }

// Run lists the trunks.
func (c *trunksCommand) Run(t *terminal) error {
	var list admin.TrunkList
	return c.show(t, "/api/v1/trunks", &list, func() {
		var rows [][]string
		for _, one := range list.Trunks {
			state := "up"
			if !one.Up {
				state = "down"
			}
			calls := strconv.Itoa(one.Calls)
			if one.MaxCalls > 0 {
				calls = fmt.Sprintf("%d of %d", one.Calls, one.MaxCalls)
			}
			rows = append(rows, []string{
				one.Name, state, calls, strconv.FormatUint(one.Attempts, 10), strconv.FormatUint(one.Answered, 10),
				strconv.FormatUint(one.Failed, 10), registered(one.Registration),
			})
		}
		t.table("no trunks", []string{"NAME", "STATE", "CALLS", "ATTEMPTS", "ANSWERED", "FAILED", "REGISTERED"}, rows)
	})
}

// registered is how a registration stands, in a word.
func registered(r *admin.Registration) string {
	switch {
	case r == nil:
		return "-"
	case r.Registered:
		return "until " + r.Until.Local().Format(time.TimeOnly)
	case r.Code != 0:
		return fmt.Sprintf("no: %d %s", r.Code, r.Reason)
	case r.Reason != "":
		return "no: " + r.Reason
	}
	return "not yet"
}
