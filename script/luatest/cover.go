package luatest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"legwork/script/lua"
)

// Covered is one file of the scripts and which of its lines the tests ran.
type Covered struct {
	File  string `json:"file"`  // relative to the scripts' folder
	Lines int    `json:"lines"` // that have something to run
	Ran   int    `json:"ran"`   // of them
	// Missed are the lines that no test ran.
	Missed []int `json:"missed"`
	times  []lineTimes
}

// lineTimes is how often a line was entered.
type lineTimes struct{ line, times int }

// covered lists all files of the folder but tests, also those that no test loads.
func (r *runner) covered() []Covered {
	list := []Covered{}
	for _, file := range slices.Sorted(maps.Keys(r.snap.Files)) {
		if !strings.HasSuffix(file, ".lua") || slices.Contains(r.snap.Tests(), file) {
			continue
		}
		proto, err := r.compiled.Compile(file, r.snap.Files[file])
		if err != nil {
			continue // its tests have failed for it
		}
		one := Covered{File: file, Missed: []int{}}
		for _, line := range lua.Lines(proto) {
			times := r.cfg.cover.Times(file, line)
			one.times = append(one.times, lineTimes{line, times})
			one.Lines++
			if times > 0 {
				one.Ran++
			} else {
				one.Missed = append(one.Missed, line)
			}
		}
		list = append(list, one)
	}
	return list
}

// share is in percent, rounded down so that 100 means all.
func share(ran, lines int) float64 {
	if lines == 0 {
		return 100
	}
	return float64(ran*1000/lines) / 10
}

func (r *Report) printCoverage(b *bytes.Buffer) {
	width, all := len("all"), Covered{}
	for _, one := range r.Coverage {
		width = max(width, len(one.File))
		all.Lines += one.Lines
		all.Ran += one.Ran
	}
	row := func(name string, one Covered) {
		fmt.Fprintf(b, "%-*s %5.1f%%  %d of %d lines", width, printable(name), share(one.Ran, one.Lines), one.Ran, one.Lines)
		if len(one.Missed) > 0 {
			b.WriteString(", not " + ranges(one.Missed))
		}
		b.WriteString("\n")
	}
	for _, one := range r.Coverage {
		row(one.File, one)
	}
	if len(r.Coverage) > 1 {
		row("all", all)
	}
	b.WriteString("\n")
}

// ranges writes 3 4 5 9 as 3-5, 9.
func ranges(lines []int) string {
	var parts []string
	for i := 0; i < len(lines); {
		end := i
		for end+1 < len(lines) && lines[end+1] == lines[end]+1 {
			end++
		}
		part := fmt.Sprint(lines[i])
		if end > i {
			part += fmt.Sprintf("-%d", lines[end])
		}
		parts = append(parts, part)
		i = end + 1
	}
	return strings.Join(parts, ", ")
}

// WriteLCOV writes what genhtml and editors read: DA is a line and how often it
// was entered.
func (r *Report) WriteLCOV(w io.Writer) error {
	var b bytes.Buffer
	for _, one := range r.Coverage {
		fmt.Fprintf(&b, "TN:\nSF:%s\n", printable(one.File))
		for _, l := range one.times {
			fmt.Fprintf(&b, "DA:%d,%d\n", l.line, l.times)
		}
		fmt.Fprintf(&b, "LF:%d\nLH:%d\nend_of_record\n", one.Lines, one.Ran)
	}
	_, err := w.Write(b.Bytes())
	return err
}
