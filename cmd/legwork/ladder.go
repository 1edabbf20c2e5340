package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// shown is part of every command that shows stories of calls.
type shown struct {
	HTML bool   `name:"html" help:"Print one HTML page that needs nothing else."`
	Mask string `enum:",numbers" default:"" placeholder:"numbers" help:"Hide the ends of telephone numbers; secrets always are hidden."`
}

// form is the parameter format.
func (o *shown) form(asJSON bool) string {
	switch {
	case o.HTML:
		return "html"
	case asJSON:
		return "json"
	}
	return "text"
}

type ladderCommand struct {
	remote
	shown
	ID string `arg:"" help:"As legwork calls lists it, or of a call that is over, as the log and the records have it; last is the newest call."`
	screen
}

// Run draws a call.
func (c *ladderCommand) Run(t *terminal) error {
	query := url.Values{"format": {c.form(c.JSON)}, "width": {strconv.Itoa(c.columns())}, "colour": {strconv.FormatBool(t.colour)}}
	if c.Mask != "" {
		query.Set("mask", c.Mask)
	}
	drawn, err := c.fetch(http.MethodGet, ladderPath(c.ID, query))
	switch {
	case err != nil:
		return err
	case c.JSON && !c.HTML:
		return t.json(json.RawMessage(drawn))
	}
	t.printf("%s", drawn)
	return nil
}

func ladderPath(id string, query url.Values) string {
	return "/api/v1/calls/" + url.PathEscape(id) + "/ladder?" + query.Encode()
}
