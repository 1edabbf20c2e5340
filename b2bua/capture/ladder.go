package capture

import (
	"fmt"
	"strings"

	"legwork/b2bua/message"
)

// Style is how a ladder is drawn.
type Style struct {
	Width  int  // columns of the screen; 0: 100
	Colour bool // with ANSI sequences
	Mask   Mask // of Ring.Ladder
}

// Ladder draws a call. False: the call is not in the ring.
func (r *Ring) Ladder(id string, style Style) (string, bool) {
	s, ok := r.Story(id, style.Mask)
	if !ok {
		return "", false
	}
	return s.Text(style), true
}

// Text draws the story: caller, legwork and each callee are lanes, each message
// is an arrow, and what happened between them is a row at our lane with the
// script's line.
func (s *Story) Text(style Style) string {
	l := layout(s, style)
	l.heading()
	last := 0
	for i := range s.Steps {
		st := &s.Steps[i]
		if st.N > last+1 {
			l.skipped(st.N - last - 1)
		}
		last = st.N
		l.step(st)
	}
	l.footing()
	return l.out.String()
}

// Columns of a ladder.
const (
	timeEnd  = 10 // the times end here
	minGap   = 20 // between two lanes
	maxGap   = 32
	minWidth = 80
)

// ladder is a drawing under way.
type ladder struct {
	story *Story
	style Style
	gap   int
	first int // column of the caller's lane
	lanes int // caller, legwork, callees
	out   strings.Builder
}

// layout gives each callee a lane as long as the screen has room; the rest
// share the last one.
func layout(s *Story, style Style) *ladder {
	if style.Width <= 0 {
		style.Width = 100
	}
	style.Width = max(style.Width, minWidth)
	l := &ladder{story: s, style: style, gap: minGap}
	for i := range s.Steps {
		l.gap = max(l.gap, columns(s.Steps[i].label())+8)
	}
	for i := range s.Parties {
		l.gap = max(l.gap, columns(s.Parties[i].name())+2)
	}
	l.gap = min(l.gap, maxGap)
	l.lanes = max(len(s.Parties), 1) + 1
	l.first = timeEnd + 2 + min(columns(l.story.partyName(0)), minGap)/2
	room := style.Width - l.first - minGap/2
	l.lanes = max(min(l.lanes, room/minGap+1), 3)
	l.lanes = min(l.lanes, max(len(s.Parties), 1)+1)
	if l.lanes > 1 {
		l.gap = max(min(l.gap, room/(l.lanes-1)), minGap)
	}
	return l
}

// lane of a leg: the caller, then legwork, then the callees.
func (l *ladder) lane(leg int) int {
	if leg == 0 {
		return 0
	}
	return min(leg+1, l.lanes-1)
}

func (l *ladder) column(lane int) int { return l.first + lane*l.gap }

// row is a line with a time and all lanes; after below zero leaves the time out.
func (l *ladder) row(after float64) line {
	var row line
	if after >= 0 {
		text := fmt.Sprintf("%.3f", after)
		row.put(max(timeEnd-len(text), 0), text, faint)
	}
	for lane := range l.lanes {
		row.put(l.column(lane), "│", faint)
	}
	return row
}

func (l *ladder) end(row line) { row.write(&l.out, l.style.Colour) }

func (l *ladder) heading() {
	var title, roles, names line
	title.put(0, fit("call "+l.story.ID+"  "+l.story.From+" → "+l.story.To, l.style.Width), bold)
	l.end(title)
	l.end(nil)
	for lane := range l.lanes {
		role, name := "legwork", l.story.Local
		switch {
		case lane == 0:
			role, name = "caller", l.story.partyName(0)
		case lane > 1:
			role, name = l.callee(lane)
		}
		l.centre(&roles, lane, role, bold)
		l.centre(&names, lane, name, faint)
	}
	l.end(roles)
	l.end(names)
	l.end(l.row(-1))
}

// callee names a lane right of ours.
func (l *ladder) callee(lane int) (role, name string) {
	leg, last := lane-1, len(l.story.Parties)-1
	switch {
	case last == 1:
		return "callee", l.story.partyName(1)
	case lane == l.lanes-1 && leg < last:
		return fmt.Sprintf("callees %d-%d", leg, last), ""
	}
	return fmt.Sprintf("callee %d", leg), l.story.partyName(leg)
}

func (l *ladder) centre(row *line, lane int, text string, i ink) {
	text = fit(text, l.gap-2)
	row.put(l.column(lane)-columns(text)/2, text, i)
}

func (l *ladder) step(st *Step) {
	switch st.Kind {
	case Received:
		l.arrow(st, l.lane(st.Leg), 1)
	case Sent:
		l.arrow(st, 1, l.lane(st.Leg))
	case Edited:
		l.edits(st)
	default:
		mark, i := st.mark()
		l.remark(st.After, mark, st.Where, st.said(), i)
	}
}

// mark is how a step looks that is no message.
func (st *Step) mark() (string, ink) {
	switch st.Kind {
	case Decision:
		return "◆", decides
	case Edited:
		return "✎", decides
	case Lookup:
		return "⇄", informs
	case Limit:
		return "▲", redirects
	case Timer:
		return "◷", redirects
	case Failure:
		return "✗", fails
	default:
		return "•", plain
	}
}

// said is such a step in words.
func (st *Step) said() string {
	text := st.Text
	if st.Kind == Decision {
		text = "→ " + text
	}
	if st.Hook != "" {
		text = st.Hook + " " + text
	}
	if st.Took > 0 {
		text += fmt.Sprintf(" (%.0f ms)", st.Took*1000)
	}
	return text
}

// maxDrawn is how many edits of one hook have rows of their own.
const maxDrawn = 8

// edits draws what a hook wrote, each with its line.
func (l *ladder) edits(st *Step) {
	mark, i := st.mark()
	after := st.After
	for n := range st.Edits {
		if n == maxDrawn {
			l.remark(-1, mark, "", fmt.Sprintf("… %d more edits", len(st.Edits)-n), faint)
			return
		}
		e := &st.Edits[n]
		l.remark(after, mark, e.Where, st.Hook+" "+e.said(), i)
		after = -1
	}
}

// said is an edit in words.
func (e *Edit) said() string {
	value := strings.Join(strings.Fields(e.Value), " ")
	if message.Same(e.Name, "From") || message.Same(e.Name, "To") {
		value = message.WithTag(value, "") // it is not the script's
	}
	switch {
	case e.Op == "map":
		return value
	case e.Op == "add":
		return "+ " + e.Name + " " + value
	case e.Op == "remove":
		return "- " + e.Name
	case e.Op == "set" && value == "":
		return e.Name + " changed"
	case e.Op == "set":
		return e.Name + " = " + value
	}
	return e.Op + " " + e.Name
}

// arrow draws a message between two lanes.
func (l *ladder) arrow(st *Step, from, to int) {
	row, colour := l.row(st.After), st.Message.ink()
	left, right := l.column(min(from, to)), l.column(max(from, to))
	for col := left + 1; col < right; col++ {
		row.put(col, "─", colour)
	}
	for lane := min(from, to) + 1; lane < max(from, to); lane++ {
		row.put(l.column(lane), "┼", colour)
	}
	label := " " + fit(st.label(), l.gap-5) + " "
	start := l.column(max(from, to)-1) + 1 // between the last two lanes
	if min(from, to) == 0 {
		start = left + 1
	}
	row.put(start+(l.gap-1-columns(label))/2, label, colour)
	if from < to {
		row.put(right-1, "▶", colour)
	} else {
		row.put(left+1, "◀", colour)
	}
	l.end(row)
}

// remark writes at our lane what happened inside, with the script's line. Its
// further lines have no time, and a bar for a mark.
func (l *ladder) remark(after float64, mark, where, text string, i ink) {
	col := l.column(1)
	most := max(l.style.Width-col-3, 24)
	if where != "" {
		text = where + " " + text
	}
	for n, part := range wrap(text, most, 4) {
		if n > 0 {
			after, mark = -1, "│"
		}
		row := l.row(after)
		row.put(col, mark, i)
		row.put(col+1, " "+part+" ", i)
		if n == 0 && where != "" {
			row.put(col+2, fit(where, most), faint)
		}
		l.end(row)
	}
}

func (l *ladder) skipped(n int) {
	row := l.row(-1)
	row.put(l.column(1)+1, fmt.Sprintf(" … %d more … ", n), faint)
	l.end(row)
}

func (l *ladder) footing() {
	l.end(l.row(-1))
	var row line
	o := l.story.Outcome
	if o == nil {
		row.put(0, "in progress", bold)
		l.end(row)
		return
	}
	status, rest := o.said()
	row.put(0, status, inkOf(max(o.Code, 1)))
	row.put(columns(status), rest, faint)
	l.end(row)
}

// said is how a call ended in words.
func (o *Outcome) said() (status, rest string) {
	status = "no answer sent"
	if o.Code > 0 {
		status = strings.TrimSpace(fmt.Sprintf("%d %s", o.Code, o.Reason))
	}
	if o.HungUpBy != "" {
		rest += " · ended by " + o.HungUpBy
	}
	if o.Answered {
		rest += fmt.Sprintf(" · talked %.3f s", o.Talked)
	}
	if o.Script != "" {
		rest += " · " + o.Script
	}
	return status, rest
}

// label is the text on an arrow.
func (st *Step) label() string {
	if st.Message == nil {
		return ""
	}
	return st.Message.Label()
}

// Label is a message in few words: a response to anything but INVITE tells what
// it answers.
func (m *Message) Label() string {
	text := m.Method
	if m.Code > 0 {
		text = fmt.Sprintf("%d %s", m.Code, m.Reason)
		if m.Method != "INVITE" {
			text += " (" + m.Method + ")"
		}
	}
	if m.SDP {
		text += " +SDP"
	}
	return text
}

func (m *Message) ink() ink { return inkOf(m.Code) }

func inkOf(code int) ink {
	switch code / 100 {
	case 0:
		if code > 0 {
			return plain
		}
		return asks
	case 1:
		return informs
	case 2:
		return succeeds
	case 3:
		return redirects
	}
	return fails
}
