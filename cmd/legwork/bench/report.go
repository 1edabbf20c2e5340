package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// report is all that was measured.
type report struct {
	Ratios []Ratio  `json:"ratios,omitempty"`
	Held   []Held   `json:"held,omitempty"`
	Most   []Most   `json:"max,omitempty"`
	Missed []string `json:"missed"`
}

func (r *report) addRatio(f Ratio) {
	r.Ratios = append(r.Ratios, f)
	r.expect(f.Median <= ratioBound, "%d calls/s: %.2f x Kamailio's CPU, want at most %.1f", f.Rate, f.Median, ratioBound)
	for i, round := range f.Rounds {
		r.expect(round.Subject.Calls > 0 && round.Subject.Failed == 0, "%d calls/s, round %d: %d calls failed", f.Rate, i+1, round.Subject.Failed)
	}
}

func (r *report) addHeld(f Held) {
	r.Held = append(r.Held, f)
	r.expect(f.Outcome.Failed == 0, "%d held calls: %d failed", f.Calls, f.Outcome.Failed)
	r.expect(f.KBPerCall <= heldBound, "%d held calls: %.1f KB each, want at most %.0f", f.Calls, f.KBPerCall, heldBound)
	r.expect(f.After.Goroutines <= f.Start.Goroutines+countSlack, "after %d held calls: %d goroutines, were %d", f.Calls, f.After.Goroutines, f.Start.Goroutines)
	r.expect(f.After.Files <= f.Start.Files+countSlack, "after %d held calls: %d open files, were %d", f.Calls, f.After.Files, f.Start.Files)
	r.expect(f.After.Heap <= f.Start.Heap+heapSlack, "after %d held calls: %d KB of heap, were %d", f.Calls, f.After.Heap, f.Start.Heap)
}

func (r *report) addMost(f Most) {
	r.Most = append(r.Most, f)
	r.expect(f.Outcome.clean(), "%d calls/s for %d s: not spotless (datagrams dropped: %s)", f.Rate, f.Seconds, drops(f.Outcome))
}

func (r *report) expect(ok bool, format string, args ...any) {
	if !ok {
		r.Missed = append(r.Missed, fmt.Sprintf(format, args...))
	}
}

// drops names who did not read in time; SIPp's own are no fault of the product.
func drops(o Outcome) string {
	var by []string
	for name, n := range o.Dropped {
		if n > 0 {
			by = append(by, fmt.Sprintf("%s %d", name, n))
		}
	}
	if len(by) == 0 {
		return "none"
	}
	slices.Sort(by)
	return strings.Join(by, ", ")
}

func (r *report) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tcalls/s\tround\tCPU ms/call\tRSS MB\tp50 ms\tp99 ms\tcalls\tfailed\tresent\trepeated\tunexpected\t")
	for _, f := range r.Ratios {
		for i, round := range f.Rounds {
			row(w, f.Subject, f.Rate, i+1, round.Subject)
			row(w, "kamailio", f.Rate, i+1, round.Kamailio)
		}
	}
	for _, f := range r.Most {
		row(w, f.Subject, f.Rate, 1, f.Outcome)
	}
	w.Flush()
	for _, f := range r.Ratios {
		fmt.Fprintf(out, "\n%d calls/s: %s by kamailio, CPU a call: %.2f, median of %.2f; %.2f with what is tidied up after calls\n",
			f.Rate, f.Subject, f.Median, f.Ratios, f.AfterAll)
	}
	for _, f := range r.Held {
		fmt.Fprintf(out, "\n%d held calls, %.1f KB each (%d failed, %d resent, %d repeated)\n",
			f.Calls, f.KBPerCall, f.Outcome.Failed, f.Outcome.Resent, f.Outcome.Repeated)
		h := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(h, "\tRSS KB\theap KB\tgoroutines\topen files\t")
		level(h, "start", f.Start)
		level(h, "standing", f.Standing)
		level(h, "after", f.After)
		h.Flush()
	}
	for _, f := range r.Most {
		fmt.Fprintf(out, "\n%d calls/s for %d s: datagrams dropped for a reader that was behind: %s\n", f.Rate, f.Seconds, drops(f.Outcome))
	}
	fmt.Fprintln(out)
	for _, missed := range r.Missed {
		fmt.Fprintln(out, "missed:", missed)
	}
}

func row(w io.Writer, name string, rate, round int, o Outcome) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%.3f\t%.1f\t%.2f\t%.2f\t%d\t%d\t%d\t%d\t%d\t\n", name, rate, round, o.CPU, float64(o.RSS)/1024,
		o.P50, o.P99, o.Calls, o.Failed, o.Resent, o.Repeated, o.Unexpected)
}

func level(w io.Writer, name string, at Level) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t\n", name, at.RSS, at.Heap, at.Goroutines, at.Files)
}

func (r *report) save(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
