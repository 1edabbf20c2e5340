package leak

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func guard(t testing.TB) *Guard {
	t.Helper()
	g, err := New([]string{"pbx.inside", "FreeSWITCH"}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestOfManyLeaksAFewAreTold(t *testing.T) {
	var line strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&line, " 10.0.%d.%d", i/250, i%250)
	}
	if found := guard(t).Find([]byte("INFO sip:a@192.0.2.1 SIP/2.0\r\nX-All:" + line.String() + "\r\n\r\n")); len(found) != most {
		t.Errorf("%d leaks are told, want %d", len(found), most)
	}
}

func TestEachPlaceIsNamed(t *testing.T) {
	msg := "INVITE sip:bob@PBX.inside.example SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 192.0.2.1:5060;received=10.1.2.3\r\n" +
		"User-Agent: freeswitch, FreeSWITCH\r\n" +
		"X-Long: nothing,\r\n <sip:10.0.0.7>\r\n" +
		"Contact: <sip:[2001:db8::9]:5060>\r\n" +
		"Call-ID: 110.0.0.1@192.0.2.1\r\n" +
		"Reason: at 10.0.0.8. or 10.0.0.9:5060:\r\n" +
		"\r\n" +
		"v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\nc=IN IP6 2001:db8::\r\na=candidate:1 1 UDP 1 10.0.0.6 4000 typ host\r\n"
	want := []Leak{
		{"first line", "pbx.inside"},
		{"Via", "10.1.2.3"},
		{"User-Agent", "freeswitch"},
		{"X-Long", "10.0.0.7"},
		{"Contact", "2001:db8::9"},
		{"Reason", "10.0.0.8"},
		{"Reason", "10.0.0.9"},
		{"SDP o=", "10.0.0.5"},
		{"SDP c=", "2001:db8::"},
		{"SDP a=", "10.0.0.6"},
	}
	if got := guard(t).Find([]byte(msg)); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWhatIsNotInsideIsNoLeak(t *testing.T) {
	msg := "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1:5060\nX: 1.10.0.0.1 10.0.0 10.0.0.256 a10.0.0.1.2 12:30:45 2001:db7::1\n\n10.0.0\n"
	if got := guard(t).Find([]byte(msg)); got != nil {
		t.Errorf("got %v", got)
	}
	if g := guard(t); !g.Inside(netip.MustParseAddr("::ffff:10.9.9.9")) || g.Inside(netip.MustParseAddr("11.0.0.1")) {
		t.Error("inside is not told from outside")
	}
}

func TestAShortWordIsRefused(t *testing.T) {
	if _, err := New([]string{"ab"}, nil); err == nil {
		t.Error("it would be found everywhere")
	}
	if _, err := New(nil, []netip.Prefix{{}}); err == nil {
		t.Error("a network that is none was taken")
	}
}

func TestWhatIsToldOfOneMessageIsBounded(t *testing.T) {
	if got := guard(t).Find([]byte("X SIP/2.0\n" + strings.Repeat("Y: 10.0.0.1 10.0.0.2\nZ: FreeSWITCH\n", 1000))); len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte("INVITE sip:10.0.0.1 SIP/2.0\r\nVia: ::1::\r\n\r\nv=0\r\n=\r\n"))
	g := guard(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, one := range g.Find(b) {
			if one.What == "" {
				t.Errorf("%q: nothing is found somewhere", b)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	g := guard(b)
	msg := []byte("INVITE sip:bob@192.0.2.2 SIP/2.0\r\n" + strings.Repeat("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabcdef0123456789\r\n", 12) +
		"\r\nv=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n")
	b.ReportAllocs()
	for b.Loop() {
		g.Find(msg)
	}
}
