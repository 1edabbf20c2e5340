package main

import (
	"regexp"
	"strings"
	"testing"
)

// checkDemo looks for what the demo must show whatever its ports and times.
func checkDemo(t *testing.T, got outcome) {
	t.Helper()
	if got.code != 0 || got.err != "" {
		t.Fatalf("exit %d: %s\n%s", got.code, got.err, got.out)
	}
	at := 0
	for _, want := range []string{
		`Legwork runs examples/hello on 127\.0\.0\.1:\d+`,
		`1\. alice calls 4711`,
		`INVITE \+SDP ─+▶│`, `main\.lua:\d+ on_invite → route pbx`, `180 Ringing`, `200 OK \+SDP`, `BYE ─+▶│`,
		`200 OK · ended by caller`,
		`2\. alice calls 4712`,
		`486 Busy Here`, `480 Busy, please call`,
		`3\. alice calls 12,`,
		`main\.lua:\d+ on_invite → reject 404 No such extension`, `404 No such extension`,
		`4\. alice calls 4713`,
		`CANCEL ─+▶│`, `487 Request Terminated · ended by caller`,
	} {
		found := regexp.MustCompile(want).FindStringIndex(got.out[at:])
		if found == nil {
			t.Fatalf("no %s in its place:\n%s", want, got.out)
		}
		at += found[1]
	}
	if strings.Contains(got.out, "\x1b") {
		t.Error("colours on a pipe")
	}
}

func TestTheDemoDrawsItsCalls(t *testing.T) {
	got := run(t, t.TempDir(), "demo")
	checkDemo(t, got)
	if !strings.Contains(got.out, "The console is at http://127.0.0.1:") {
		t.Error("no address of the console")
	}
}

func TestTheFastDemoPlaysAnHour(t *testing.T) {
	got := run(t, t.TempDir(), "demo", "--fast")
	checkDemo(t, got)
	if !regexp.MustCompile(`talked (1:00:00|3600|1h)`).MatchString(got.out) {
		t.Errorf("no hour of talk:\n%s", got.out)
	}
}
