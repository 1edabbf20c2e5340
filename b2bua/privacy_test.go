package b2bua

import (
	"context"
	"strings"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// neighbours gives the rig's server trunks of its three agents, alike but for
// edit.
func (r *rig) neighbours(edit func(t *trunk.Trunk)) {
	r.Helper()
	list := []trunk.Trunk{
		{Name: "alice", Match: []string{"192.0.2.1"}, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.1:5060"}}},
		{Name: "bob", Match: []string{"192.0.2.2"}, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.2:5060"}}},
		{Name: "carol", Match: []string{"192.0.2.3"}, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.3:5060"}}},
	}
	for i := range list {
		edit(&list[i])
	}
	table, err := trunk.NewTable(list, nil)
	r.check(err)
	settings := *r.server.settings()
	settings.Trunks = table
	r.check(r.server.Apply(settings))
}

func toTrunk(names ...string) func(context.Context, View) Decided {
	var route Route
	for _, name := range names {
		route.Targets = append(route.Targets, Target{Trunk: name})
	}
	return func(context.Context, View) Decided { return Decided{Decision: route} }
}

// trusting says whom a test trusts; who is not named says nothing.
func (r *rig) trusting(trust map[string]trunk.Trust) {
	r.Helper()
	r.neighbours(func(t *trunk.Trunk) { t.Trust = trust[t.Name] })
}

const (
	asserted  = `"Alice" <sip:+4930123@phones.example>`
	preferred = "<sip:+4930124@phones.example>"
)

// invites is what bob gets of an INVITE of alice's who says all of herself.
func (r *rig) invites(privacy string) *simnet.Incoming {
	r.Helper()
	req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
	req.Set("From", `"Alice" <sip:alice@phones.example>;tag=`+req.FromTag())
	req.Add("P-Asserted-Identity", asserted)
	req.Add("Remote-Party-ID", asserted)
	req.Add("P-Preferred-Identity", preferred)
	req.Add("Organization", "Wonderland")
	req.Add("History-Info", "<sip:al@phones.example>;index=1")
	req.Add("Diversion", "<sip:shy@phones.example>;privacy=full, <sip:open@phones.example>")
	if privacy != "" {
		req.Add("Privacy", privacy)
	}
	_, err := r.alice.Send(req, sbc)
	r.check(err)
	r.wait(r.alice, "100")
	return r.wait(r.bob, "INVITE")
}

func TestIdentitiesCrossByTrust(t *testing.T) {
	const unsaid, no, yes = trunk.TrustUnsaid, trunk.Untrusted, trunk.Trusted
	for _, c := range []struct {
		name       string
		alice, bob trunk.Trust
		privacy    string
		asserted   bool
		hidden     bool // From is anonymous
	}{
		{"nobody speaks of trust", unsaid, unsaid, "id", true, false},
		{"from one trusted to another", yes, yes, "", true, false},
		{"from one trusted to another, hidden", yes, yes, "id", true, false},
		{"out of the domain", yes, no, "", false, false},
		{"out of the domain, hidden", yes, no, "id", false, true},
		{"out of the domain, hidden as SIP's first RFC on it writes it", yes, no, "user;critical", false, true},
		{"out of the domain, and no privacy wanted", yes, no, "none", true, false},
		{"out of the domain, and of two minds", yes, no, "none;id", false, true},
		{"from outside", no, yes, "", false, false},
		{"from outside, hidden", no, yes, "id", false, false},
		{"from one outside to another", no, no, "none", false, false},
		{"to one who says nothing while another does", yes, unsaid, "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
				r.trusting(map[string]trunk.Trust{"alice": c.alice, "bob": c.bob})
				in := r.invites(c.privacy)
				for _, name := range []string{"P-Asserted-Identity", "Remote-Party-ID"} {
					if _, told := in.Message.Lookup(name); told != c.asserted {
						t.Errorf("%s told: %v, want %v", name, told, c.asserted)
					}
				}
				_, preferred := in.Message.Lookup("P-Preferred-Identity")
				if spoken := c.alice != unsaid || c.bob != unsaid; preferred == spoken {
					t.Errorf("P-Preferred-Identity crosses: %v", preferred)
				}
				from := message.WithTag(in.Message.Get("From"), "")
				if want := map[bool]string{true: anonymous, false: `"Alice" <sip:alice@phones.example>`}[c.hidden]; from != want {
					t.Errorf("From: %s, want %s", from, want)
				}
				if got := in.Message.Get("Privacy"); got != c.privacy {
					t.Errorf("Privacy: %q, want %q", got, c.privacy)
				}
				in.Reply(486, nil)
				r.wait(r.alice, "486")
			})
		})
	}
}

func TestOnlyWhatIsToBeHiddenIsHiddenFromStrangers(t *testing.T) {
	for privacy, gone := range map[string][]string{
		"":             nil,
		"id":           nil,
		"user":         {"Organization"},
		"history":      {"History-Info"},
		"user,history": {"Organization", "History-Info"},
	} {
		play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
			r.trusting(map[string]trunk.Trust{"alice": trunk.Trusted})
			in := r.invites(privacy)
			told := map[string]bool{"Organization": true, "History-Info": true}
			for _, name := range gone {
				told[name] = false
			}
			for name, want := range told {
				if _, has := in.Message.Lookup(name); has != want {
					t.Errorf("Privacy %q: %s told: %v", privacy, name, has)
				}
			}
			if all := in.Message.List("Diversion"); len(all) != 1 || message.URIOf(all[0]) != "sip:open@phones.example" {
				t.Errorf("Diversion: %q", all)
			}
			in.Reply(486, nil)
			r.wait(r.alice, "486")
		})
	}
}

func TestACalleesIdentityCrossesByTrustToo(t *testing.T) {
	for _, trust := range []trunk.Trust{trunk.Untrusted, trunk.Trusted} {
		play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
			r.trusting(map[string]trunk.Trust{"alice": trunk.Trusted, "bob": trust})
			c := r.answeredWith(func(res *message.Message) { res.Add("P-Asserted-Identity", "<sip:bob@pbx.example>") })
			if _, told := c.ok.Message.Lookup("P-Asserted-Identity"); told != (trust == trunk.Trusted) {
				t.Errorf("trust %d: told %v", trust, told)
			}
			c.hangUpByAlice()
		})
	}
}

func TestAnAnonymousCallerStaysSoInItsDialog(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.trusting(map[string]trunk.Trust{"alice": trunk.Trusted})
		in := r.invites("id")
		sent := in.Reply(200, withSDP)
		r.wait(r.alice, "200")
		bob := r.bob.Dialog(in.Message, sent, true)
		r.wait(r.bob, "ACK")
		r.say(r.bob, bob, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		bye := r.wait(r.alice, "BYE")
		if to := message.URIOf(bye.Message.Get("To")); to != "sip:alice@phones.example" {
			t.Errorf("alice is called %s", to)
		}
		bye.Reply(200, nil)
	})
}

func TestWhatTheCallerHidesStaysHiddenInItsDialog(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.trusting(map[string]trunk.Trust{"alice": trunk.Trusted})
		req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		req.Add("Privacy", "user")
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		r.wait(r.bob, "INVITE").Reply(200, withSDP)
		d := r.alice.Dialog(req, r.wait(r.alice, "200").Message, false)
		r.ack(d, 1, "")
		r.wait(r.bob, "ACK")
		r.say(r.alice, d, "REFER", func(m *message.Message) {
			m.Add("Refer-To", "<sip:carol@192.0.2.10>")
			m.Add("Referred-By", "<sip:alice@phones.example>")
			m.Add("Organization", "Wonderland")
		})
		in := r.wait(r.bob, "REFER")
		for _, name := range []string{"Referred-By", "Organization"} {
			if value, told := in.Message.Lookup(name); told {
				t.Errorf("%s: %s", name, value)
			}
		}
		in.Reply(603, nil)
		r.wait(r.alice, "603 REFER")
		r.say(r.alice, d, "BYE", nil)
		r.wait(r.alice, "200 BYE")
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestAMessageOfWhoHidesIsAnonymous(t *testing.T) {
	route := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "bob"}}}}
	}
	play(t, &fixed{outside: route}, func(r *rig) {
		r.trusting(map[string]trunk.Trust{"alice": trunk.Trusted})
		req := r.alice.Invite("sip:bob@"+sbc, "")
		req.Method = "MESSAGE"
		req.Set("CSeq", "1 MESSAGE")
		req.Add("Privacy", "id")
		req.Add("P-Asserted-Identity", asserted)
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		in := r.wait(r.bob, "MESSAGE")
		if from := message.WithTag(in.Message.Get("From"), ""); from != anonymous || in.Message.Get("P-Asserted-Identity") != "" {
			t.Errorf("From: %s, asserted %q", from, in.Message.Get("P-Asserted-Identity"))
		}
		in.Reply(200, nil)
		r.wait(r.alice, "200 MESSAGE")
	})
}

func TestATrunkIsToldWhoDivertedInItsForm(t *testing.T) {
	const no, yes = trunk.Untrusted, trunk.Trusted
	for _, c := range []struct {
		form    message.DiversionForm
		bob     trunk.Trust
		history string
		listed  string
	}{
		{message.HistoryForm, yes, "<sip:al@phones.example>;index=1", ""},
		{message.BothForms, no, "<sip:open@phones.example>;index=1", "<sip:open@phones.example>"},
		{message.DiversionOnlyForm, no, "", "<sip:open@phones.example>"},
		{message.NoDiversion, yes, "", ""},
	} {
		play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
			r.neighbours(func(t *trunk.Trunk) {
				t.Trust = yes
				if t.Name == "bob" {
					t.Trust, t.Diversion = c.bob, c.form
				}
			})
			req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
			req.Add("History-Info", "<sip:al@phones.example>;index=1, <sip:shy@phones.example?Privacy=history>;index=1.1")
			req.Add("Diversion", "<sip:shy@phones.example>;privacy=full, <sip:open@phones.example>")
			if c.form == message.HistoryForm {
				req.Del("History-Info")
				req.Set("Diversion", "<sip:al@phones.example>;reason=user-busy")
			}
			_, err := r.alice.Send(req, sbc)
			r.check(err)
			in := r.wait(r.bob, "INVITE")
			for name, want := range map[string]string{"History-Info": c.history, "Diversion": c.listed} {
				got := in.Get(name)
				if got != want {
					t.Errorf("form %d: %s is %q, want %q", c.form, name, got, want)
				}
			}
			if strings.Contains(in.String(), "shy") {
				t.Errorf("form %d: who wants to stay unknown does not:\n%s", c.form, in)
			}
			if c.form == message.HistoryForm && in.List("History-Info")[1] != "<sip:bob@192.0.2.2:5060;cause=486>;index=1.1;mp=1" {
				t.Errorf("history is %q", in.List("History-Info"))
			}
			in.Reply(486, nil)
			r.wait(r.alice, "486")
		})
	}
}

func TestACriticalPrivacyThatCannotBeHadIs500(t *testing.T) {
	for _, c := range []struct {
		privacy string
		bob     trunk.Trust
		crosses bool
	}{
		{"session;critical", trunk.Untrusted, false},
		{"id;unheard-of; Critical", trunk.Untrusted, false},
		{"session;critical", trunk.Trusted, true},
		{"session", trunk.Untrusted, true},
		{"id;user;header;history;critical", trunk.Untrusted, true},
		{"session;critical", trunk.TrustUnsaid, true},
	} {
		play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
			r.trusting(map[string]trunk.Trust{"bob": c.bob})
			req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
			req.Add("Privacy", c.privacy)
			_, err := r.alice.Send(req, sbc)
			r.check(err)
			if !c.crosses {
				r.wait(r.alice, "500")
				r.never(r.bob, "INVITE")
				return
			}
			r.wait(r.bob, "INVITE").Reply(486, nil)
			r.wait(r.alice, "486")
		})
	}
}
