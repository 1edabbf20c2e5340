package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestNoErrorSteersTheTerminal(t *testing.T) {
	var errs bytes.Buffer
	term := &terminal{err: &errs}
	term.fail(errors.New("no such call; there are:\n\tsip:a\x1b[2J@b.example"))
	if got := errs.String(); got != "legwork: no such call; there are:\nlegwork:     sip:a?[2J@b.example\n" {
		t.Errorf("%q", got)
	}
}

func TestNoCallThatIsPlayedAgainSteersTheTerminal(t *testing.T) {
	var out bytes.Buffer
	all := &replayReport{Calls: 1, Changed: 1, LeftWhy: "\x1b[2J", Left: 1, Groups: []replayGroup{{Title: "needs look-up redis cache get \x1b[2J", Count: 1, Calls: []again{{N: 1}}}}}
	if err := (&replayCommand{}).tell(&terminal{out: &out}, all); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, "\x1b") || !strings.Contains(got, "cache get ?[2J") {
		t.Errorf("%q", got)
	}
}
