package offer

import (
	"strings"
	"testing"
)

func same(Origin) string { return "7" }

func TestAVeiledSessionSaysNothingOfWhoMadeIt(t *testing.T) {
	src := "v=0\no=joe 12 34 IN IP4 10.0.0.1\ns=PBX\ni=a\nu=b\ne=c\np=d\nc=IN IP4 198.51.100.1\nt=0 0\na=tool:x 1\na=group:BUNDLE 0\nm=audio 9 RTP/AVP 0\ni=desk\na=tool:y\na=mid:0\n"
	want := "v=0\no=- 7 34 IN IP6 2001:db8::1\ns=-\nc=IN IP4 198.51.100.1\nt=0 0\na=group:BUNDLE 0\nm=audio 9 RTP/AVP 0\na=mid:0\n"
	if got := string(Veil([]byte(src), "2001:db8::1", same)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, odd := range []string{"", "hello", "v=0"} {
		if got := string(Veil([]byte(odd), "192.0.2.1", same)); strings.TrimSpace(got) != odd {
			t.Errorf("%q became %q", odd, got)
		}
	}
	if got := string(Veil([]byte(src), "a b", same)); got != src {
		t.Errorf("an address that is none changed\n%s", got)
	}
}

func FuzzVeil(f *testing.F) {
	f.Add("v=0\r\no=a 1 2 IN IP4 10.0.0.1\r\ns=x\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\ni=y\r\n")
	f.Add("v=0\no=\ns=")
	f.Fuzz(func(t *testing.T, src string) {
		once := Veil([]byte(src), "192.0.2.1", same)
		if twice := Veil(once, "192.0.2.1", same); string(twice) != string(once) {
			t.Errorf("once %q, twice %q", once, twice)
		}
		before, err := Parse([]byte(src))
		if err != nil {
			return
		}
		after, err := Parse(once)
		if err != nil || len(after.Media()) != len(before.Media()) {
			t.Errorf("%q became %q: %v", src, once, err)
		}
	})
}
