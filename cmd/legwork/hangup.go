package main

import (
	"net/http"
	"net/url"
)

type hangupCommand struct {
	remote
	ID string `arg:"" help:"As legwork calls lists it."`
}

// Run hangs one call up.
func (c *hangupCommand) Run(t *terminal) error {
	if err := c.ask(http.MethodDelete, "/api/v1/calls/"+url.PathEscape(c.ID), nil); err != nil {
		return err
	}
	if c.JSON {
		return t.json(map[string]string{"hung_up": c.ID})
	}
	t.printf("hung up %s\n", c.ID)
	return nil
}
