package capture

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// ink is how a cell looks on a terminal: the parameters of an SGR sequence.
type ink string

// Who wears which ink.
const (
	plain     ink = ""
	faint     ink = "2"    // lanes and times
	bold      ink = "1"    // headings
	asks      ink = "36"   // requests
	informs   ink = "34"   // 1xx
	succeeds  ink = "32"   // 2xx
	redirects ink = "33"   // 3xx
	fails     ink = "31"   // 4xx to 6xx
	decides   ink = "1;35" // hooks
)

// cell is one column of a line. filler follows a rune of two columns.
type cell struct {
	r   rune
	ink ink
}

const filler = -1

// line is one line of a drawing, written in any order.
type line []cell

// put writes text from a column on, over what is there.
func (l *line) put(col int, text string, i ink) {
	for _, r := range text {
		w := cells(r)
		if w == 0 || col < 0 {
			continue
		}
		for len(*l) < col+w {
			*l = append(*l, cell{' ', plain})
		}
		(*l)[col] = cell{r, i}
		if w == 2 {
			(*l)[col+1] = cell{filler, i}
		}
		col += w
	}
}

// write ends the line without blanks behind it.
func (l line) write(b *strings.Builder, colour bool) {
	end := len(l)
	for end > 0 && l[end-1].r == ' ' {
		end--
	}
	now := plain
	for _, c := range l[:end] {
		if c.r == filler {
			continue
		}
		if colour && c.ink != now && (c.r != ' ' || c.ink == plain) {
			now = c.ink
			b.WriteString("\x1b[0" + strings.TrimSuffix(";"+string(now), ";") + "m")
		}
		b.WriteRune(c.r)
	}
	if colour && now != plain {
		b.WriteString("\x1b[0m")
	}
	b.WriteByte('\n')
}

// cells is the number of columns that a rune takes. What would move the cursor
// or hide takes none: peers choose reason phrases, not our screen.
func cells(r rune) int {
	switch {
	case !unicode.IsPrint(r), unicode.Is(unicode.Mn, r):
		return 0
	case r < 0x1100:
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// columns is the width of a text.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// fit cuts a text to a width.
func fit(s string, most int) string {
	if columns(s) <= most {
		return s
	}
	n := 0
	for i, r := range s {
		if n += cells(r); n > most-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// wrap breaks a text at blanks into lines of a width, and cuts the last.
func wrap(s string, most, lines int) []string {
	var out []string
	now := ""
	for _, word := range strings.Fields(s) {
		switch {
		case now == "":
			now = word
		case columns(now)+1+columns(word) <= most || len(out) == lines-1:
			now += " " + word
		default:
			out = append(out, fit(now, most))
			now = word
		}
	}
	return append(out, fit(now, most))
}
