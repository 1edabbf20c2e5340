package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

type reloadCommand struct{ remote }

// Run has configuration and scripts loaded; an error of theirs is ours, and
// nothing has changed then.
func (c *reloadCommand) Run(t *terminal) error {
	var raw json.RawMessage
	err := c.ask(http.MethodPost, "/api/v1/script/reload", &raw)
	if no, ok := errors.AsType[refusal](err); ok && no.status == http.StatusUnprocessableEntity {
		return mend(err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(raw)
	}
	var s live
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	t.printf("reloaded: %s\n", s.Name)
	if len(s.RestartNeeded) > 0 {
		t.printf("changed, but only a restart helps: %s\n", strings.Join(s.RestartNeeded, " "))
	}
	return nil
}
