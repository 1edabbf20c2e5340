package message

import (
	"slices"
	"strings"
	"testing"
)

// retold is a call that was diverted, as one form and as the other tells it.
type retold struct {
	name                string
	listed, history     []string // as one form and as the other
	fromLeft, fromRight bool     // which way it is read; both: it comes back as it was
}

func retellings() []retold {
	return []retold{
		{
			"three users, RFC 7544 section 7.1",
			[]string{
				"<sip:u3@a.example>;reason=unconditional;counter=1;privacy=off",
				"<sip:u2@a.example>;reason=user-busy;counter=1;privacy=full",
				`"One" <sip:u1@a.example>;reason=no-answer;counter=1`,
			},
			[]string{
				`"One" <sip:u1@a.example>;index=1`,
				"<sip:u2@a.example;cause=408?Privacy=history>;index=1.1;mp=1",
				"<sip:u3@a.example;cause=486?Privacy=none>;index=1.1.1;mp=1.1",
				"<sip:bob@b.example;cause=302>;index=1.1.1.1;mp=1.1.1",
			},
			true, true,
		},
		{
			"others who are only counted",
			[]string{"<sip:u3@a.example>;reason=deflection;counter=3"},
			[]string{
				"<sip:unknown@unknown.invalid>;index=1",
				"<sip:unknown@unknown.invalid;cause=404>;index=1.1;mp=1",
				"<sip:u3@a.example;cause=404>;index=1.1.1;mp=1.1",
				"<sip:bob@b.example;cause=480>;index=1.1.1.1;mp=1.1.1",
			},
			true, true,
		},
		{
			"a reason that has no cause, a number, an old cause",
			[]string{"<tel:+4930123>;reason=time-of-day", "<sip:u1@a.example;cause=999>;reason=unavailable;privacy=name"},
			[]string{
				"<sip:u1@a.example?Privacy=history>;index=1",
				"<sip:+4930123@b.example;user=phone;cause=503>;index=1.1;mp=1",
				"<sip:bob@b.example;cause=404>;index=1.1.1;mp=1.1",
			},
			true, false,
		},
		{
			"no mp, a Reason as before RFC 7044, what is no diversion",
			[]string{"<sip:u3@a.example>;reason=user-busy;counter=1", "<sip:u1@a.example>;reason=deflection;counter=1"},
			[]string{
				"<sip:u0@a.example>;index=1",
				"<sip:u1@a.example>;index=1.1",
				"<sip:u2@a.example;cause=487>;index=1.1.1",
				"<sip:u3@a.example;cause=380?Reason=SIP%3Bcause%3D486>;index=1.1.1.1",
				"<sip:bob@b.example>;index=1.1.1.1.1",
				"nonsense",
			},
			false, true,
		},
	}
}

func TestDiversionsAreToldInEitherForm(t *testing.T) {
	for _, c := range retellings() {
		t.Run(c.name, func(t *testing.T) {
			if c.fromLeft {
				m := diverting("Diversion", c.listed)
				m.TellDiversion(HistoryForm)
				same(t, m, "History-Info", c.history)
				same(t, m, "Diversion", nil)
			}
			if c.fromRight {
				m := diverting("History-Info", c.history)
				m.TellDiversion(DiversionOnlyForm)
				same(t, m, "Diversion", c.listed)
				same(t, m, "History-Info", nil)
			}
		})
	}
}

func diverting(name string, values []string) *Message {
	m := &Message{Method: "INVITE", URI: "sip:bob@b.example"}
	for _, v := range values {
		m.Add(name, v)
	}
	return m
}

func same(t *testing.T, m *Message, name string, want []string) {
	t.Helper()
	if got := m.List(name); !slices.Equal(got, want) {
		t.Errorf("%s:\n got  %s\n want %s", name, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

func TestWhatIsToldInAFormStays(t *testing.T) {
	listed, history := []string{"<sip:a@a.example>;reason=follow-me;x=y"}, []string{"<sip:h@a.example>;index=1", "<sip:i@a.example;cause=302>;index=1.1;z"}
	for form, want := range map[DiversionForm][2][]string{
		AnyDiversion: {listed, history}, HistoryForm: {nil, history}, DiversionOnlyForm: {listed, nil}, BothForms: {listed, history}, NoDiversion: {nil, nil},
	} {
		m := diverting("Diversion", listed)
		m.Add("History-Info", strings.Join(history, ", "))
		m.TellDiversion(form)
		same(t, m, "Diversion", want[0])
		same(t, m, "History-Info", want[1])
	}
	m := &Message{Status: 180}
	m.Add("Diversion", listed[0])
	m.TellDiversion(BothForms)
	same(t, m, "History-Info", nil)
}

func TestAPrivateHistoryIsAPrivateDiversion(t *testing.T) {
	m := diverting("History-Info", []string{"<sip:h@a.example>;index=1", "<sip:i@a.example;cause=302>;index=1.1"})
	m.Add("Privacy", "id;history")
	m.TellDiversion(BothForms)
	same(t, m, "Diversion", []string{"<sip:h@a.example>;reason=unconditional;counter=1;privacy=full"})
}

func TestPrivateEntriesOfTheHistoryAreHidden(t *testing.T) {
	m := diverting("History-Info", []string{`"Shy" <sip:h@a.example;cause=302?Privacy=session%3Bhistory>;index=1.1;mp=1`, "<sip:i@a.example>;index=1.1.1"})
	m.HideHistory()
	same(t, m, "History-Info", []string{"<sip:anonymous@anonymous.invalid;cause=302>;index=1.1;mp=1", "<sip:i@a.example>;index=1.1.1"})
}

func FuzzDiversions(f *testing.F) {
	f.Add("<sip:u3@a.example>;reason=unconditional;counter=99999999;privacy=off", "<sip:u1@a.example?Privacy=history>;index=1;mp=1")
	f.Add("<tel:+1;cause=3>, <urn:x:y>", "<sip:a;cause=302?Reason=SIP%3Bcause%3D1>;index=1,<sip:b>;mp=1")
	f.Fuzz(func(t *testing.T, listed, history string) {
		if CheckValue(listed) != nil || CheckValue(history) != nil {
			return
		}
		for _, form := range []DiversionForm{HistoryForm, DiversionOnlyForm, BothForms, NoDiversion} {
			m := diverting("Diversion", []string{listed})
			if history != "" {
				m.Add("History-Info", history)
			}
			m.TellDiversion(form)
			m.HideHistory()
			once := string(m.Bytes())
			if m.TellDiversion(form); string(m.Bytes()) != once {
				t.Errorf("form %d: applied twice\n%s\n%s", form, once, m.Bytes())
			}
			for _, h := range m.Headers {
				if err := CheckValue(h.Value); err != nil {
					t.Errorf("%s: %q", h.Name, h.Value)
				}
			}
			if n := len(m.List("History-Info")); n > maxDiversions+1+strings.Count(history, ",")+1 {
				t.Errorf("%d entries", n)
			}
		}
	})
}

func TestACounterThatIsNoneCountsNothing(t *testing.T) {
	for _, counter := range []string{"0", "-1", "-9223372036854775808", "x", ""} {
		if all := readDiversions([]string{"<sip:a@b.example>;counter=" + counter}); len(all) != 1 {
			t.Errorf("%q: %d diversions", counter, len(all))
		}
	}
}
