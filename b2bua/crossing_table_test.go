package b2bua

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/simnet"
)

// row is one line of testdata/crossings.txt: two events that can cross, or the
// reason why they can't.
type row struct {
	phase  string
	events [2]moment
	ref    string // section of an RFC, or a reason
	never  string // why they can't cross
	first  result // when the first event is ahead at the server
	second result // when the second is
}

func (w *row) String() string {
	return fmt.Sprintf("%s: %s x %s", w.phase, w.events[0], w.events[1])
}

// crossings reads the table.
func crossings(t *testing.T) []*row {
	t.Helper()
	text, err := os.ReadFile("testdata/crossings.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []*row
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "|")
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		if !strings.HasPrefix(line, " ") {
			rows = append(rows, begun(cells))
			continue
		}
		if len(rows) == 0 || len(cells) != 5 {
			t.Fatalf("line %d of the table: %s", i+1, line)
		}
		rows[len(rows)-1].expect(cells)
	}
	return rows
}

func begun(cells []string) *row {
	w := &row{phase: cells[0], ref: cells[2]}
	x, y, _ := strings.Cut(cells[1], " x ")
	for i, text := range []string{x, y} {
		who, what, _ := strings.Cut(text, " ")
		w.events[i] = moment{who, what}
	}
	w.never, _ = strings.CutPrefix(w.ref, "never: ")
	if w.never == w.ref {
		w.never = ""
	}
	return w
}

func (w *row) expect(cells []string) {
	got := result(cells[1:])
	switch cells[0] {
	case "first":
		w.first = got
	case "second":
		w.second = got
	case "either":
		w.first, w.second = got, got
	}
}

// play plays a row once and returns what came of it, and how many packets there
// were.
func (w *row) play(t *testing.T, later time.Duration, f fault) (got result, packets int) {
	t.Helper()
	playOn(t, simnet.Faults{Delay: wire}, &fixed{}, func(r *rig) {
		s := newStage(r, w.phase, w.events)
		s.fault = f
		s.play(later)
		got, packets = s.outcome(), int(s.packet.Load())
		for name, p := range s.phones {
			if p.inCall() {
				r.Errorf("%s is still in the call", name)
			}
		}
		if s.asked.Load() {
			r.Error("the policy of the reload was asked about a call from before")
		}
	})
	return got, packets
}

// The table is testdata/crossings.txt. Two events meet at the server, or pass
// each other on a wire of 10 ms on either side of it: the first is ahead by a
// millisecond, or behind, or both are there at once.
func TestWhatCrossesComesOutAsTheRFCsSay(t *testing.T) {
	for i, w := range crossings(t) {
		if w.never != "" {
			continue
		}
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			for j, later := range []time.Duration{time.Millisecond, -time.Millisecond, 0} {
				if (i+j)%min(every, 3) != 0 {
					continue
				}
				got, _ := w.play(t, later, fault{})
				if why := w.differs(later, got); why != "" {
					t.Error(why)
				}
			}
		})
	}
}

// differs says how an outcome is not the row's.
func (w *row) differs(later time.Duration, got result) string {
	switch why := w.deviates(got); {
	case later > 0 && got != w.first:
		return fmt.Sprintf("first ahead:\n got %q\nwant %q", got, w.first)
	case later < 0 && got != w.second:
		return fmt.Sprintf("second ahead:\n got %q\nwant %q", got, w.second)
	case later == 0 && why != "":
		return fmt.Sprintf("both at once: %s in %q", why, got)
	}
	return ""
}

// The same when each packet behind the events is lost once, and here and there
// one is doubled or so late that its neighbour overtakes it. Then one event may
// come long after the other, or find nobody any more; but the record is the
// same, each request gets one answer, and that fits it.
func TestWhatCrossesOnABadNetworkIsAnsweredAndCleared(t *testing.T) {
	for i, w := range crossings(t) {
		if w.never != "" {
			continue
		}
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			for j, do := range []string{"lost", "doubled", "late"} {
				step := every
				if do != "lost" {
					step = 3 * every
				}
				packets := step
				for n := 1 + (i+j)%step; n <= packets; n += step {
					var got result
					got, packets = w.play(t, time.Millisecond, fault{n, do})
					if why := w.deviates(got); why != "" {
						t.Errorf("packet %d is %s: %s in %q", n, do, why, got)
					}
				}
			}
		})
	}
}

// deviates says what neither chance nor a bad network excuses.
func (w *row) deviates(got result) string {
	last := len(got) - 1
	refreshed := got[last] == "200 timer" && strings.HasPrefix(w.events[1].what, "timer refresh") // and found nobody
	if !refreshed && got[last] != w.first[last] && got[last] != w.second[last] {
		return "the record"
	}
	for i := range last {
		both := w.first[i] + ", " + w.second[i]
		for text := range strings.SplitSeq(got[i], ", ") {
			words := strings.Fields(strings.Trim(text, "()"))
			switch {
			case len(words) == 0, words[0] == "ACK", strings.Contains(both, text):
			case len(words) != 2 || !slices.Contains(fitting[words[0]], words[1]):
				return text
			}
		}
	}
	return ""
}

// fitting are the answers to a request that comes late, or crosses what it would
// not have crossed. There is none for INVITE: the table says all.
var fitting = map[string][]string{
	"BYE":       {"200", "481"}, // RFC 3261 section 15.1.1: both are the end
	"CANCEL":    {"200"},
	"re-INVITE": {"200", "481", "487", "491", "500"},
	"UPDATE":    {"200", "481", "487", "491"},
	"PRACK":     {"200", "481", "487"},
	"REFER":     {"202", "481", "487", "491"},
	"NOTIFY":    {"200"},
}

func TestTheTableOfCrossingsIsComplete(t *testing.T) {
	ours := []string{"timer", "reload", "admin"}
	theirs := []string{"CANCEL", "BYE", "200", "4xx", "re-INVITE", "UPDATE", "PRACK", "REFER"}
	events := map[string][]string{"A": theirs, "B": theirs, "L": ours}
	rows := crossings(t)
	for _, phase := range []string{"early", "cancelled", "unacked", "talking", "ended"} {
		for _, who := range []string{"AB", "AL", "BL", "LL"} {
			for _, x := range events[who[:1]] {
				for _, y := range events[who[1:]] {
					if who == "LL" && x == y {
						continue
					}
					pair := [2]moment{{who[:1], x}, {who[1:], y}}
					if !slices.ContainsFunc(rows, func(w *row) bool { return w.phase == phase && w.covers(pair) }) {
						t.Errorf("nothing is said of %s: %s x %s", phase, pair[0], pair[1])
					}
				}
			}
		}
	}
}

// covers tells whether the row is about two kinds of events.
func (w *row) covers(pair [2]moment) bool {
	x, y := w.events[0], w.events[1]
	return x.is(pair[0]) && y.is(pair[1]) || x.is(pair[1]) && y.is(pair[0])
}

// is compares kinds of events; "*" is every one.
func (m moment) is(kind moment) bool {
	word, _, _ := strings.Cut(m.what, " ")
	return m.who == "*" || m.who == kind.who && word == kind.what
}
