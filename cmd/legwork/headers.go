package main

import (
	"fmt"
	"net/url"
	"strings"

	"legwork/b2bua/capture"
)

type headersCommand struct {
	remote
	ID   string `arg:"" help:"As legwork calls lists it, or of a call that is over, as the log and the records have it; last is the newest call."`
	Step int    `placeholder:"N" help:"Only the message of this step, as --json numbers them."`
	Mask string `enum:",numbers" default:"" placeholder:"numbers" help:"Hide the ends of telephone numbers; secrets always are hidden."`
}

// Run says of each message that left where each of its fields came from.
func (c *headersCommand) Run(t *terminal) error {
	query := url.Values{"format": {"json"}}
	if c.Mask != "" {
		query.Set("mask", c.Mask)
	}
	var story capture.Story
	if err := c.ask("GET", ladderPath(c.ID, query), &story); err != nil {
		return err
	}
	var sent []capture.Step
	for _, st := range story.Steps {
		if st.Kind == capture.Sent && (c.Step == 0 || c.Step == st.N) {
			sent = append(sent, st)
		}
	}
	if len(sent) == 0 {
		return fmt.Errorf("no message of call %s left%s", c.ID, atStep(c.Step))
	}
	if c.JSON {
		return t.json(map[string]any{"id": story.ID, "steps": sent})
	}
	for i := range sent {
		if i > 0 {
			t.printf("\n")
		}
		t.origins(&story, &sent[i])
	}
	return nil
}

func atStep(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" at step %d", n)
}

// widest is how much of a value is shown.
const widest = 60

// origins prints one message's.
func (t *terminal) origins(s *capture.Story, st *capture.Step) {
	to := "the caller"
	if st.Leg > 0 {
		to = fmt.Sprintf("callee %d", st.Leg)
		if st.Leg < len(s.Parties) && s.Parties[st.Leg].Trunk != "" {
			to = s.Parties[st.Leg].Trunk
		}
	}
	t.printf("%s\n", t.paint(bold, printable(fmt.Sprintf("%d  %.3f  %s to %s", st.N, st.After, st.Message.Label(), to))))
	if st.Message.Cut {
		t.printf("it is longer than what is kept\n")
		return
	}
	var rows [][]string
	for _, o := range st.Message.Headers {
		rows = append(rows, origin(o, string(o.From)))
	}
	for _, o := range st.Message.Left {
		by := "left out"
		if o.From != capture.Engine {
			by += " by " + string(o.From)
		}
		rows = append(rows, origin(o, by))
	}
	t.table("not kept", []string{"FIELD", "VALUE", "FROM", "WHY"}, rows)
}

func origin(o capture.Origin, from string) []string {
	value := []rune(strings.Join(strings.Fields(o.Value), " "))
	if len(value) > widest {
		value = append(value[:widest-1], '…')
	}
	return []string{o.Name, string(value), strings.TrimSpace(from + " " + o.Where), o.Why}
}
