package main

import (
	"errors"
	"strconv"

	"legwork/script"
)

type deployCommand struct {
	remote
	Status bool `help:"List the generations: which is live, which are older and still in use."`
}

// Run says what runs.
func (c *deployCommand) Run(t *terminal) error {
	if !c.Status {
		return mend(errors.New("say what is to be done: --status"))
	}
	var s live
	return c.show(t, "/api/v1/script", &s, func() { t.generations(&s.Status) })
}

// generations prints what is loaded, and why what was saved last is not.
func (t *terminal) generations(s *script.Status) {
	var rows [][]string
	for _, g := range s.Generations {
		rows = append(rows, []string{
			g.Name, string(g.State), since(g.Loaded), strconv.FormatUint(g.Begun, 10), strconv.Itoa(g.Calls), strconv.FormatUint(g.Errors, 10),
		})
	}
	t.table("no scripts", []string{"GENERATION", "STATE", "AGE", "CALLS", "ACTIVE", "ERRORS"}, rows)
	if s.Failure != "" {
		t.printf("not loaded since %s: %s\n", s.Failed.Local().Format("15:04:05"), s.Failure)
	}
}
