package main

import (
	"net/http"

	"legwork/b2bua/admin"
)

type drainCommand struct{ remote }

// Run begins the orderly goodbye of the running process and does not wait for
// its end.
func (c *drainCommand) Run(t *terminal) error {
	var health admin.Health
	if err := c.ask(http.MethodPost, "/api/v1/drain", &health); err != nil {
		return err
	}
	if c.JSON {
		return t.json(health)
	}
	t.printf("%s\n", health.Status)
	return nil
}
