package sipptest

import (
	"regexp"
	"strings"
	"testing"
)

func TestMistakesInAStoryAreNamed(t *testing.T) {
	for story, want := range map[string]string{
		"":                                 "empty",
		"INVITE":                           "begins with none of",
		">":                                "no method or status",
		"> 200":                            "responds to nothing",
		"> INVITE\n< 200 BYE":              "responds to nothing",
		"> INVITE | Supported":             "neither a header nor a body",
		"> INVITE\nboth\n< 180":            "both, and, done",
		"both\n> INVITE\nand\n< 180\ndone": "both, and, done",
	} {
		if _, err := compose(story); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", story, err, want)
		}
	}
}

func TestPatternsStayWithinTheirHeader(t *testing.T) {
	const text = "SIP/2.0 200 OK\r\nSupported: timer, 100rel\r\nX-A: b.c\r\nRequire: path\r\n\r\n"
	for header, patterns := range map[string]map[string]bool{
		"Supported": {"100rel": true, "^timer": true, "^100rel": false, "rel$": true, "timer$": false, "path": false, "t.*l$": true, ".*path": false},
		"X-A":       {`^b\.c$`: true, `^b[.]c`: true, "^b.c": true, "^[a-z]$": false},
		"X-B":       {"": false},
	} {
		for pattern, want := range patterns {
			whole := strings.NewReplacer("[:cntrl:]", `\x00-\x1f`).Replace(within(header) + value(pattern))
			if got := regexp.MustCompile(whole).MatchString(text); got != want {
				t.Errorf("%s: %s: %v", header, pattern, got)
			}
		}
	}
}

// Both parties play stories; what one says wrong fails the other.
func TestStoriesHoldBothSidesToThem(t *testing.T) {
	const callee = "< INVITE | X-A: ^b$\n> 180\n> 200 +sdp\n< ACK\n< BYE\n> 200"
	for header, failed := range map[string]int{"b": 0, "c": 1} {
		bob := Start(t, Scenario{Story: callee, Calls: 1})
		alice := Start(t, Scenario{Story: "> INVITE +sdp | X-A: " + header + "\n< 180\n< 200 | = m=audio\n> ACK\n> BYE\n< 200", Remote: bob.Local, Calls: 1})
		r, err := bob.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if r.Failed != failed {
			t.Errorf("X-A: %s: %+v\n%s", header, r, bob.Trouble())
		}
		if failed == 0 {
			Finish(t, alice)
		}
	}
}
