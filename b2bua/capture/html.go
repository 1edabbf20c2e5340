package capture

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"
)

//go:embed ladder.html
var pageText string

// page is parsed when the first page is asked for.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("ladder").Parse(pageText))
})

// HTML writes the story as one page that needs nothing else: the ladder as SVG,
// where a message leads to its text, its difference from what it was made of,
// and where its fields come from. It has no scripts and loads nothing.
func (s *Story) HTML(w io.Writer) error {
	if err := page().Execute(w, s.draw()); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	return nil
}

// Pixels of a drawing.
const (
	pixTimes  = 80 // room for the times
	pixThin   = 150
	pixLane   = 260 // the widest
	pixArrow  = 56  // of an arrow, besides its words
	pixRow    = 26
	pixHead   = 70
	pixRemark = 13 // before the text of a remark
	pixRune   = 7.2
)

// drawing is a story laid out.
type drawing struct {
	*Story
	Title         string
	Width, Height int
	lane          int // its width
	Bottom        int // of the lanes
	Lanes         []lane
	Rows          []row
	Panels        []panel
	Status, Rest  string
	Class         string // of Status
}

type lane struct {
	X          int
	Role, Name string
}

// row is one line of the drawing: an arrow from X1 to X2, or words at X1.
type row struct {
	N, Y   int
	Time   string
	Arrow  bool
	X1, X2 int
	Tip    string // of the arrow: its points
	Middle int
	Left   int // where the words on an arrow begin
	Wide   int
	Class  string
	Mark   string
	Where  string
	Text   string
}

// panel is what a step says when it is asked.
type panel struct {
	Step
	Title   string
	Heading string
	Source  string // what Lines compares with
	Lines   []Line
	Plain   []string // the text without a difference
	Last    bool
}

func (s *Story) draw() drawing {
	d := drawing{Story: s, Title: fit(s.From+" → "+s.To, 120), Status: "in progress"}
	count := max(len(s.Parties), 1) + 1
	d.lane = s.roomy(count)
	for i := range count {
		one := lane{X: pixTimes + d.lane/2 + i*d.lane, Role: "legwork", Name: s.Local}
		switch {
		case i == 0:
			one.Role, one.Name = "caller", s.partyName(0)
		case i > 1 && count == 3:
			one.Role, one.Name = "callee", s.partyName(1)
		case i > 1:
			one.Role, one.Name = fmt.Sprintf("callee %d", i-1), s.partyName(i-1)
		}
		one.Name = fit(one.Name, 32)
		d.Lanes = append(d.Lanes, one)
	}
	d.Width = pixTimes + count*d.lane
	y := pixHead
	for i := range s.Steps {
		for _, one := range d.rows(&s.Steps[i]) {
			y += pixRow
			one.Y = y
			d.Rows = append(d.Rows, one)
			d.Width = max(d.Width, one.X1+pixRemark+int(pixRune*float64(columns(one.Where+one.Text)+4)))
		}
		d.Panels = append(d.Panels, s.panel(&s.Steps[i]))
	}
	if len(d.Panels) > 0 {
		d.Panels[len(d.Panels)-1].Last = true
	}
	d.Bottom, d.Height = y+pixRow, y+2*pixRow
	if s.Outcome != nil {
		d.Status, d.Rest = s.Outcome.said()
		d.Class = class(max(s.Outcome.Code, 1))
	}
	return d
}

// roomy is how wide so many lanes are for the words on their arrows and above them.
func (s *Story) roomy(count int) int {
	widest := columns(s.Local)
	for i := range count - 1 {
		widest = max(widest, columns(s.partyName(i)))
	}
	widest = min(widest, 32)
	for i := range s.Steps {
		if st := &s.Steps[i]; st.Message != nil {
			widest = max(widest, min(columns(st.label()), 34))
		}
	}
	return min(max(pixThin, int(pixRune*float64(widest))+pixArrow), pixLane)
}

// rows are those of a step: one, but for the edits of a hook.
func (d *drawing) rows(st *Step) []row {
	own := d.Lanes[min(1, len(d.Lanes)-1)].X
	one := row{N: st.N, Time: fmt.Sprintf("%.3f", st.After), X1: own, Class: string(st.Kind)}
	switch {
	case st.Message != nil:
		there := d.Lanes[0].X
		if st.Leg > 0 {
			there = d.Lanes[min(st.Leg+1, len(d.Lanes)-1)].X
		}
		one.Arrow, one.X1, one.X2 = true, there, own
		if st.Kind == Sent {
			one.X1, one.X2 = own, there
		}
		one.Class, one.Text = class(st.Message.Code), fit(st.label(), 34)
		one.aim(d.lane)
		return []row{one}
	case st.Kind == Edited:
		var all []row
		for i := range st.Edits {
			e := &st.Edits[i]
			one.Mark, _ = st.mark()
			one.Where, one.Text = e.Where, fit(st.Hook+" "+e.said(), 110)
			all = append(all, one)
			one.Time = ""
		}
		return all
	}
	one.Mark, _ = st.mark()
	one.Where, one.Text = st.Where, fit(st.said(), 110)
	return []row{one}
}

// aim points an arrow. Its words stand in the middle of the last two lanes that
// it crosses.
func (r *row) aim(wide int) {
	back := 9
	if r.X2 < r.X1 {
		back = -9
	}
	r.Tip = fmt.Sprintf("%d,0 %d,-4 %d,4", r.X2, r.X2-back, r.X2-back)
	right := max(r.X1, r.X2)
	r.Middle = right - wide/2
	r.Wide = int(pixRune*float64(columns(r.Text))) + 8
	r.Left = r.Middle - r.Wide/2
}

func class(code int) string {
	if code == 0 {
		return "request"
	}
	return fmt.Sprintf("c%dxx", code/100)
}

// panel is what is shown of a step.
func (s *Story) panel(st *Step) panel {
	p := panel{Step: *st, Title: st.label()}
	who := "caller"
	if st.Leg > 0 {
		who = "callee"
		if len(s.Parties) > 2 {
			who = fmt.Sprintf("callee %d", st.Leg)
		}
	}
	switch st.Kind {
	case Received:
		p.Heading = "from the " + who
	case Sent:
		p.Heading = "to the " + who
	default:
		p.Title, p.Heading = st.said(), string(st.Kind)
	}
	if m := st.Message; m != nil {
		if p.Lines = s.Diff(st.N); p.Lines != nil {
			from := s.step(m.Source)
			p.Source = fmt.Sprintf("%s at %.3f s", from.label(), from.After)
		} else {
			p.Plain = strings.Split(strings.TrimRight(strings.ReplaceAll(m.Text, "\r\n", "\n"), "\n"), "\n")
		}
	}
	return p
}

// Is tells a template what a line is.
func (l Line) Is() string {
	switch l.Op {
	case Added:
		return "add"
	case Removed:
		return "del"
	}
	return "same"
}
