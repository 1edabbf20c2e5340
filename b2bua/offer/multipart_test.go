package offer

import (
	"errors"
	"strings"
	"testing"
)

const mixed = "multipart/mixed;boundary=\"b 1\""

// crlf writes a body by its lines.
func crlf(lines ...string) string { return strings.Join(lines, "\r\n") }

var wholeSDP = "v=0\r\ns=-\r\n"

func TestOnlyApplicationSDPIsSDP(t *testing.T) {
	for _, ct := range []string{"application/sdp", " Application/SDP ", "application/sdp;charset=utf-8", "APPLICATION/SDP ; x"} {
		if !HasSDP(ct) {
			t.Errorf("%q is not SDP", ct)
		}
	}
	for _, ct := range []string{"", "application/sdpx", "text/plain", mixed, "application/ sdp"} {
		if HasSDP(ct) {
			t.Errorf("%q is SDP", ct)
		}
	}
	got, ok := Find("application/sdp", []byte(wholeSDP))
	if !ok || string(got) != wholeSDP {
		t.Errorf("%q %v", got, ok)
	}
}

func TestSDPPartIsReplacedAndOthersKeepTheirBytes(t *testing.T) {
	before := crlf("preamble", "--b 1  ", "Content-Type: text/plain", "", "v=0 --b 1 \x00\xff", "--b 1x", "",
		"--b 1", "X: y", "content-type : application/", " sdp;", " x=y", "Content-Length:  10 ", "content-disposition: Session;handling=required", "", "")
	after := crlf("", "--b 1", "Content-Type: application/isup", "Content-Length: 3", "", "\x01\n\x02", "--b 1--", "epilogue", "--b 1", "")
	before = strings.Replace(before, "application/\r\n sdp", "application/sdp", 1)
	in := before + wholeSDP + after
	got, ok := Find(mixed, []byte(in))
	if !ok || string(got) != wholeSDP {
		t.Fatalf("%q %v", got, ok)
	}
	longer := wholeSDP + "t=0 0\r\n"
	out, err := Replace(mixed, []byte(in), []byte(longer))
	must(t, err)
	if want := strings.Replace(before, "  10 ", "  17 ", 1) + longer + after; string(out) != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}
	if same, err := Replace(mixed, out, []byte(longer)); err != nil || string(same) != string(out) {
		t.Errorf("again: %v, %q", err, same)
	}
}

func TestSDPIsFoundInNestedParts(t *testing.T) {
	inner := crlf("--in", "Content-Type: application/sdp", "", wholeSDP, "--in--", "")
	in := crlf("--b 1", "Content-Type: multipart/alternative; boundary=in", "Content-Length: 59", "", inner, "--b 1--")
	out, err := Replace(mixed, []byte(in), []byte("v=0\n"))
	must(t, err)
	want := strings.Replace(in, wholeSDP, "v=0\n", 1)
	want = strings.Replace(want, ": 59", ": 53", 1)
	if string(out) != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}

	deep := wholeSDP
	ct := "application/sdp"
	for _, b := range []string{"b1", "b2", "b3", "b4"} {
		deep = crlf("--"+b, "Content-Type: "+ct, "", deep, "--"+b+"--", "")
		ct = "multipart/mixed;boundary=" + b
		if _, ok := Find(ct, []byte(deep)); ok != (b != "b4") {
			t.Errorf("within %s: found %v", b, ok)
		}
	}
}

func TestPartsThatAreNotTheSessionAreLeftAlone(t *testing.T) {
	part := func(lines ...string) string {
		return crlf("--b", crlf(lines...), "", wholeSDP, "--b--", "")
	}
	ct := "multipart/mixed; boundary=b"
	for name, in := range map[string]string{
		"empty":            "",
		"no parts":         "--b--\r\n",
		"no end":           crlf("--b", "Content-Type: application/sdp", "", wholeSDP),
		"no empty line":    crlf("--b", "Content-Type: application/sdp", "--b--"),
		"other type":       part("Content-Type: text/plain"),
		"no type":          part(),
		"early session":    part("Content-Type: application/sdp", "Content-Disposition: early-session"),
		"base64":           part("Content-Type: application/sdp", "Content-Transfer-Encoding: base64"),
		"endless header":   part("Content-Type: application/sdp", "X: "+strings.Repeat("x", 5000), "Y: z"),
		"33rd part":        strings.Repeat("--b\r\n\r\n\r\n", 32) + part("Content-Type: application/sdp"),
		"another boundary": crlf("--c", "Content-Type: application/sdp", "", wholeSDP, "--c--"),
	} {
		if got, ok := Find(ct, []byte(in)); ok {
			t.Errorf("%s: found %q", name, got)
		}
		if _, err := Replace(ct, []byte(in), []byte(wholeSDP)); !errors.Is(err, ErrNoSDP) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, ct := range []string{"", "multipart/mixed", "multipart/mixed;boundary=", "multipart/mixed;boundary=b;boundary=c", "text/plain;boundary=b"} {
		if _, ok := Find(ct, []byte(part("Content-Type: application/sdp"))); ok {
			t.Errorf("found with Content-Type %q", ct)
		}
	}
	if _, ok := Find(ct, []byte(part("Content-Type: application/sdp", "Content-Disposition: session"))); !ok {
		t.Error("the session's own part was not found")
	}
}

func TestReplacementMayNotHoldTheBoundary(t *testing.T) {
	in := crlf("--b", "Content-Type: application/sdp", "", wholeSDP, "--b--", "")
	for _, sdp := range []string{"v=0\r\n--b\r\n", "--b--"} {
		if _, err := Replace("multipart/mixed;boundary=b", []byte(in), []byte(sdp)); err == nil {
			t.Errorf("%q was put in", sdp)
		}
	}
}
