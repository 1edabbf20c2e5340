package main

import (
	"strconv"
	"time"

	"legwork/b2bua/admin"
)

type callsCommand struct{ remote }

// Run lists the calls in progress.
func (c *callsCommand) Run(t *terminal) error {
	var list admin.CallList
	return c.show(t, "/api/v1/calls", &list, func() {
		var rows [][]string
		for _, call := range list.Calls {
			rows = append(rows, []string{
				call.ID, call.Phase, since(call.Started), orDash(call.Trunk), call.From, call.To, orDash(call.Target),
				strconv.Itoa(call.Attempts),
			})
		}
		t.table("no calls", []string{"ID", "PHASE", "AGE", "TRUNK", "FROM", "TO", "TARGET", "ATTEMPTS"}, rows)
	})
}

func since(at time.Time) string { return time.Since(at).Round(time.Second).String() }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
