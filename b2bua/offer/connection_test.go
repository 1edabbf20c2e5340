package offer

import (
	"errors"
	"strings"
	"testing"
)

func TestSessionConnectionReachesAllStreams(t *testing.T) {
	s := seed(t, "opus-two-rates")
	if got := s.Connection(); got != "192.0.2.30" {
		t.Errorf("connection %q", got)
	}
	must(t, s.SetConnection("2001:db8::5"))
	has(t, s.Bytes(), "c=IN IP6 2001:db8::5", "a=rtcp:7079 IN IP6 2001:db8::5", "!c=IN IP4 192.0.2.30")
	if n := strings.Count(string(s.Bytes()), "\r\nc="); n != 1 {
		t.Errorf("%d c= lines", n)
	}

	s = parse(t, body("m=audio 1 RTP/AVP 0", "a=rtcp:2 IN IP4 192.0.2.1", "m=audio 3 RTP/AVP 0", "c=IN IP4 0.0.0.0"))
	must(t, s.SetConnection("192.0.2.9"))
	has(t, s.Bytes(), "c=IN IP4 192.0.2.9", "a=rtcp:2 IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0", "!c=IN IP4 192.0.2.1")
	if !s.Media()[1].IsHold() {
		t.Error("the held stream was taken off hold")
	}
}

func TestSessionWithoutConnectionGetsOneInItsPlace(t *testing.T) {
	s := parse(t, "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\ni=x\r\nb=AS:1\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n")
	if s.Connection() != "" || s.Audio().Connection() != "" {
		t.Error("a connection out of nothing")
	}
	must(t, s.SetConnection("media.example"))
	if want := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\ni=x\r\nc=IN IP4 media.example\r\nb=AS:1\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n"; string(s.Bytes()) != want {
		t.Errorf("got\n%s", s.Bytes())
	}
}

func TestStreamConnectionIsItsOwn(t *testing.T) {
	s := parse(t, body("m=audio 1 RTP/AVP 0", "i=x", "a=y", "m=audio 2 RTP/AVP 0", "c=IN"))
	before := s.Bytes()
	must(t, s.Audio().SetConnection("192.0.2.1"))
	if string(s.Bytes()) != string(before) {
		t.Error("the address in force was written again")
	}
	for _, m := range s.Media() {
		must(t, m.SetConnection("192.0.2.7"))
	}
	if want := body("m=audio 1 RTP/AVP 0", "i=x", "c=IN IP4 192.0.2.7", "a=y", "m=audio 2 RTP/AVP 0", "c=IN IP4 192.0.2.7"); string(s.Bytes()) != want {
		t.Errorf("got\n%s", s.Bytes())
	}
	if s.Connection() != "192.0.2.1" {
		t.Error("the session's address changed")
	}
}

func TestOriginIsReadAndWritten(t *testing.T) {
	s := seed(t, "webrtc")
	o, ok := s.Origin()
	if want := (Origin{"-", "4611731400430051336", "2", "127.0.0.1"}); !ok || o != want {
		t.Errorf("%+v %v", o, ok)
	}
	before := s.Bytes()
	must(t, s.SetOrigin(o))
	if string(s.Bytes()) != string(before) {
		t.Error("the same origin was written again")
	}
	must(t, s.SetOrigin(Origin{"legwork", "7", "8", "2001:db8::1"}))
	has(t, s.Bytes(), "o=legwork 7 8 IN IP6 2001:db8::1")

	s = parse(t, "v=0\r\ns=-\r\n")
	if _, ok := s.Origin(); ok {
		t.Error("an origin out of nothing")
	}
	must(t, s.SetOrigin(Origin{"-", "1", "1", "192.0.2.1"}))
	if want := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"; string(s.Bytes()) != want {
		t.Errorf("got %q", s.Bytes())
	}
}

func TestHostileAddressesAndOriginsAreRefused(t *testing.T) {
	s := seed(t, "sipp")
	before := s.Bytes()
	for _, addr := range []string{"", "192.0.2.1\r\na=x", "a b", "[2001:db8::1]", "\x00", "ü.example", strings.Repeat("1", 256)} {
		if err := s.SetConnection(addr); !errors.Is(err, ErrAddress) {
			t.Errorf("session %q: %v", addr, err)
		}
		if err := s.Audio().SetConnection(addr); !errors.Is(err, ErrAddress) {
			t.Errorf("stream %q: %v", addr, err)
		}
		if err := s.SetOrigin(Origin{"-", "1", "1", addr}); !errors.Is(err, ErrAddress) {
			t.Errorf("origin %q: %v", addr, err)
		}
	}
	for _, o := range []Origin{
		{"", "1", "1", "192.0.2.1"},
		{"a b", "1", "1", "192.0.2.1"},
		{"a\r", "1", "1", "192.0.2.1"},
		{"-", "", "1", "192.0.2.1"},
		{"-", "1", "x", "192.0.2.1"},
		{"-", "1", strings.Repeat("1", 21), "192.0.2.1"},
	} {
		if s.SetOrigin(o) == nil {
			t.Errorf("%+v was written", o)
		}
	}
	if string(s.Bytes()) != string(before) {
		t.Errorf("changed to\n%s", s.Bytes())
	}
}

func TestStreamWithoutAnyAddressIsReachedThroughTheSession(t *testing.T) {
	head := "v=0\r\ns=-\r\n"
	rest := "t=0 0\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\nm=video 2 RTP/AVP 31\r\n"
	s := parse(t, head+rest)
	must(t, s.SetConnection("192.0.2.9"))
	if want := head + "c=IN IP4 192.0.2.9\r\n" + strings.Replace(rest, "192.0.2.1", "192.0.2.9", 1); string(s.Bytes()) != want {
		t.Errorf("got\n%s", s.Bytes())
	}
}
