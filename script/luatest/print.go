package luatest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// Rename gives every file the name that people here know it by.
func (r *Report) Rename(name func(file string) string) {
	for i := range r.Coverage {
		r.Coverage[i].File = name(r.Coverage[i].File)
	}
	for i := range r.Results {
		one := &r.Results[i]
		one.File = name(one.File)
		if one.Failure != nil {
			one.Failure.File = name(one.Failure.File)
		}
	}
}

// Print tells people: the failures, with the ladders of their calls, what the
// scripts did wrong in tests that passed, and the sum.
func (r *Report) Print(w io.Writer) error {
	var b bytes.Buffer
	for _, one := range r.Results {
		one.print(&b)
	}
	if r.Coverage != nil {
		r.printCoverage(&b)
	}
	b.WriteString(r.sum() + "\n")
	_, err := w.Write(b.Bytes())
	return err
}

// sum is "12 passed, 0 failed in 34 ms".
func (r *Report) sum() string {
	passed, failed := r.Count()
	return fmt.Sprintf("%d passed, %d failed in %d ms", passed, failed, r.Took.Milliseconds())
}

func (r *Result) print(b *bytes.Buffer) {
	output := r.shown()
	if r.Failure == nil && len(r.Errors)+len(r.Lookups)+len(output) == 0 {
		return
	}
	word := "FAIL"
	if r.Failure == nil {
		word = "note"
	}
	fmt.Fprintf(b, "%s  %s: %s\n", word, place(r.File, r.Line), printable(r.Name))
	if r.Failure != nil {
		b.WriteString(indent(r.Failure.text(), "    "))
	}
	for _, one := range output {
		b.WriteString(indent("printed at "+one, "    "))
	}
	for _, one := range r.Errors {
		b.WriteString(indent("the script erred: "+one, "    "))
	}
	for _, one := range r.Lookups {
		b.WriteString(indent("a look-up without an answer: "+one, "    "))
	}
	if r.Failure != nil {
		for _, ladder := range r.Failure.Ladders {
			b.WriteString("\n" + indent(ladder, "  "))
		}
	}
	b.WriteString("\n")
}

// shown is the output that people want to see: all of a failed test, of others
// what the test itself printed.
func (r *Result) shown() []string {
	if r.Failure != nil {
		return r.Output
	}
	var own []string
	for _, line := range r.Output {
		if file, _, _ := strings.Cut(line, ":"); strings.HasSuffix(file, "_test.lua") {
			own = append(own, line)
		}
	}
	return own
}

func (f *Failure) text() string {
	text := place(f.File, f.Line) + ": " + f.Message
	if f.Traceback != "" {
		text += "\n" + f.Traceback
	}
	return text
}

func place(file string, line int) string {
	if line <= 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

func indent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		if line = strings.TrimRight(line, " \r\n"); line != "" {
			b.WriteString(by + printable(line))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// printable keeps what scripts and messages say from steering a terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' || c >= 0x7f && c < 0xa0 {
			return '?'
		}
		return c
	}, s)
}

// WriteJSON tells machines.
func (r *Report) WriteJSON(w io.Writer) error {
	passed, failed := r.Count()
	type row struct {
		Result
		Passed  bool    `json:"passed"`
		Seconds float64 `json:"seconds"`
	}
	rows := make([]row, 0, len(r.Results))
	for _, one := range r.Results {
		rows = append(rows, row{one, one.Failure == nil, one.Took.Seconds()})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	all := map[string]any{"passed": passed, "failed": failed, "seconds": r.Took.Seconds(), "tests": rows}
	if r.Coverage != nil {
		all["coverage"] = r.Coverage
	}
	return e.Encode(all)
}

// The elements of JUnit's XML that its readers agree on.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
		Output  string        `xml:"system-out,omitempty"`
		Errors  string        `xml:"system-err,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit tells a build server: one suite a file.
func (r *Report) WriteJUnit(w io.Writer) error {
	var all junitSuites
	var took time.Duration
	for i, one := range r.Results {
		if i == 0 || one.File != r.Results[i-1].File {
			all.Suites = append(all.Suites, junitSuite{Name: one.File})
			took = 0
		}
		s := &all.Suites[len(all.Suites)-1]
		c := junitCase{
			Class: one.File, Name: one.Name, File: one.File, Line: one.Line, Time: seconds(one.Took),
			Errors: strings.Join(one.Errors, "\n"), Output: strings.Join(one.Output, "\n"),
		}
		if f := one.Failure; f != nil {
			c.Failure = &junitFailure{f.Message, f.text() + "\n" + strings.Join(f.Ladders, "\n")}
			s.Failures++
		}
		took += one.Took
		s.Tests++
		s.Time = seconds(took)
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
