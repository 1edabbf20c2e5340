package offer

import (
	"errors"
	"strings"
	"testing"
)

func TestDirectionOfTheStreamWinsOverTheSession(t *testing.T) {
	for text, want := range map[string]Direction{
		body("m=audio 1 RTP/AVP 0"):                                      SendRecv,
		body("a=inactive", "m=audio 1 RTP/AVP 0"):                        Inactive,
		body("a=inactive", "m=audio 1 RTP/AVP 0", "a=recvonly "):         RecvOnly,
		body("m=audio 1 RTP/AVP 0", "a=sendonlyish", "a=sendonly:x"):     SendRecv,
		body("m=audio 1 RTP/AVP 0", "m=audio 2 RTP/AVP 0", "a=sendonly"): SendRecv,
	} {
		if got := parse(t, text).Audio().Direction(); got != want {
			t.Errorf("%s, want %s in\n%s", got, want, text)
		}
	}
}

func TestSetDirectionLeavesOneLineInItsPlace(t *testing.T) {
	s := parse(t, body("a=recvonly", "m=audio 1 RTP/AVP 0", "a=inactive", "a=ptime:20", "a=sendonly"))
	must(t, s.Audio().SetDirection(SendRecv))
	if want := body("a=recvonly", "m=audio 1 RTP/AVP 0", "a=sendrecv", "a=ptime:20"); string(s.Bytes()) != want {
		t.Errorf("got\n%s", s.Bytes())
	}
	if err := s.Audio().SetDirection("both"); err == nil {
		t.Error("an unknown direction was written")
	}
	must(t, s.Audio().SetAttr("inactive", ""))
	has(t, s.Bytes(), "a=inactive", "!a=sendrecv")
}

func TestHoldTurnsEachDirectionAsRFC3264Says(t *testing.T) {
	for before, want := range map[Direction]Direction{
		SendRecv: SendOnly, RecvOnly: Inactive, SendOnly: SendOnly, Inactive: Inactive,
	} {
		s := parse(t, body("m=audio 1 RTP/AVP 0", "a="+string(before), "m=video 0 RTP/AVP 31"))
		s.Hold()
		if got := s.Audio().Direction(); got != want {
			t.Errorf("%s became %s, want %s", before, got, want)
		}
		if s.Video().Direction() != SendRecv {
			t.Error("a rejected stream was touched")
		}
		if !s.IsHold() {
			t.Errorf("held from %s is no hold", before)
		}
	}
}

func TestHoldIsKnownByDirectionOrAddress(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"sendrecv":          {body("m=audio 1 RTP/AVP 0"), false},
		"recvonly":          {body("m=audio 1 RTP/AVP 0", "a=recvonly"), false},
		"sendonly":          {body("m=audio 1 RTP/AVP 0", "a=sendonly"), true},
		"session inactive":  {body("a=inactive", "m=audio 1 RTP/AVP 0"), true},
		"0.0.0.0":           {body("m=audio 1 RTP/AVP 0", "c=IN IP4 0.0.0.0"), true},
		"::":                {body("m=audio 1 RTP/AVP 0", "c=IN IP6 ::"), true},
		"ICE not ready":     {body("m=audio 9 RTP/AVP 0", "c=IN IP4 0.0.0.0"), false},
		"one of two":        {body("m=audio 1 RTP/AVP 0", "a=sendonly", "m=video 2 RTP/AVP 31"), false},
		"other is rejected": {body("m=audio 1 RTP/AVP 0", "a=sendonly", "m=video 0 RTP/AVP 31"), true},
		"other is no RTP":   {body("m=audio 1 RTP/AVP 0", "a=sendonly", "m=image 2 udptl t38"), true},
		"nothing live":      {body("m=audio 0 RTP/AVP 0", "a=sendonly"), false},
		"no streams":        {"v=0\r\n", false},
	} {
		if got := parse(t, c.text).IsHold(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRemovedStreamLeavesItsGroups(t *testing.T) {
	s := seed(t, "webrtc")
	s.Video().Remove()
	has(t, s.Bytes(), "m=video 0 UDP/TLS/RTP/SAVPF 96 97 39 40", "a=group:BUNDLE 0 2", "!a=bundle-only", "a=mid:1")
	if len(s.Media()) != 3 || !s.Video().Removed() {
		t.Error("the m= line went, or the stream is still there")
	}
	must(t, s.Audio().SetPort(0))
	s.Media()[2].Remove()
	for _, l := range strings.Split(string(s.Bytes()), "\r\n") {
		if strings.HasPrefix(l, "a=group") {
			t.Errorf("an empty group stayed: %q", l)
		}
	}
}

func TestBundleOnlyStreamIsNotRemoved(t *testing.T) {
	if v := seed(t, "webrtc").Video(); v.Removed() || v.Port() != 0 {
		t.Errorf("removed %v, port %d", v.Removed(), v.Port())
	}
}

func TestPortAndPTimeStayInTheirBounds(t *testing.T) {
	s := seed(t, "opus-two-rates")
	m := s.Audio()
	for _, port := range []int{-1, 65536} {
		if m.SetPort(port) == nil {
			t.Errorf("port %d was written", port)
		}
	}
	for _, ms := range []int{-1, 10001} {
		if m.SetPTime(ms) == nil {
			t.Errorf("ptime %d was written", ms)
		}
	}
	if m.PTime() != 20 {
		t.Errorf("ptime %d", m.PTime())
	}
	must(t, m.SetPTime(30))
	has(t, s.Bytes(), "a=ptime:30", "!a=ptime:20", "a=maxptime:150")
	must(t, m.SetPTime(0))
	if _, ok := m.Attr("ptime"); ok || m.PTime() != 0 {
		t.Error("ptime 0 did not remove the line")
	}
}

func TestAttrReadsWritesAndRemoves(t *testing.T) {
	s := seed(t, "opus-two-rates")
	m := s.Audio()
	for name, want := range map[string]string{
		"ptime": "20", "fmtp:97": "0-16", "rtpmap:8": "PCMA/8000", "rtcp-fb": "* trr-int 5000", "rtcp-fb:96": "ccm tmmbr",
	} {
		if got, ok := m.Attr(name); !ok || got != want {
			t.Errorf("%s: %q %v", name, got, ok)
		}
	}
	for _, name := range []string{"tool", "sendrecv", "ptim", "fmtp:9", "fmtp:097", "ptime:20", ""} {
		if got, ok := m.Attr(name); ok {
			t.Errorf("%s: %q, though the stream has none", name, got)
		}
	}
	must(t, m.SetAttr("fmtp:101", "0-15"))
	must(t, m.SetAttr("rtcp-mux", ""))
	must(t, m.SetAttr("label", "one"))
	must(t, m.SetAttr("label", "two"))
	has(t, s.Bytes(), "a=fmtp:101 0-15", "a=fmtp:97 0-16", "a=rtcp-mux", "a=label:two", "!a=label:one")
	m.DelAttr("rtcp-mux")
	m.DelAttr("fmtp:97")
	has(t, s.Bytes(), "!a=rtcp-mux", "!a=fmtp:97 0-16", "a=fmtp:101 0-15")
}

func TestSetAttrMakesOneOfMany(t *testing.T) {
	s := parse(t, body("m=audio 1 RTP/AVP 0", "a=x:1", "a=y", "a=x:2", "a=x", "a=xx"))
	must(t, s.Audio().SetAttr("x", "3"))
	if want := body("m=audio 1 RTP/AVP 0", "a=x:3", "a=y", "a=xx"); string(s.Bytes()) != want {
		t.Errorf("got\n%s", s.Bytes())
	}
}

func TestAttrThatWouldBreakTheTextIsRefused(t *testing.T) {
	s := seed(t, "sipp")
	before := s.Bytes()
	for _, c := range []struct{ name, value string }{
		{"", "x"},
		{"a b", "x"},
		{"x\r\n", ""},
		{"x", "1\r\na=y"},
		{"x", "1\n"},
		{"x", "\x00"},
		{"ptime:8", "1"},
		{"rtpmap", "0 PCMU/8000"},
		{"fmtp:", "x"},
		{"fmtp:128", "x"},
		{"fmtp:08", "x"},
	} {
		if err := s.Audio().SetAttr(c.name, c.value); !errors.Is(err, ErrAttr) {
			t.Errorf("%q = %q: %v", c.name, c.value, err)
		}
	}
	if err := s.Audio().SetAttr("x", strings.Repeat("x", MaxSize)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a huge value: %v", err)
	}
	if string(s.Bytes()) != string(before) {
		t.Errorf("changed to\n%s", s.Bytes())
	}
}

func TestStripICETakesItFromAllSections(t *testing.T) {
	s := seed(t, "webrtc")
	must(t, s.Strip("ice"))
	for _, l := range strings.Split(string(s.Bytes()), "\r\n") {
		if strings.HasPrefix(l, "a=ice-") || strings.HasPrefix(l, "a=candidate") {
			t.Errorf("%q stayed", l)
		}
	}
	has(t, s.Bytes(), "a=rtcp-mux", "a=setup:actpass", "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126")
}

func TestStripCryptoMakesPlainRTPAndLeavesOtherStreams(t *testing.T) {
	s := seed(t, "two-audio")
	must(t, s.Strip("crypto"))
	has(t, s.Bytes(), "m=audio 5002 RTP/AVP 8 101", "m=message 7394 TCP/TLS/MSRP *", "a=setup:actpass",
		"a=fingerprint:SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB")
	if _, ok := s.Media()[1].Attr("crypto"); ok {
		t.Error("the key stayed")
	}
	s = parse(t, body("a=fingerprint:x", "m=audio 1 udp/tls/rtp/savpf 0", "m=application 2 UDP/DTLS/SCTP webrtc-datachannel"))
	must(t, s.Strip("crypto"))
	has(t, s.Bytes(), "m=audio 1 RTP/AVPF 0", "a=fingerprint:x")
	s.Media()[1].Remove()
	must(t, s.Strip("crypto"))
	has(t, s.Bytes(), "!a=fingerprint:x")
}

func TestStripOfAnUnknownKindDoesNothing(t *testing.T) {
	s := seed(t, "webrtc")
	before := s.Bytes()
	if err := s.Strip("video", "icing"); !errors.Is(err, ErrKind) || !strings.Contains(err.Error(), `"icing"`) {
		t.Errorf("%v", err)
	}
	if string(s.Bytes()) != string(before) {
		t.Error("half of it was done")
	}
	must(t, s.Strip("video"))
	if !s.Video().Removed() || s.Audio().Removed() {
		t.Error("not the video alone was removed")
	}
}

func TestNewLineGoesBeforeTrailingEmptyLines(t *testing.T) {
	s := parse(t, body("m=audio 1 RTP/AVP 0")+"\r\n\r\n")
	must(t, s.Audio().SetPTime(20))
	if want := body("m=audio 1 RTP/AVP 0", "a=ptime:20") + "\r\n\r\n"; string(s.Bytes()) != want {
		t.Errorf("got %q", s.Bytes())
	}
}
