package luatest

import (
	"strings"
	"testing"
)

func TestACalleeIsWrittenAsItIsRead(t *testing.T) {
	for _, text := range []string{"180 200", "180 5s 200", "silent", "refuse", "100 1m30s 503", "183"} {
		c, err := ParseCallee(text)
		if err != nil || c.String() != text {
			t.Errorf("%q was read as %q, %v", text, c, err)
		}
	}
}

func TestWhatNoCalleeDoesIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"": "from 1 to 50", "99": "code from 100", "700": "code from 100", "200 180": "200 is final", "180 5s": "behind the last delay",
		"silent 200": "silent, or refuse", "180 -1s 200": "silent, or refuse", "13h 200": "silent, or refuse",
		strings.Repeat("180 ", 51): "from 1 to 50",
	} {
		if _, err := ParseCallee(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
