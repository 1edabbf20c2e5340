package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/admin"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

type trunksCommand struct {
	remote
	Action string `arg:"" optional:"" enum:"enable,disable," default:"" help:"enable, or disable: no new calls to it, 503 for those from it, until the process ends."`
	Name   string `arg:"" optional:"" help:"Of the trunk to enable or disable."`
	Match  string `placeholder:"SOURCE" help:"Say which trunk a source belongs to, and why: an IP address, user:NAME, listener:NAME, or a name in a certificate."`
}

// turn enables or disables a trunk.
func (c *trunksCommand) turn(t *terminal) error {
	if c.Name == "" {
		return fmt.Errorf("name the trunk: legwork trunks %s NAME", c.Action)
	}
	var one admin.Trunk
	if err := c.ask(http.MethodPost, "/api/v1/trunks/"+url.PathEscape(c.Name)+"/"+c.Action, &one); err != nil {
		return err
	}
	if c.JSON {
		return t.json(one)
	}
	t.printf("%sd %s\n", c.Action, c.Name)
	return nil
}

// Run lists the trunks, or changes one.
func (c *trunksCommand) Run(t *terminal) error {
	if c.Action != "" {
		return c.turn(t)
	}
	var list admin.TrunkList
	if c.Match != "" {
		return c.show(t, "/api/v1/trunks?match="+url.QueryEscape(c.Match), &list, func() {
			t.table(c.Match+" belongs to no trunk", []string{"NAME", "MATCH", "WHY"}, reasons(c.Match, list.Trunks))
		})
	}
	return c.show(t, "/api/v1/trunks", &list, func() {
		var rows [][]string
		for _, one := range list.Trunks {
			calls := strconv.Itoa(one.Calls)
			if one.MaxCalls > 0 {
				calls = fmt.Sprintf("%d of %d", one.Calls, one.MaxCalls)
			}
			rows = append(rows, []string{
				one.Name, stateOf(&one), calls, strconv.FormatUint(one.Attempts, 10), strconv.FormatUint(one.Answered, 10),
				strconv.FormatUint(one.Failed, 10), registered(one.Registration), whyDown(&one),
			})
		}
		t.table("no trunks", []string{"NAME", "STATE", "CALLS", "ATTEMPTS", "ANSWERED", "FAILED", "REGISTERED", "WHY"}, rows)
	})
}

// reasons say for each entry that a source fits why it decides, or does not.
func reasons(source string, hits []admin.Trunk) [][]string {
	var rows [][]string
	for i, one := range hits {
		why := "the only match"
		switch {
		case one.Rival && hits[0].Host:
			why = "the same address; " + hits[0].Name + " comes before " + one.Name
		case one.Rival:
			why = "the same address, which " + hits[0].Name + " names itself"
		case i > 0 && !strings.HasPrefix(one.Match, "listener:"):
			why = "shorter than " + hits[0].Match
		case strings.HasPrefix(one.Match, "user:"):
			why = "its user, wherever it comes from"
		case strings.HasPrefix(one.Match, "listener:"):
			why = "what comes there and fits no other"
		case one.Match == strings.ToLower(source) && trunk.IsHost(source):
			why = "a name in its certificate, whatever its address"
		case one.Host:
			why = "an address of that name"
		case len(hits) > 1:
			why = "the longest prefix"
		}
		if one.Barred {
			why += "; but its acl keeps it out"
		}
		rows = append(rows, []string{one.Name, one.Match, why})
	}
	return rows
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

// stateOf is a trunk's state in a word, with how many of its targets are alive
// when not all are. One on trial has none, and takes the next call all the same.
func stateOf(one *admin.Trunk) string {
	alive := 0
	for _, t := range one.Targets {
		if t.Up {
			alive++
		}
	}
	switch {
	case !one.Enabled:
		return "disabled"
	case !one.Until.IsZero():
		return "down until " + one.Until.Local().Format(time.TimeOnly)
	case !one.Up:
		return "down"
	case alive == 0 && len(one.Targets) > 0:
		return "on trial"
	case alive < len(one.Targets):
		return fmt.Sprintf("up, %d of %d", alive, len(one.Targets))
	}
	return "up"
}

// whyDown says of a trunk's first target that is down what is the matter with it.
func whyDown(one *admin.Trunk) string {
	for _, t := range one.Targets {
		if t.Up {
			continue
		}
		why := message.MaskURI(t.URI) + ": " + t.Why
		if !t.Until.IsZero() {
			why += ", until " + t.Until.Local().Format(time.TimeOnly)
		}
		return why
	}
	if !one.Until.IsZero() {
		return "penalized by a script"
	}
	return "-"
}
