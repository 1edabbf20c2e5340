package main

import (
	"encoding/json"
	"net/http"

	"legwork/script"
)

type reloadCommand struct{ remote }

// Run has configuration and scripts loaded; an error of theirs is ours, and
// nothing has changed then.
func (c *reloadCommand) Run(t *terminal) error {
	var raw json.RawMessage
	if err := c.ask(http.MethodPost, "/api/v1/script/reload", &raw); err != nil {
		return err
	}
	if c.JSON {
		return t.json(raw)
	}
	var s script.Status
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	t.printf("reloaded: %s\n", s.Name)
	return nil
}
