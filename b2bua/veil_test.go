package b2bua

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"legwork/b2bua/dialog"
	"legwork/b2bua/leak"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// sdpInside is a description that tells all it can of who made it; media comes
// from elsewhere.
const sdpInside = "v=0\r\no=inside 77 3 IN IP4 192.0.2.1\r\ns=PBX inside\r\ni=inside\r\nu=http://inside/\r\ne=a@inside\r\np=+1\r\n" +
	"c=IN IP4 203.0.113.9\r\nt=0 0\r\na=tool:inside 1.0\r\nm=audio 4000 RTP/AVP 0 8\r\ni=inside\r\na=sendrecv\r\n"

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// insideOut makes alice the inside, whose address and name nobody else may see, and
// says what of them was seen. edge is what the trunks say of headers.
func (r *rig) insideOut(edge trunk.Headers) *journal {
	r.Helper()
	r.neighbours(func(t *trunk.Trunk) { t.Headers = edge })
	g, err := leak.New([]string{"inside"}, []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")})
	r.check(err)
	log := &journal{}
	r.server.log = slog.New(slog.NewTextHandler(log, nil))
	settings := *r.server.settings()
	settings.Leaks = &Leaks{Guard: g, Every: 1}
	r.check(r.server.Apply(settings))
	return log
}

// insideTalks is a call of alice's who says all of herself, in each message.
func (r *rig) insideTalks() {
	r.Helper()
	tell := func(m *message.Message) {
		for _, h := range []message.Header{
			{Name: "User-Agent", Value: "inside"},
			{Name: "Server", Value: "inside"},
			{Name: "Warning", Value: `399 inside.example "x"`},
			{Name: "In-Reply-To", Value: "1@inside"},
			{Name: "X-Inside", Value: "192.0.2.1"},
			{Name: "P-Asserted-Identity", Value: "<sip:alice@192.0.2.1:5060>, <tel:+4930>"},
			{Name: "Diversion", Value: "<sip:al@192.0.2.1>;reason=user-busy"},
			{Name: "Allow", Value: "INSIDE"},
			{Name: "Feature-Caps", Value: "inside"},
			{Name: "Alert-Info", Value: "<http://192.0.2.1:8088/ring?x=1>;info=alert-internal, <urn:alert:source:internal>"},
			{Name: "Call-Info", Value: "<https://al@192.0.2.1/al.jpg>;purpose=icon"},
			{Name: "Error-Info", Value: "<sip:why@192.0.2.1>"},
		} {
			m.Add(h.Name, h.Value)
		}
	}
	req := r.alice.Invite("sip:bob@"+sbc, sdpInside)
	req.Set("From", "<sip:alice@192.0.2.1:5062>;tag="+req.FromTag())
	tell(req)
	_, err := r.alice.Send(req, sbc)
	r.check(err)
	in := r.wait(r.bob, "INVITE")
	in.Reply(180, nil)
	in.Reply(200, withSDP)
	r.wait(r.alice, "180")
	d := r.alice.Dialog(req, r.wait(r.alice, "200").Message, false)
	r.ack(d, 1, "")
	r.wait(r.bob, "ACK")
	d.LocalSeq = 1
	r.say(r.alice, d, "INVITE", func(m *message.Message) {
		tell(m)
		m.Set("Content-Type", "application/sdp")
		m.Body = []byte(strings.Replace(sdpInside, "77 3", "77 4", 1))
	})
	again := r.wait(r.bob, "INVITE")
	if !strings.Contains(string(again.Body), " 4 IN IP4") {
		r.Errorf("the version does not count up:\n%s", again.Body)
	}
	again.Reply(200, withSDP)
	r.wait(r.alice, "200")
	d.LocalSeq = 2
	r.ack(d, 2, "")
	r.wait(r.bob, "ACK")
	r.fragmentCrosses(d, tell)
	r.say(r.alice, d, "BYE", tell)
	r.wait(r.bob, "BYE").Reply(200, nil)
	r.wait(r.alice, "200 BYE")
	synctest.Wait() // the log is written before it is read
}

// fragmentCrosses sends a NOTIFY of a transfer.
func (r *rig) fragmentCrosses(d *dialog.Dialog, tell func(*message.Message)) {
	r.Helper()
	r.say(r.alice, d, "NOTIFY", func(m *message.Message) {
		tell(m)
		m.Set("Event", "refer")
		m.Set("Subscription-State", "active")
		m.Set("Content-Type", "message/sipfrag;version=2.0")
		m.Body = []byte("SIP/2.0 200 OK\r\nServer: inside\r\nContact: <sip:192.0.2.1>\r\n")
	})
	in := r.wait(r.bob, "NOTIFY")
	if !bytes.HasPrefix(in.Body, []byte("SIP/2.0 200 OK\r\n")) {
		r.Errorf("the fragment is %q", in.Body)
	}
	in.Reply(200, nil)
	r.wait(r.alice, "200 NOTIFY")
}

func TestNothingOfTheOtherSideCrossesUnderEdge(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		log := r.insideOut(trunk.Headers{Preset: trunk.Edge})
		r.insideTalks()
		if got := r.server.Leaks(); len(got) != 0 || strings.Contains(log.String(), "leaks") {
			t.Errorf("leaks: %v\n%s", got, log)
		}
	})
}

func TestALeakIsNamedWithItsHeaderAndWhereItCameFrom(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		log := r.insideOut(trunk.Headers{Preset: trunk.Transparent, Set: []message.Header{{Name: "X-Own", Value: "inside"}}})
		r.insideTalks()
		for _, want := range []string{
			`header=X-Inside what=192.0.2.1 from="INVITE of leg a (trunk alice)" method=INVITE trunk=bob target=192.0.2.2`,
			`header=User-Agent what=inside from="INVITE of leg a (trunk alice)"`,
			`header="SDP o=" what=192.0.2.1`,
			`header=body what=inside from="NOTIFY of leg a (trunk alice)"`,
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %s in\n%s", want, log)
			}
		}
		if r.server.Leaks()["bob"] < 3 || r.server.Leaks()["alice"] != 0 {
			t.Errorf("counted: %v", r.server.Leaks())
		}
	})
}

func TestAPresetThatNobodyNamedLeavesTheSDP(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.neighbours(func(*trunk.Trunk) {})
		req := r.alice.Invite("sip:bob@"+sbc, sdpInside)
		req.Set("From", "<sip:alice@192.0.2.1:5062>;tag="+req.FromTag())
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		if string(in.Body) != sdpInside || !strings.HasPrefix(in.Get("From"), "<sip:alice@192.0.2.1:5062>") {
			t.Errorf("got\n%s", in)
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestTheOriginOfASessionStaysTheSameUnderEdge(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.insideOut(trunk.Headers{Preset: trunk.Edge})
		_, err := r.alice.Send(r.alice.Invite("sip:bob@"+sbc, sdpInside), sbc)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		first := strings.SplitN(string(in.Body), "\r\n", 3)[1]
		if !strings.HasPrefix(first, "o=- ") || !strings.HasSuffix(first, " 3 IN IP4 192.0.2.10") || strings.Contains(first, " 77 ") {
			t.Errorf("origin is %q", first)
		}
		if want := "s=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\na=sendrecv\r\n"; !strings.HasSuffix(string(in.Body), want) {
			t.Errorf("got\n%s", in.Body)
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestASurvivorSeesNothingOfTheFreshPeerUnderEdge(t *testing.T) {
	p := &fixed{invite: func(_ context.Context, v View) Decided {
		u, _ := message.ParseURI(v.Request.URI)
		return Decided{Decision: Route{Targets: []Target{{Trunk: u.User}}, Refer: LocalRefer}}
	}}
	play(t, p, func(r *rig) {
		r.neighbours(func(t *trunk.Trunk) { t.Headers = trunk.Headers{Preset: trunk.Edge} })
		call := r.answered()
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.bob, "202 REFER")
		in := r.wait(r.carol, "INVITE")
		sent := in.Reply(200, func(m *message.Message) { putSDP(m, []byte(sdpInside)) })
		r.wait(r.carol, "ACK")
		again := r.takesOver(r.alice, "192.0.2.1")
		if body := string(again.Body); strings.Contains(body, "inside") || !strings.Contains(body, " 2 IN IP4 192.0.2.10") || !strings.Contains(body, "c=IN IP4 203.0.113.9") {
			t.Errorf("the survivor was offered\n%s", body)
		}
		r.notified(r.bob, "200")
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		r.say(r.carol, r.carol.Dialog(in.Message, sent, true), "BYE", nil)
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}

func TestALinkKeepsAllButTheAddressOfItsHost(t *testing.T) {
	for _, c := range []struct{ value, host, want string }{
		{"<http://192.0.2.1:8088/ring?x=1>;info=alert", "203.0.113.7", "<http://203.0.113.7/ring?x=1>;info=alert"},
		{"<http://[2001:db8::1]/a.jpg>;purpose=icon", "2001:db8::7", "<http://[2001:db8::7]/a.jpg>;purpose=icon"},
		{"<http://pictures.example/a.jpg>", "203.0.113.7", "<http://pictures.example/a.jpg>"},
		{"<sip:why@192.0.2.1:5062>", "203.0.113.7", "<sip:why@203.0.113.7>"},
		{"<urn:alert:source:internal>", "203.0.113.7", "<urn:alert:source:internal>"},
		{"no link % at all", "203.0.113.7", "no link % at all"},
	} {
		v := &veiling{to: &leg{}}
		if got := v.linkWithHost(c.value, c.host); got != c.want {
			t.Errorf("%s: %s, want %s", c.value, got, c.want)
		}
	}
}

func TestALeakOfEachMessageLeavesTheOthersTheirLines(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		log := r.insideOut(trunk.Headers{Preset: trunk.Transparent})
		for i := range 20 {
			req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
			req.Add("X-A", "inside")
			if i == 19 {
				req.Add("X-B", "inside")
			}
			_, err := r.alice.Send(req, sbc)
			r.check(err)
			r.wait(r.bob, "INVITE").Reply(486, nil)
			r.wait(r.alice, "486")
		}
		synctest.Wait() // the log is written before it is read
		if n := strings.Count(log.String(), "header=X-A"); n == 0 || n > 5 || !strings.Contains(log.String(), "header=X-B") {
			t.Errorf("%d lines tell of X-A, and one of X-B:\n%s", n, log)
		}
	})
}

func TestAHiddenMaddrIsLeftOut(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{"<sip:al@192.0.2.1;maddr=192.0.2.1>;tag=1", "<sip:al@203.0.113.7>;tag=1"},
		{"<sip:al@carrier.example:5070;maddr=192.0.2.1;user=phone>;tag=1", "<sip:al@carrier.example:5070;user=phone>;tag=1"},
		{"<sip:al@carrier.example;maddr=[2001:db8::1]>", "<sip:al@carrier.example>"},
		{"<sip:al@carrier.example;maddr=sbc.carrier.example>", "<sip:al@carrier.example;maddr=sbc.carrier.example>"},
	} {
		v := &veiling{to: &leg{}}
		if got := v.withHost(c.value, "203.0.113.7"); got != c.want {
			t.Errorf("%s: %s, want %s", c.value, got, c.want)
		}
	}
}

func TestAFragmentOfARequestStaysUnderEdge(t *testing.T) {
	for _, c := range []struct {
		preset     trunk.Preset
		body, want string
	}{
		{trunk.Edge, "SIP/2.0 200 OK\r\nContact: <sip:192.0.2.1>\r\n", "SIP/2.0 200 OK\r\n"},
		{trunk.Edge, "INVITE sip:192.0.2.1 SIP/2.0\r\nContact: <sip:192.0.2.1>\r\n", ""},
		{trunk.Edge, "Contact: <sip:192.0.2.1>\r\n", ""},
		{trunk.PresetDefault, "Contact: <sip:192.0.2.1>\r\n", "Contact: <sip:192.0.2.1>\r\n"},
		{trunk.Transparent, "SIP/2.0 200 OK\r\nContact: <sip:192.0.2.1>\r\n", "SIP/2.0 200 OK\r\nContact: <sip:192.0.2.1>\r\n"},
	} {
		m := &message.Message{Method: "NOTIFY", Body: []byte(c.body)}
		m.Set("Content-Type", "message/sipfrag;version=2.0")
		fragment(m, &trunk.Headers{Preset: c.preset})
		if string(m.Body) != c.want || (m.Get("Content-Type") != "") != (c.want != "") {
			t.Errorf("%v: %q became %q, %s", c.preset, c.body, m.Body, m.Get("Content-Type"))
		}
	}
}

func TestEachContactOfALineIsHiddenUnderEdge(t *testing.T) {
	p := &fixed{invite: func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "bob"}}, Redirects: PassRedirects}}
	}}
	play(t, p, func(r *rig) {
		r.neighbours(func(t *trunk.Trunk) { t.Headers = trunk.Headers{Preset: trunk.Edge} })
		_, err := r.alice.Send(r.alice.Invite("sip:bob@"+sbc, sdpOffer), sbc)
		r.check(err)
		r.wait(r.bob, "INVITE").Reply(302, func(m *message.Message) {
			m.Set("Contact", `"a, b" <sip:one@192.0.2.77>;q=0.5, <sip:two@192.0.2.78:5070>`)
		})
		res := r.wait(r.alice, "302")
		if got := strings.Join(res.All("Contact"), ", "); strings.Contains(got, "192.0.2.7") || !strings.Contains(got, "sip:one@192.0.2.10") || !strings.Contains(got, "sip:two@192.0.2.10") {
			t.Errorf("Contact: %s", got)
		}
	})
}
