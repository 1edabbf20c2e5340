package main

import (
	"fmt"
	"net/url"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/admin"
)

type callCommand struct {
	remote
	ID string `arg:"" help:"As legwork calls lists it."`
}

// Run shows a call in progress, or the record of one that is over.
func (c *callCommand) Run(t *terminal) error {
	var story admin.Story
	return c.show(t, "/api/v1/calls/"+url.PathEscape(c.ID), &story, func() {
		switch {
		case story.Call != nil:
			t.call(story.Call)
		case story.Record != nil:
			t.record(story.Record)
		}
	})
}

// field prints one line of a call.
func (t *terminal) field(name, format string, args ...any) {
	t.printf("%s %s\n", t.paint(dim, fmt.Sprintf("%-9s", name)), printable(fmt.Sprintf(format, args...)))
}

func (t *terminal) call(c *admin.Call) {
	t.field("call", "%s", c.ID)
	t.field("phase", "%s", c.Phase)
	t.field("from", "%s", c.From)
	t.field("to", "%s", c.To)
	t.field("call-id", "%s", c.CallID)
	t.field("trunk", "%s", orDash(c.Trunk))
	t.field("target", "%s", orDash(c.Target))
	t.field("script", "%s", orDash(c.Script))
	t.field("started", "%s (%s ago)", c.Started.Format(time.RFC3339), since(c.Started))
	if !c.Answered.IsZero() {
		t.field("answered", "%s (%s ago)", c.Answered.Format(time.RFC3339), since(c.Answered))
	}
	for _, l := range c.Legs {
		t.field("leg "+l.Role, "%s -> %s %s", l.Local, l.Remote, l.Target)
	}
}

func (t *terminal) record(r *b2bua.Record) {
	t.field("call", "%s", r.ID)
	t.field("phase", "over: %d %s, hung up by %s", r.Code, r.Reason, r.HungUpBy)
	t.field("from", "%s (%s %s)", r.From, r.Transport, r.Source)
	t.field("to", "%s", r.To)
	t.field("call-id", "%s", r.CallID)
	t.field("trunk", "%s -> %s", orDash(r.Trunk), orDash(r.TargetTrunk))
	t.field("script", "%s", orDash(r.Script))
	t.field("started", "%s", r.Started.Format(time.RFC3339))
	t.field("lasted", "%.3f s ringing, %.3f s talking", r.Ringing, r.Duration)
	for i, a := range r.Attempts {
		t.field(fmt.Sprintf("attempt %d", i+1), "%s: %d %s", a.Target, a.Code, a.Reason)
	}
	for _, note := range r.Notes {
		t.field("note", "%s", note)
	}
}
