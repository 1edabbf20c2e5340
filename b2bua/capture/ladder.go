package capture

import (
	"fmt"
	"strings"
	"time"

	"legwork/b2bua"
)

// Style is how a ladder is drawn.
type Style struct {
	Width  int  // columns of the screen; 0: 100
	Colour bool // with ANSI sequences
}

// Ladder draws a call: caller, legwork and each callee are lanes, each message
// is an arrow, each decision a row at our lane with the script's line. False:
// the call is not in the ring.
func (r *Ring) Ladder(id string, style Style) (string, bool) {
	s, ok := r.story(id)
	if !ok {
		return "", false
	}
	l := layout(&s, style)
	l.heading()
	for i, st := range s.steps {
		if i == headSteps && s.seen > maxSteps {
			l.skipped(s.seen - maxSteps)
		}
		l.step(st)
	}
	l.footing()
	return l.out.String(), true
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
	story *story
	style Style
	gap   int
	first int // column of the caller's lane
	lanes int // caller, legwork, callees
	out   strings.Builder
}

// layout gives each callee a lane as long as the screen has room; the rest
// share the last one.
func layout(s *story, style Style) *ladder {
	if style.Width <= 0 {
		style.Width = 100
	}
	style.Width = max(style.Width, minWidth)
	l := &ladder{story: s, style: style, gap: minGap}
	for _, st := range s.steps {
		l.gap = max(l.gap, columns(st.label())+8)
	}
	for i := range s.parties {
		l.gap = max(l.gap, columns(s.parties[i].name())+2)
	}
	l.gap = min(l.gap, maxGap)
	l.lanes = max(len(s.parties), 1) + 1
	l.first = timeEnd + 2 + min(columns(l.partyName(0)), minGap)/2
	room := style.Width - l.first - minGap/2
	l.lanes = max(min(l.lanes, room/minGap+1), 3)
	l.lanes = min(l.lanes, max(len(s.parties), 1)+1)
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
func (l *ladder) row(after time.Duration) line {
	var row line
	if after >= 0 {
		text := fmt.Sprintf("%.3f", after.Seconds())
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
	title.put(0, fit("call "+l.story.id+"  "+l.story.from+" → "+l.story.to, l.style.Width), bold)
	l.end(title)
	l.end(nil)
	for lane := range l.lanes {
		role, name := "legwork", l.story.local
		switch {
		case lane == 0:
			role, name = "caller", l.partyName(0)
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
	leg, last := lane-1, len(l.story.parties)-1
	switch {
	case last == 1:
		return "callee", l.partyName(1)
	case lane == l.lanes-1 && leg < last:
		return fmt.Sprintf("callees %d-%d", leg, last), ""
	}
	return fmt.Sprintf("callee %d", leg), l.partyName(leg)
}

func (l *ladder) partyName(leg int) string {
	if leg >= len(l.story.parties) {
		return ""
	}
	return l.story.parties[leg].name()
}

func (p party) name() string {
	if p.trunk != "" {
		return p.trunk
	}
	return p.remote
}

func (l *ladder) centre(row *line, lane int, text string, i ink) {
	text = fit(text, l.gap-2)
	row.put(l.column(lane)-columns(text)/2, text, i)
}

func (l *ladder) step(st step) {
	switch st.kind {
	case b2bua.EventReceived:
		l.arrow(st, l.lane(st.leg), 1)
	case b2bua.EventSent:
		l.arrow(st, 1, l.lane(st.leg))
	case b2bua.EventDecided:
		text := "→ " + st.text
		if st.hook != "" {
			text = st.hook + " " + text
		}
		l.remark(st, "◆", text, decides)
	case b2bua.EventNote:
		l.remark(st, "•", st.text, plain)
	}
}

// arrow draws a message between two lanes.
func (l *ladder) arrow(st step, from, to int) {
	row, colour := l.row(st.after), st.ink()
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

// remark writes at our lane what happened inside, with the script's line.
func (l *ladder) remark(st step, mark, text string, i ink) {
	col := l.column(1)
	most := max(l.style.Width-col-3, 24)
	if st.where != "" {
		text = st.where + " " + text
	}
	for n, part := range wrap(text, most, 4) {
		after := st.after
		if n > 0 {
			after, mark = -1, "│"
		}
		row := l.row(after)
		row.put(col, mark, i)
		row.put(col+1, " "+part+" ", i)
		if n == 0 && st.where != "" {
			row.put(col+2, fit(st.where, most), faint)
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
	r := l.story.record
	if r == nil {
		row.put(0, "in progress", bold)
		l.end(row)
		return
	}
	outcome := "no answer sent"
	if r.Code > 0 {
		outcome = strings.TrimSpace(fmt.Sprintf("%d %s", r.Code, r.Reason))
	}
	row.put(0, outcome, step{code: max(r.Code, 1)}.ink())
	rest := ""
	if r.HungUpBy != "" {
		rest += " · ended by " + r.HungUpBy
	}
	if !r.Answered.IsZero() {
		rest += fmt.Sprintf(" · talked %.3f s", r.Duration)
	}
	if r.Script != "" {
		rest += " · " + r.Script
	}
	row.put(columns(outcome), rest, faint)
	l.end(row)
}

// label is the text on an arrow: a response to anything but INVITE tells what
// it answers.
func (st step) label() string {
	if st.kind != b2bua.EventReceived && st.kind != b2bua.EventSent {
		return ""
	}
	text := st.method
	if st.code > 0 {
		text = fmt.Sprintf("%d %s", st.code, st.text)
		if st.method != "INVITE" {
			text += " (" + st.method + ")"
		}
	}
	if st.sdp {
		text += " +SDP"
	}
	return text
}

func (st step) ink() ink {
	switch st.code / 100 {
	case 0:
		if st.code > 0 {
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
