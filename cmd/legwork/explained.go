package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"legwork/b2bua"
	"legwork/b2bua/admin"
	"legwork/b2bua/capture"
	"legwork/b2bua/message"
	"legwork/script/luatest"
)

// explained is what explain --json prints.
type explained struct {
	Message  string          `json:"message"` // the file
	Source   string          `json:"source"`  // ip:port that the call came from
	Trunk    string          `json:"trunk,omitempty"`
	Assumed  bool            `json:"assumed,omitempty"` // nothing said where the call came from: there is one trunk
	Match    []fit           `json:"match"`             // entries of trunks that the source fits, the one that decides first
	Callees  []string        `json:"callees"`           // what each target did, in turn; the last stands for all behind it
	Code     int             `json:"code"`              // of what the caller got; 0: nothing final
	Reason   string          `json:"reason"`
	Attempts []b2bua.Attempt `json:"attempts"`
	Story    *capture.Story  `json:"story"`             // as calls/{id}/ladder of the admin API has it
	Messages []changed       `json:"messages"`          // those that left, in order
	Refusal  string          `json:"refusal,omitempty"` // the one message that left when no call came of the INVITE
	Fields   map[string]any  `json:"fields,omitempty"`
	Errors   []string        `json:"errors,omitempty"`  // of scripts, with tracebacks
	Output   []string        `json:"output,omitempty"`  // printed by scripts
	Lookups  []string        `json:"lookups,omitempty"` // that no stub answered, as the lines that would
	Open     bool            `json:"open,omitempty"`    // the call did not end

	other     bool   // it is a request outside any call
	width     int    // columns of the screen; 0: the usual
	otherwise string // what else the user may ask for, when the source is no trunk's
}

type fit struct {
	Trunk string `json:"trunk"`
	Entry string `json:"entry"`
	Why   string `json:"why"`
}

// changed is a message that left, against the one that it was made of.
type changed struct {
	Step int            `json:"step"` // of the story
	Diff []capture.Line `json:"diff"` // null: it was made of none
}

// explain puts together what is told of a call.
func (c *explainCommand) explain(scene *luatest.Scene, p *luatest.Played) *explained {
	e := &explained{
		Message: c.Message, Source: p.Source.String(), Match: []fit{}, Callees: []string{}, Attempts: []b2bua.Attempt{},
		Story: p.Story, Messages: []changed{}, Errors: p.Errors, Output: p.Output, Lookups: p.Lookups, Open: p.Open, Assumed: p.Assumed, other: p.Method != "INVITE", width: c.columns(),
	}
	var hits []admin.Trunk
	for _, h := range p.Match {
		hits = append(hits, admin.Trunk{Name: h.Trunk, Match: h.Entry, Host: h.Host, Barred: h.Barred, Rival: h.Rival})
	}
	for _, row := range reasons(p.Source.Addr().String(), hits) {
		e.Match = append(e.Match, fit{row[0], row[1], row[2]})
	}
	if len(e.Match) > 0 {
		e.Trunk = e.Match[0].Trunk
	}
	for _, one := range scene.Callees {
		e.Callees = append(e.Callees, one.String())
	}
	if p.Final != nil {
		e.Code, e.Reason = p.Final.Status, p.Final.Reason
	}
	if p.Record != nil {
		e.Attempts, e.Fields = p.Record.Attempts, p.Record.Fields
	}
	if p.Story == nil {
		if p.Final != nil {
			e.Refusal = message.Mask(string(p.Final.Raw))
		}
		return e
	}
	for i := range p.Story.Steps {
		if st := &p.Story.Steps[i]; st.Kind == capture.Sent {
			e.Messages = append(e.Messages, changed{st.N, p.Story.Diff(st.N)})
		}
	}
	return e
}

// tell prints what came of the call.
func (c *explainCommand) tell(t *terminal, s *suite, scene *luatest.Scene, p *luatest.Played) error {
	e := c.explain(scene, p)
	if c.Source == "" && len(s.cfg.Trunks) > 0 {
		e.otherwise = "; --from-trunk plays it from one"
	}
	if c.JSON {
		if err := t.json(e); err != nil {
			return err
		}
	} else {
		e.print(t, s)
	}
	if err := c.page(p); err != nil {
		return err
	}
	if len(e.Errors) > 0 {
		return exit{code: 1}
	}
	return nil
}

// page writes the call, if a page is asked for.
func (c *explainCommand) page(p *luatest.Played) error {
	if c.HTML == "" {
		return nil
	}
	if p.Story == nil {
		return mend(errors.New("--html: no call came of the message, so that there is no page"))
	}
	return mend(writePage(c.HTML, p.Story))
}

// writePage writes a call for a browser.
func writePage(path string, s *capture.Story) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(s.HTML(file), file.Close())
}

func (e *explained) print(t *terminal, s *suite) {
	e.printSource(t)
	if e.Story != nil {
		t.printf("\n%s", e.Story.Text(capture.Style{Width: e.width, Colour: t.colour}))
		for _, one := range e.Messages {
			e.printMessage(t, one)
		}
	} else if e.Refusal != "" {
		t.printf("\n%s\n", t.paint(bold, "no call comes of it; what leaves, to the caller ("+e.Source+")"))
		e.printText(t, e.Refusal)
	}
	t.lines("Printed by the scripts", e.Output)
	t.lines("Look-ups that no stub answered; these lines would, in a file for --stub", e.Lookups)
	t.lines("Errors of the scripts, in "+s.source.Path, e.Errors)
	switch {
	case e.Open:
		t.printf("\n%s\n", t.paint(red, "The call did not end within a day."))
	case e.Code == 0:
		t.printf("\nThe caller got no final answer.\n")
	default:
		t.printf("\nThe caller got %s.\n", t.paint(bold, printable(fmt.Sprintf("%d %s", e.Code, e.Reason))))
	}
}

// printSource says which trunk the call belongs to, and why.
func (e *explained) printSource(t *terminal) {
	if e.Trunk == "" {
		t.printf("from %s, which belongs to no trunk%s\n", e.Source, e.otherwise)
	} else {
		first := e.Match[0]
		t.printf("from %s: trunk %s by %s, %s\n", e.Source, t.paint(bold, first.Trunk), first.Entry, first.Why)
		for _, m := range e.Match[1:] {
			t.printf("  not trunk %s by %s, %s\n", m.Trunk, m.Entry, m.Why)
		}
	}
	if e.Assumed {
		t.printf("  which is assumed: nothing says where the call comes from, and there is no other trunk\n")
	}
	for i, one := range e.Callees {
		who := fmt.Sprintf("target %d", i+1)
		switch {
		case len(e.Callees) == 1:
			who = "every target"
		case i == len(e.Callees)-1:
			who += " and those behind it"
		}
		t.printf("%s: %s\n", who, one)
	}
	if len(e.Callees) == 0 {
		usual := "180 200"
		if e.other {
			usual = "200"
		}
		t.printf("targets: %s (--b says otherwise)\n", usual)
	}
}

// printMessage shows a message that left and what is another in it than in the
// one it was made of.
func (e *explained) printMessage(t *terminal, one changed) {
	st := &e.Story.Steps[0]
	for i := range e.Story.Steps {
		if e.Story.Steps[i].N == one.Step {
			st = &e.Story.Steps[i]
		}
	}
	m := st.Message
	name := m.Method
	if m.Code > 0 {
		name = fmt.Sprintf("%d %s (%s)", m.Code, m.Reason, m.Method)
	}
	made := ""
	if one.Diff != nil {
		made = fmt.Sprintf(", made of message %d", m.Source)
	}
	t.printf("\n%s\n", t.paint(bold, printable(fmt.Sprintf("%d  %.3f s  %s to %s%s", one.Step, st.After, name, e.party(st.Leg), made))))
	if one.Diff == nil {
		e.printText(t, m.Text)
		return
	}
	for _, line := range one.Diff {
		t.difference(line)
	}
}

// difference prints one line of a difference.
func (t *terminal) difference(line capture.Line) {
	style := map[capture.Op]string{capture.Added: green, capture.Removed: red, capture.Same: dim}[line.Op]
	t.printf("  %s\n", t.paint(style, string(line.Op)+" "+printable(line.Text)))
}

// printText shows a message that was made of none.
func (e *explained) printText(t *terminal, text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\r\n")) {
		t.printf("    %s\n", t.paint(dim, printable(strings.TrimRight(line, "\r\n"))))
	}
}

// party names who is at the far end of a leg.
func (e *explained) party(leg int) string {
	name := "the caller"
	if leg > 0 {
		name = fmt.Sprintf("target %d", leg)
	}
	if leg >= len(e.Story.Parties) {
		return name
	}
	p := e.Story.Parties[leg]
	switch {
	case p.Trunk != "" && p.Remote != "":
		name += " (" + p.Trunk + ", " + p.Remote + ")"
	case p.Remote != "":
		name += " (" + p.Remote + ")"
	}
	return name
}

// lines prints a list under a heading, if there is any.
func (t *terminal) lines(heading string, list []string) {
	if len(list) == 0 {
		return
	}
	t.printf("\n%s\n", t.paint(bold, heading+":"))
	for _, one := range list {
		for line := range strings.Lines(one) {
			t.printf("  %s\n", printable(strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), "\n")))
		}
	}
}
