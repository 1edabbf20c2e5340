package b2bua

import (
	"strings"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

func TestNumbersAreWrittenAsTheTrunkWritesThem(t *testing.T) {
	national := trunk.Numbers{Country: "DE", URI: trunk.NationalNumber, From: trunk.NationalNumber, To: trunk.NationalNumber, Identity: trunk.NationalNumber}
	e164 := trunk.Numbers{URI: trunk.E164Number, From: trunk.E164Number, To: trunk.E164Number, Identity: trunk.E164Number, UserPhone: true}
	plain := trunk.Numbers{URI: trunk.PlainNumber, From: trunk.PlainNumber, To: trunk.PlainNumber, Identity: trunk.PlainNumber}
	for _, c := range []struct {
		name       string
		from, to   trunk.Numbers
		called, by string
		uri, sees  string
	}{
		{"from a country to the world", national, e164, "030-1234-5678", "08912345678", "sip:+493012345678@192.0.2.2:5060;user=phone", "sip:+498912345678@phones.example;user=phone"},
		{"from the world to a country", e164, national, "+493012345678", "+442079460018", "sip:03012345678@192.0.2.2:5060", "sip:00442079460018@phones.example"},
		{"without the plus", plain, e164, "493012345678", "442079460018", "sip:+493012345678@192.0.2.2:5060;user=phone", "sip:+442079460018@phones.example;user=phone"},
		{"from who says nothing of numbers", trunk.Numbers{}, plain, "+493012345678", "0301", "sip:493012345678@192.0.2.2:5060", "sip:0301@phones.example"},
		{"to who says nothing of numbers", national, trunk.Numbers{}, "03012345678", "08912345678", "sip:03012345678@192.0.2.2:5060", "sip:08912345678@phones.example"},
		{"with an escaped plus", e164, plain, "%2B493012345678", "%2b442079460018", "sip:493012345678@192.0.2.2:5060", "sip:442079460018@phones.example"},
		{"with parameters of the user", e164, national, "+493012345678;npdi;rn=+4930999", "+442079460018;cpc=ordinary", "sip:03012345678;npdi;rn=+4930999@192.0.2.2:5060", "sip:00442079460018;cpc=ordinary@phones.example"},
		{"local to a context", e164, plain, "12345678;phone-context=+4930", "+442079460018", "sip:12345678;phone-context=+4930@192.0.2.2:5060", "sip:442079460018@phones.example"},
		{"what is no number", national, e164, "vanity", "alice", "sip:vanity@192.0.2.2:5060", "sip:alice@phones.example"},
		{"only the Request-URI", national, trunk.Numbers{URI: trunk.E164Number}, "03012345678", "08912345678", "sip:+493012345678@192.0.2.2:5060", "sip:08912345678@phones.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
				of := map[string]trunk.Numbers{"alice": c.from, "bob": c.to}
				r.neighbours(func(t *trunk.Trunk) { t.Numbers = of[t.Name] })
				req := r.alice.Invite("sip:"+c.called+"@"+sbc, sdpOffer)
				req.Set("From", "<sip:"+c.by+"@phones.example>;tag="+req.FromTag())
				req.Add("P-Asserted-Identity", "<sip:"+c.by+"@phones.example>")
				_, err := r.alice.Send(req, sbc)
				r.check(err)
				in := r.wait(r.bob, "INVITE")
				from, asserted := message.URIOf(in.Message.Get("From")), message.URIOf(in.Message.Get("P-Asserted-Identity"))
				if in.Message.URI != c.uri || from != c.sees || asserted != c.sees {
					t.Errorf("calls %s, from %s, asserted %s; want %s and %s", in.Message.URI, from, asserted, c.uri, c.sees)
				}
				in.Reply(486, nil)
				r.wait(r.alice, "486")
			})
		})
	}
}

func TestEachIdentityOfALineIsWrittenAnew(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.neighbours(func(t *trunk.Trunk) { t.Numbers = trunk.Numbers{Country: "DE", Identity: trunk.NationalNumber} })
		req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
		req.Add("P-Asserted-Identity", `"Doe, Jane" <sip:+493012345678@phones.example>, <tel:+493012345678>`)
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		got := strings.Join(in.Message.List("P-Asserted-Identity"), ", ")
		if want := `"Doe, Jane" <sip:03012345678@phones.example>, <tel:+493012345678>`; got != want {
			t.Errorf("asserted %s, want %s", got, want)
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}
