package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// terminal is where a command writes. Colours are for people: none on a pipe,
// none with NO_COLOR (no-color.org).
type terminal struct {
	out, err io.Writer
	colour   bool
}

func newTerminal(out, err *os.File) *terminal {
	_, plain := os.LookupEnv("NO_COLOR")
	st, statErr := out.Stat()
	person := statErr == nil && st.Mode()&os.ModeCharDevice != 0
	return &terminal{out: out, err: err, colour: person && !plain && os.Getenv("TERM") != "dumb"}
}

func (t *terminal) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

// Sequences of ECMA-48 for the few colours in use.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

func (t *terminal) paint(style, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

// json prints a value for machines.
func (t *terminal) json(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.out, string(b))
	return err
}

// table prints rows under headings; without rows it says none.
func (t *terminal) table(none string, headings []string, rows [][]string) {
	if len(rows) == 0 {
		t.printf("%s\n", none)
		return
	}
	widths := make([]int, len(headings))
	for _, row := range append([][]string{headings}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	t.printf("%s\n", t.paint(bold, aligned(headings, widths)))
	for _, row := range rows {
		t.printf("%s\n", aligned(row, widths))
	}
}

func aligned(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(printable(cell))
		b.WriteString(strings.Repeat(" ", 2+max(0, widths[i]-utf8.RuneCountInString(cell))))
	}
	return strings.TrimRight(b.String(), " ")
}

// printable keeps what came from the network from steering the terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return '?'
		}
		return c
	}, s)
}
