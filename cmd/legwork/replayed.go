package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"legwork/b2bua/capture"
	"legwork/script/journal"
	"legwork/script/luatest"
)

// again is a call that changes.
type again struct {
	N       int             `json:"n"`
	Call    string          `json:"call"`
	Began   time.Time       `json:"began"`
	From    string          `json:"from"`
	To      string          `json:"to"`
	Change  *journal.Change `json:"change,omitempty"`
	Needs   []string        `json:"needs,omitempty"`   // look-ups that nothing answers
	Unknown []string        `json:"unknown,omitempty"` // targets that were not called before

	title   string
	number  string // that was called
	was, is journal.Packed
}

// numbers in a look-up, of which there are as many as calls.
var inLookup = regexp.MustCompile(`[0-9]{4,}`)

// compared tells how a call changes; nil: it does not. The error says why that can
// not be known.
func compared(a luatest.Again) (*again, error) {
	switch {
	case a.Is != nil && !a.Was.Cut && !a.Is.Cut:
	case len(a.Errors) > 0:
		return nil, errors.New(a.Errors[0])
	default:
		return nil, errors.New("the call is too long for the log, or met no script this time")
	}
	one := differing(a)
	if one == nil {
		return nil, nil
	}
	var err error
	if one.is, err = journal.Pack(a.Is); err != nil {
		return nil, err
	}
	return one, nil
}

// differing tells how a call changes; nil: it does not.
func differing(a luatest.Again) *again {
	change := journal.Compare(a.Was, a.Is)
	r := a.Was.Record
	one := &again{
		Call: r.ID, Began: a.Was.Began(), From: r.From, To: r.To, Change: change, Needs: a.Needs, Unknown: a.Unknown,
		number: strings.TrimPrefix(a.Was.Number(), "+"), was: a.Call.Packed,
	}
	switch failed := scriptFailure(a.Is); {
	case len(a.Needs) > 0:
		one.title = "needs look-up " + inLookup.ReplaceAllString(a.Needs[0], "*")
	case change == nil:
		return nil
	case failed != "" && scriptFailure(a.Was) == "":
		one.title = "script fails: " + failed
	default:
		one.title = change.String()
		if len(a.Unknown) > 0 {
			one.title += ", unknown callee"
		}
	}
	return one
}

// scriptFailure is the error of a script that a call met, or "".
func scriptFailure(e *journal.Entry) string {
	for i := range e.Steps {
		s := &e.Steps[i]
		if text, is := strings.CutPrefix(s.Text, "error: "); is && s.Hook != "" {
			line, _, _ := strings.Cut(text, "\n")
			return line
		}
	}
	return ""
}

// replayReport is what legwork replay found. Its names in JSON stay.
type replayReport struct {
	Calls    int           `json:"calls"`
	Changed  int           `json:"changed"`
	Left     int           `json:"left_out"` // could not be played
	LeftWhy  string        `json:"left_out_because,omitempty"`
	Groups   []replayGroup `json:"groups"`
	changing []again
}

// replayGroup is calls that change in the same way.
type replayGroup struct {
	Title  string  `json:"title"`
	Count  int     `json:"count"`
	Prefix string  `json:"prefix,omitempty"` // that all numbers called have
	Calls  []again `json:"calls"`
}

// report groups the changes, most first, and numbers the calls in that order.
func (r *replayed) report() *replayReport {
	all := &replayReport{Calls: r.total, Changed: len(r.list), Left: len(r.lost), Groups: []replayGroup{}}
	if len(r.lost) > 0 {
		all.LeftWhy = r.lost[0]
	}
	byTitle := map[string][]again{}
	for _, one := range r.list {
		byTitle[one.title] = append(byTitle[one.title], one)
	}
	for title, calls := range byTitle {
		slices.SortFunc(calls, func(a, b again) int { return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.Call, b.Call)) })
		all.Groups = append(all.Groups, replayGroup{Title: title, Count: len(calls), Prefix: prefixOf(calls), Calls: calls})
	}
	slices.SortFunc(all.Groups, func(a, b replayGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Title, b.Title))
	})
	n := 0
	for i := range all.Groups {
		for j := range all.Groups[i].Calls {
			n++
			all.Groups[i].Calls[j].N = n
			all.changing = append(all.changing, all.Groups[i].Calls[j])
		}
	}
	return all
}

// prefixOf is what all numbers that were called begin with.
func prefixOf(calls []again) string {
	prefix := calls[0].number
	for _, one := range calls[1:] {
		for !strings.HasPrefix(one.number, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

// tell prints the report, or opens one call of it.
func (c *replayCommand) tell(t *terminal, all *replayReport) error {
	switch {
	case c.Open > 0:
		return c.open(t, all)
	case c.JSON:
		if c.Limit > 0 {
			for i := range all.Groups {
				g := &all.Groups[i]
				g.Calls = g.Calls[:min(len(g.Calls), c.Limit)]
			}
		}
		return t.json(all)
	}
	t.printf("%s played again, %s\n", counted(all.Calls, "call"), printable(outcomeOf(all)))
	for i, g := range all.Groups {
		if c.Limit > 0 && i == c.Limit {
			t.printf("and %s more\n", counted(len(all.Groups)-i, "group"))
			break
		}
		prefix := ""
		if g.Prefix != "" {
			prefix = ", prefix " + g.Prefix
		}
		t.printf("%7d  %s  (--open %d)\n", g.Count, printable(g.Title+prefix), g.Calls[0].N)
	}
	return nil
}

func outcomeOf(all *replayReport) string {
	text := "none changes"
	if all.Changed > 0 {
		text = fmt.Sprintf("%d change", all.Changed)
	}
	if all.Left > 0 {
		text += fmt.Sprintf("; %d could not be (%s)", all.Left, all.LeftWhy)
	}
	return text
}

// opened is one call of the report, whole. Its names in JSON stay.
type opened struct {
	again
	Was  *capture.Story `json:"was"`
	Is   *capture.Story `json:"is"`
	Diff []journal.Pair `json:"diff"`
}

// open shows one call: as it went, as it goes, and how what is sent differs.
func (c *replayCommand) open(t *terminal, all *replayReport) error {
	if c.Open > len(all.changing) {
		return mend(fmt.Errorf("--open %d: %s", c.Open, outcomeOf(all)))
	}
	one := opened{again: all.changing[c.Open-1]}
	was, err := one.was.Entry()
	if err != nil {
		return err
	}
	is, err := one.is.Entry()
	if err != nil {
		return err
	}
	one.Was, one.Is, one.Diff = was.Story(), is.Story(), journal.Diff(was, is)
	if c.HTML != "" {
		if err := writePage(c.HTML, one.Is); err != nil {
			return mend(err)
		}
	}
	if c.JSON {
		return t.json(one)
	}
	style := capture.Style{Width: c.columns(), Colour: t.colour}
	t.printf("%s\n\nas it went, %s:\n%s", printable(one.Call+": "+one.title), printable(one.Was.Outcome.Script), one.Was.Text(style))
	t.printf("\nas it goes, %s:\n%s", printable(one.Is.Outcome.Script), one.Is.Text(style))
	for _, p := range one.Diff {
		t.printf("\nINVITE to %s:\n", printable(p.Target))
		for _, line := range p.Lines {
			t.difference(line)
		}
	}
	return nil
}
