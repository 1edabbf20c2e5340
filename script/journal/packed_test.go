package journal

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"legwork/b2bua"
)

func TestAPackedCallIsTheSameAndSmaller(t *testing.T) {
	began := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	e := &Entry{
		Record: &b2bua.Record{ID: "one", Started: began, Ended: began.Add(time.Minute)},
		Source: Source{IP: "192.0.2.1", Port: 5060, Transport: "udp"},
		Steps:  []Step{{Kind: b2bua.EventReceived, Method: "INVITE", Bytes: strings.Repeat("Via: SIP/2.0/UDP \u00e9 <&>\r\n", 20)}},
		Met:    []Met{{Kind: "http", Key: "GET /", Body: []byte{0, 255}, Value: json.RawMessage(`{"a":1}`)}},
		Seed:   []byte{1, 2},
	}
	p, err := Pack(e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Entry()
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%v\n%+v\n%+v", err, got, e)
	}
	if !p.Began.Equal(began) || !p.Ended.Equal(began.Add(time.Minute)) || len(p.deflated) > 400 {
		t.Errorf("%v %v, %d bytes", p.Began, p.Ended, len(p.deflated))
	}
	e.Met[0].Value = json.RawMessage("{")
	if _, err := Pack(e); err == nil || !strings.Contains(err.Error(), "call one: ") {
		t.Error(err)
	}
	p.deflated = p.deflated[:len(p.deflated)/2]
	if _, err := p.Entry(); err == nil {
		t.Error("half of it is read")
	}
}
