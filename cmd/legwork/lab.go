package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/capture"
	"legwork/script/luatest"
)

type labCommand struct {
	Config string   `short:"c" placeholder:"FILE" help:"Configuration; default: ./legwork.yaml if it is there, else the main.lua here."`
	To     string   `default:"+4930123456" placeholder:"NUMBER" help:"Number or SIP URI that is called; default: ${default}."`
	Only   []string `placeholder:"NAME,..." help:"Play these misbehaviours; --list has their names."`
	From   []string `placeholder:"TRUNK,..." help:"Calls come from these trunks; default: from each once."`
	Stub   []string `placeholder:"FILE.json" type:"path" help:"Answers to the script's look-ups."`
	List   bool     `help:"List the misbehaviours."`
	JSON   bool     `help:"Print JSON."`
	HTML   string   `name:"html" placeholder:"FILE" type:"path" help:"Also write the grid as one page for a browser, with the ladder of each call."`
}

// Run plays the calls: exit status 1 when a caller got no final answer or
// something was left of a call, 2 for what the user has to mend.
func (c *labCommand) Run(t *terminal) error {
	list, err := c.chosen()
	if err != nil {
		return mend(err)
	}
	if c.List {
		return c.list(t, list)
	}
	s, err := suiteHere(c.Config)
	if err != nil {
		return mend(err)
	}
	if err := s.meet(); err != nil {
		return mend(err)
	}
	lab := luatest.Lab{Config: s.config(), To: c.to(), From: c.From, Play: list}
	if lab.Stubs, err = stubsOf(c.Stub); err != nil {
		return mend(err)
	}
	onVirtualTime(func(test *testing.T) int {
		lab.Config.Bubble = func(f func()) { bubble(test, f) }
		began := time.Now()
		var calls []*labCall
		lab.Ran = func(m luatest.Met) { calls = append(calls, newLabCall(m)) }
		if err := lab.Run(); err != nil {
			return t.fail(mend(s.named(err)))
		}
		return t.fail(c.tell(t, calls, time.Since(began)))
	})
	return nil // not reached: onVirtualTime ends the process
}

// chosen are the misbehaviours that are asked for.
func (c *labCommand) chosen() ([]luatest.Misbehaviour, error) {
	all := luatest.Misbehaviours()
	if len(c.Only) == 0 {
		return all, nil
	}
	var list []luatest.Misbehaviour
	for _, name := range c.Only {
		i := slices.IndexFunc(all, func(m luatest.Misbehaviour) bool { return m.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("--only %s: there is no such misbehaviour; legwork lab --list has them", name)
		}
		list = append(list, all[i])
	}
	return list, nil
}

// to is the Request-URI of the calls.
func (c *labCommand) to() string {
	if strings.HasPrefix(c.To, "sip:") || strings.HasPrefix(c.To, "sips:") {
		return c.To
	}
	return "sip:" + c.To + "@sbc.example"
}

func (c *labCommand) list(t *terminal, list []luatest.Misbehaviour) error {
	type line struct {
		Name string `json:"name"`
		Says string `json:"says"`
	}
	var lines []line
	var rows [][]string
	for _, m := range list {
		lines = append(lines, line{m.Name, m.Says})
		rows = append(rows, []string{m.Name, m.Says})
	}
	if c.JSON {
		return t.json(map[string]any{"misbehaviours": lines})
	}
	t.table("", []string{"MISBEHAVIOUR", "WHAT IT IS"}, rows)
	return nil
}

// labCall is one call of lab --json.
type labCall struct {
	Misbehaviour string          `json:"misbehaviour"`
	Says         string          `json:"says"`
	Trunk        string          `json:"trunk,omitempty"` // that it came from
	Code         int             `json:"code"`            // of what the caller got; 0: nothing final
	Reason       string          `json:"reason"`
	After        float64         `json:"after_seconds"`     // from the INVITE to that
	Tries        int             `json:"tries"`             // targets that were called
	Attempts     []b2bua.Attempt `json:"attempts"`          // empty when the call did not end
	Lasted       float64         `json:"lasted_seconds"`    // from the INVITE to the end of the call
	Cleared      float64         `json:"cleared_seconds"`   // from there until nothing was left of it
	Open         bool            `json:"open,omitempty"`    // the call did not end
	Left         []string        `json:"left"`              // what was left of it for good
	Errors       []string        `json:"errors,omitempty"`  // of scripts, with tracebacks
	Lookups      []string        `json:"lookups,omitempty"` // that no stub answered, as the lines that would
	Story        *capture.Story  `json:"story,omitempty"`   // as calls/{id}/ladder of the admin API has it
}

func newLabCall(m luatest.Met) *labCall {
	c := &labCall{
		Misbehaviour: m.Misbehaviour, Says: m.Says, Trunk: m.Trunk, Code: m.Code, Reason: m.Reason, After: m.After.Seconds(),
		Tries: m.Tries, Attempts: m.Attempts, Lookups: m.Lookups, Lasted: m.Lasted.Seconds(), Cleared: m.Cleared.Seconds(), Open: m.Open, Left: m.Left, Errors: m.Errors,
		Story: m.Story,
	}
	if c.Attempts == nil {
		c.Attempts = []b2bua.Attempt{}
	}
	if c.Left == nil {
		c.Left = []string{}
	}
	return c
}

// bad tells whether a call went as none may.
func (c *labCall) bad() bool { return c.Code == 0 || c.Open || len(c.Left) > 0 || len(c.Errors) > 0 }

// labRow is one line of the grid: the calls of one misbehaviour that look alike.
type labRow struct {
	*labCall
	Trunks []string
}

// cells are what a line says besides the misbehaviour and the trunks.
func (c *labCall) cells() []string {
	met := "nothing final"
	if c.Code > 0 {
		met = fmt.Sprintf("%d %s after %s", c.Code, c.Reason, seconds(c.After))
	}
	ended := seconds(c.Lasted)
	if c.Open {
		ended = "never"
	}
	cleared := seconds(c.Cleared)
	if c.Open || len(c.Left) > 0 {
		cleared = "never"
	}
	left := slices.Clone(c.Left)
	if len(c.Errors) > 0 {
		left = append(left, counted(len(c.Errors), "script error"))
	}
	return []string{met, fmt.Sprint(c.Tries), ended, cleared, cmp.Or(strings.Join(left, ", "), "-")}
}

// seconds are those of a call, in tenths.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond)
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// gridOf puts calls that look alike into one row.
func gridOf(calls []*labCall) []*labRow {
	var rows []*labRow
	for _, one := range calls {
		i := slices.IndexFunc(rows, func(r *labRow) bool {
			return r.Misbehaviour == one.Misbehaviour && slices.Equal(r.cells(), one.cells())
		})
		if i < 0 {
			i = len(rows)
			rows = append(rows, &labRow{labCall: one})
		}
		rows[i].Trunks = append(rows[i].Trunks, cmp.Or(one.Trunk, "nobody known"))
	}
	return rows
}

// headings of the grid.
func headings() []string {
	return []string{"MISBEHAVIOUR", "FROM", "CALLER MET", "TRIES", "ENDED", "CLEARED", "LEFT"}
}

// tell prints what came of the calls.
func (c *labCommand) tell(t *terminal, calls []*labCall, took time.Duration) error {
	grid := gridOf(calls)
	if c.HTML != "" {
		if err := writeLab(c.HTML, c.to(), grid); err != nil {
			return mend(err)
		}
	}
	wrong := 0
	for _, one := range calls {
		if one.bad() {
			wrong++
		}
	}
	if c.JSON {
		if err := t.json(map[string]any{"to": c.to(), "calls": calls}); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, r := range grid {
			rows = append(rows, append([]string{r.Misbehaviour, strings.Join(r.Trunks, " ")}, r.cells()...))
		}
		t.table("no calls", headings(), rows)
		for _, r := range grid {
			t.lines("Errors of the scripts, "+r.Misbehaviour+" from "+strings.Join(r.Trunks, " "), r.Errors)
		}
		t.lines("Look-ups that no stub answered; these lines would, in a file for --stub", lookupsOf(calls))
		t.printf("\n%s to %s in %s: %s\n", counted(len(calls), "call"), c.to(), took.Round(time.Millisecond), labVerdict(wrong))
	}
	if wrong > 0 {
		return exit{code: 1}
	}
	return nil
}

// lookupsOf are those of all calls, each once.
func lookupsOf(calls []*labCall) []string {
	var all []string
	for _, one := range calls {
		all = append(all, one.Lookups...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func labVerdict(wrong int) string {
	if wrong == 0 {
		return "each got a final answer, and nothing is left"
	}
	return counted(wrong, "call") + " went wrong"
}
