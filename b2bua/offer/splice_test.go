package offer

import (
	"bytes"
	"testing"
)

func TestASessionGoesOnWhenItsSourceChanges(t *testing.T) {
	last := []byte("v=0\r\no=bob 77 9 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")
	next := []byte("v=0\r\no=carol 5 1 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.3\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\n")
	got := Continue(last, next)
	has(t, got, "o=bob 77 10 IN IP4 192.0.2.2", "c=IN IP4 192.0.2.3", "m=audio 6000 RTP/AVP 8")
	if again := Continue(got, next); !bytes.Equal(again, got) {
		t.Errorf("the same once more is new:\n%s", again)
	}
	if first := Continue(nil, next); !bytes.Equal(first, next) {
		t.Errorf("the first of all was changed:\n%s", first)
	}
}

func TestTheVersionCarries(t *testing.T) {
	for number, want := range map[string]string{"1": "2", "9": "10", "199": "200", "99999999999999999999": "1"} {
		if got := successor(number); got != want {
			t.Errorf("%s is followed by %s", number, got)
		}
	}
}

func TestStreamsAreNeverFewerAndAnAnswerFitsItsOffer(t *testing.T) {
	last := []byte(body("m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 31", "a=sendonly"))
	next := []byte(body("m=audio 6000 RTP/AVP 8"))
	got := Continue(last, next[:len(next)-2])
	has(t, got, "o=- 1 2 IN IP4 192.0.2.1", "m=audio 6000 RTP/AVP 8", "m=video 0 RTP/AVP 31", "!a=sendonly")
	answer := Fit(got, next)
	has(t, answer, "m=audio 6000 RTP/AVP 8", "!m=video 0 RTP/AVP 31")
	if same := Fit(next, got); !bytes.Equal(same, next) {
		t.Errorf("a shorter answer was cut:\n%s", same)
	}
}

func TestAHeldPeerIsOfferedAwake(t *testing.T) {
	got := Awaken([]byte(body("m=audio 4000 RTP/AVP 0", "a=inactive", "m=video 0 RTP/AVP 31", "a=recvonly", "m=text 4002 RTP/AVP 98", "a=recvonly")))
	has(t, got, "a=sendrecv", "!a=inactive", "a=recvonly")
	if n := bytes.Count(got, []byte("a=recvonly")); n != 1 {
		t.Errorf("%d streams are recvonly:\n%s", n, got)
	}
}

func TestAnAnswerThatNarrowsAgrees(t *testing.T) {
	offered := []byte(body("m=audio 4000 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000"))
	for said, want := range map[string]bool{
		body("m=audio 4000 RTP/AVP 8"):                                            true,
		body("m=audio 4000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000"):   true,
		body("m=audio 4000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/16000"):  false,
		body("m=audio 4000 RTP/AVP 9"):                                            false,
		body("m=audio 4002 RTP/AVP 8"):                                            false,
		body("m=audio 0 RTP/AVP 8"):                                               false,
		body("m=audio 4000 RTP/AVP 8", "a=sendonly"):                              false,
		body("m=audio 4000 RTP/AVP 8", "c=IN IP4 192.0.2.7"):                      false,
		body("m=audio 4000 RTP/SAVP 8"):                                           false,
		body("m=audio 4000 RTP/AVP 8", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 in:x"): false,
		body("m=audio 4000 RTP/AVP 8", "m=video 0 RTP/AVP 31"):                    false,
		"": false,
	} {
		if got := Agree(offered, []byte(said)); got != want {
			t.Errorf("%v, want %v:\n%s", got, want, said)
		}
	}
}

func FuzzContinue(f *testing.F) {
	all := seeds(f)
	for _, b := range all {
		f.Add(b, all["sipp"])
	}
	f.Fuzz(func(t *testing.T, last, next []byte) {
		got := Continue(last, next)
		a, err := Parse(next)
		if err != nil {
			return
		}
		b, err := Parse(got)
		if err != nil || len(b.Media()) < len(a.Media()) {
			t.Fatalf("%q behind %q is %q: %v", next, last, got, err)
		}
		if again := Continue(got, got); !bytes.Equal(again, got) {
			t.Errorf("%q behind itself is %q", got, again)
		}
		if !bytes.Equal(Awaken(Awaken(got)), Awaken(got)) {
			t.Errorf("%q awakens twice", got)
		}
	})
}
