package journal

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lib"
)

func TestACallWithMediaKeysIsComparedAsAnyOther(t *testing.T) {
	entry := func(via string) *Entry {
		text := "INVITE sip:1@b.example SIP/2.0\r\nVia: SIP/2.0/UDP " + via + ";branch=z9hG4bK1\r\nFrom: <sip:2@a.example>;tag=" + via + "\r\n" +
			"To: <sip:1@b.example>\r\nCall-ID: " + via + "\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: 103\r\n\r\n" +
			"m=audio 6000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2Rlc2tleXNkZXNrZXlzZGVza2V5c2Rlc2tleXNk\r\n"
		return &Entry{
			Record: &b2bua.Record{Attempts: []b2bua.Attempt{{Trunk: "b"}}},
			Steps:  []Step{{Kind: b2bua.EventSent, Leg: 1, Method: "INVITE", Bytes: message.Mask(text)}},
		}
	}
	if change := Compare(entry("192.0.2.1"), entry("192.0.2.2")); change != nil {
		t.Errorf("%v", change)
	}
	for _, step := range entry("192.0.2.1").Story().Steps {
		if !step.Message.SDP {
			t.Error("the ladder does not know that there was SDP")
		}
	}
}

func TestWhatLookUpsSayOfPasswordsIsNotInTheLog(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Config{Path: dir, MaxSize: 1 << 20, MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	l.Observe(b2bua.Event{Kind: b2bua.EventBegan, Call: "c1", At: began, Record: &b2bua.Record{ID: "c1", Started: began}})
	l.From("c1", b2bua.Source{IP: "192.0.2.1"})
	l.Met(&lib.Question{Kind: "http", Key: "GET https://u.example/u?name=bob&token=hush1&x=1", Call: "c1"},
		lib.Answer{Status: 200, Body: []byte(`{"user": "bob", "Password":"hush2", "n": 12345678901234567890, "sip": {"ha1" : "hus\"h3"}}`)}, nil, 0)
	l.Met(&lib.Question{Kind: "http", Key: "GET https://u.example/form", Call: "c1"}, lib.Answer{Status: 200, Body: []byte("user=bob&password=hush4&x=1")}, nil, 0)
	l.Met(&lib.Question{Kind: "sql", Key: "users select", Call: "c1"}, lib.Answer{Value: []any{map[string]any{"name": "bob", "sip_secret": "hush5"}}}, nil, 0)
	l.Met(&lib.Question{Kind: "redis", Key: "cache get password:bob", Call: "c1"}, lib.Answer{Value: "hush6"}, nil, 0)
	if v, err := l.Meet("c1", "get ha1:bob", "hush7", nil); v != "hush7" || err != nil {
		t.Errorf("the script gets %v, %v", v, err)
	}
	l.Observe(b2bua.Event{Kind: b2bua.EventEnded, Call: "c1", At: began, Record: &b2bua.Record{ID: "c1", Started: began, Ended: began}})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Read(dir, time.Time{}, time.Now().Add(time.Hour), func(e *Entry) error {
		all := ""
		for _, m := range e.Met {
			all += m.Key + string(m.Body) + string(m.Value) + "\n"
			if m.Kind == "http" && strings.HasPrefix(string(m.Body), "{") && !json.Valid(m.Body) {
				t.Errorf("no longer JSON: %s", m.Body)
			}
		}
		if strings.Contains(all, "hush") || strings.Contains(all, "h3") {
			t.Error(all)
		}
		for _, kept := range []string{"name=bob", "x=1", `"user": "bob"`, "12345678901234567890", `"name":"bob"`} {
			if !strings.Contains(all, kept) {
				t.Errorf("%s is gone: %s", kept, all)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
