package luatest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// laboratory plays misbehaviours against the failover script.
func laboratory(t *testing.T, body string, list ...Misbehaviour) []Met {
	t.Helper()
	cfg := Config{Source: folder(t, body, map[string]string{}), Trunks: carriers(), Bubble: bubble(t)}
	var all []Met
	err := Lab{Config: cfg, To: "sip:+4930123456@sbc.example", From: []string{"pbx"}, Play: list, Ran: func(m Met) { all = append(all, m) }}.Run()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// misbehaving are misbehaviours by name.
func misbehaving(t *testing.T, names ...string) (list []Misbehaviour) {
	t.Helper()
	for _, m := range Misbehaviours() {
		if slices.Contains(names, m.Name) {
			list = append(list, m)
		}
	}
	if len(list) != len(names) {
		t.Fatalf("%d of %v", len(list), names)
	}
	return list
}

func TestNoMisbehaviourLeavesAnythingBehind(t *testing.T) {
	for _, met := range laboratory(t, failover, Misbehaviours()...) {
		if met.Code < 200 || met.Open || len(met.Left)+len(met.Errors) > 0 || met.Cleared > time.Minute {
			t.Errorf("%s: %d %s after %s, left: %v, errors: %v, cleared in %s", met.Misbehaviour, met.Code, met.Reason, met.After, met.Left, met.Errors, met.Cleared)
		}
		if met.Story == nil || met.Tries == 0 {
			t.Errorf("%s: nobody was called", met.Misbehaviour)
		}
	}
}

// Each misbehaviour does what its name says.
func TestMisbehavioursAreOnTheWire(t *testing.T) {
	for name, want := range map[string]string{
		"silent":            "0.000 < INVITE, 0.000 > 100, 0.000 > INVITE, 5.000 > INVITE, 10.000 > 503",
		"slow-100":          "3.020 < 100, 5.000 > CANCEL",
		"200-after-cancel":  "5.020 < 200, 5.020 > ACK, 5.020 > BYE",
		"double-200":        "2.120 < 200, 2.120 > ACK, 2.120 > BYE",
		"late-487":          "25.020 < 487, 25.020 > ACK",
		"bye-before-ack":    "2.120 < BYE, 2.120 > 200, 2.140 < ACK, 2.140 > BYE",
		"re-invite-glare":   "5.020 < INVITE, 5.020 > 491, 5.040 < 491, 5.040 > 491",
		"re-invite-refused": "5.020 > INVITE, 5.040 < 491, 5.040 > 491, 5.040 > ACK, 5.060 < ACK, 6.060 < INVITE",
		"no-ack":            "2.020 > 200, 34.020 > BYE, 34.020 > BYE",
		"cancel-at-once":    "0.020 < CANCEL",
		"both-vanish":       "14402.020 > BYE",
	} {
		for _, met := range laboratory(t, failover, misbehaving(t, name)...) {
			var wire []string
			for _, st := range met.Story.Steps {
				if m := st.Message; m != nil {
					what, way := m.Method, map[bool]string{true: " < ", false: " > "}[st.Kind == "received"]
					if m.Code > 0 {
						what = fmt.Sprint(m.Code)
					}
					wire = append(wire, fmt.Sprintf("%.3f", st.After)+way+what)
				}
			}
			if got := strings.Join(wire, ", "); !strings.Contains(got, want) {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
		}
	}
}

func TestALabTellsACallerWhoIsLeftWaiting(t *testing.T) {
	body := strings.ReplaceAll(failover, "try = 5", "try = 5, ring = 80000, budget = 86400")
	met := laboratory(t, body, misbehaving(t, "183-then-silence")...)[0]
	if met.Code != 0 || !met.Open || met.Tries != 1 || met.Lasted < callPatience {
		t.Errorf("%+v", met)
	}
}

func TestAGoroutineThatStaysIsToldByItsFunction(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		before, end := goroutines(), make(chan struct{})
		go stays(end)
		synctest.Wait()
		if got := since(before); len(got) != 1 || !strings.HasPrefix(got[0], "goroutine in ") || !strings.Contains(got[0], "stays") {
			t.Errorf("%q", got)
		}
		close(end)
		synctest.Wait()
		if got := since(before); len(got) != 0 {
			t.Errorf("%q", got)
		}
	})
}

func stays(end chan struct{}) { <-end }
