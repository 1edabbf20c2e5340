package main

import (
	"net/http"
	"net/url"
	"strconv"
)

type ladderCommand struct {
	remote
	ID    string `arg:"" help:"As legwork calls lists it, or of a call that is over."`
	Width int    `env:"COLUMNS" default:"100" help:"Columns of the screen."`
}

// Run draws a call.
func (c *ladderCommand) Run(t *terminal) error {
	query := "?width=" + strconv.Itoa(c.Width) + "&colour=" + strconv.FormatBool(t.colour && !c.JSON)
	drawn, err := c.fetch(http.MethodGet, "/api/v1/calls/"+url.PathEscape(c.ID)+"/ladder"+query)
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(map[string]string{"id": c.ID, "ladder": string(drawn)})
	}
	t.printf("%s", drawn)
	return nil
}
