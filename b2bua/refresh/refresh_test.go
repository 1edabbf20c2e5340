package refresh

import (
	"strings"
	"testing"

	"legwork/b2bua/message"
)

// with is a message with header lines such as "Supported: timer".
func with(m *message.Message, lines ...string) *message.Message {
	for _, l := range lines {
		if name, value, ok := strings.Cut(l, ":"); ok {
			m.Add(name, strings.TrimSpace(value))
		}
	}
	return m
}

func invite(lines ...string) *message.Message {
	return with(&message.Message{Method: "INVITE", URI: "sip:bob@bob.example"}, lines...)
}

func ok(lines ...string) *message.Message {
	return with(&message.Message{Method: "INVITE", Status: 200}, lines...)
}

// said is what a message says of session timers, in one line.
func said(m *message.Message) string {
	var parts []string
	for _, name := range []string{"Session-Expires", "Min-SE", "Supported", "Require"} {
		if v, there := m.Lookup(name); there {
			parts = append(parts, strings.ToLower(name[:1])+"="+v)
		}
	}
	return strings.Join(parts, " ")
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// RFC 4028 table 2: whether the UAC knows timers, whom it names, whom the UAS
// names; then what no row says.
func TestTable2ChoosesTheRefresher(t *testing.T) {
	for _, row := range []struct {
		name  string
		terms Terms
		lines []string
		want  string
		ours  bool
	}{
		{"N none", Terms{}, []string{"Session-Expires: 1800"}, "s=1800;refresher=uas", true},
		{"N uac", Terms{}, []string{"Session-Expires: 1800;refresher=uac"}, "s=1800;refresher=uas", true},
		{"N uas", Terms{}, []string{"Session-Expires: 1800;refresher=uas"}, "s=1800;refresher=uas", true},
		{"Y none", Terms{}, []string{"Supported: timer", "Session-Expires: 1800"}, "s=1800;refresher=uac r=timer", false},
		{"Y none, ours by choice", Terms{Refresher: UAS}, []string{"Supported: timer", "Session-Expires: 1800"}, "s=1800;refresher=uas r=timer", true},
		{"Y uac", Terms{Refresher: UAS}, []string{"Supported: timer", "Session-Expires: 1800;refresher=uac"}, "s=1800;refresher=uac r=timer", false},
		{"Y uas", Terms{Refresher: UAC}, []string{"Supported: timer", "Session-Expires: 1800;refresher=uas"}, "s=1800;refresher=uas r=timer", true},
		{"compact, spaced, capital", Terms{}, []string{"k: 100rel, Timer", "x: 1800 ; refresher = UAS"}, "s=1800;refresher=uas r=timer", true},
		{"required", Terms{}, []string{"Require: timer", "Session-Expires: 1800"}, "s=1800;refresher=uac r=timer", false},
		{"nothing asked, nothing wanted", Terms{}, []string{"Supported: timer"}, "", false},
		{"nothing asked, we want one", Terms{Expires: 600}, []string{"Supported: timer"}, "s=600;refresher=uac r=timer", false},
		{"nothing known, we want one", Terms{Expires: 600, Refresher: UAC}, nil, "s=600;refresher=uas", true},
		{"off", Terms{Off: true, Expires: 600}, []string{"Supported: timer", "Session-Expires: 1800"}, "", false},
	} {
		s, res := New(row.terms), ok()
		s.Grant(invite(row.lines...), res)
		expect(t, row.name, said(res), row.want)
		if s.Runs() && s.Ours() != row.ours {
			t.Errorf("%s: ours is %t", row.name, s.Ours())
		}
	}
}

func TestTheGrantedIntervalIsBetweenMinSEAndWhatWasAsked(t *testing.T) {
	for _, row := range []struct {
		name  string
		terms Terms
		lines []string
		want  string
	}{
		{"as asked", Terms{Expires: 1800}, []string{"Session-Expires: 600"}, "600"},
		{"shortened", Terms{Expires: 1800}, []string{"Session-Expires: 3600"}, "1800"},
		{"not below the peer's Min-SE", Terms{Expires: 1800}, []string{"Session-Expires: 3600", "Min-SE: 2400"}, "2400"},
		{"not below our own", Terms{Expires: 1800, Min: 2000}, []string{"Session-Expires: 3600"}, "2000"},
		{"a Min-SE beyond the asked does not prolong", Terms{Expires: 1800}, []string{"Session-Expires: 2000", "Min-SE: 2400"}, "2000"},
		{"unasked, not below Min-SE", Terms{Expires: 1800}, []string{"Min-SE: 2400"}, "2400"},
		{"too short, 422 not understood", Terms{Min: 300}, []string{"Session-Expires: 100"}, "300"},
		{"far too short", Terms{}, []string{"Session-Expires: 1"}, "90"},
		{"not a number", Terms{}, []string{"Session-Expires: soon"}, ""},
		{"below zero", Terms{}, []string{"Session-Expires: -1"}, ""},
		{"more than 32 bits", Terms{}, []string{"Session-Expires: 4294967296"}, ""},
		{"all of 32 bits", Terms{}, []string{"Session-Expires: 4294967295"}, "4294967295"},
		{"empty", Terms{}, []string{"Session-Expires:"}, ""},
		{"twice: the first", Terms{}, []string{"Session-Expires: 100", "Session-Expires: 200"}, "100"},
		{"Min-SE that can't be read", Terms{Expires: 600}, []string{"Min-SE: 99999999999999999999"}, "600"},
	} {
		s, res := New(row.terms), ok()
		s.Grant(invite(row.lines...), res)
		got, _, _ := strings.Cut(res.Get("Session-Expires"), ";")
		expect(t, row.name, got, row.want)
	}
}

func TestWhatIsTooShortGets422OnlyFromThoseWhoUnderstandIt(t *testing.T) {
	for _, row := range []struct {
		name  string
		terms Terms
		lines []string
		code  int
		tells string
	}{
		{"below ours", Terms{Min: 300}, []string{"Supported: timer", "Session-Expires: 299"}, 422, "Min-SE: 300"},
		{"ours", Terms{Min: 300}, []string{"Supported: timer", "Session-Expires: 300"}, 0, ""},
		{"below the RFC's", Terms{Min: 1}, []string{"Require: timer", "Session-Expires: 89"}, 422, "Min-SE: 90"},
		{"not supported", Terms{Min: 300}, []string{"Session-Expires: 100"}, 0, ""},
		{"nothing asked", Terms{Min: 300}, []string{"Supported: timer"}, 0, ""},
		{"off", Terms{Off: true}, []string{"Supported: timer", "Session-Expires: 10"}, 0, ""},
		{"off and required", Terms{Off: true}, []string{"Require: 100rel, timer"}, 420, "Unsupported: timer"},
	} {
		s := New(row.terms)
		code, h := s.Refuse(invite(row.lines...))
		tells := ""
		if h.Name != "" {
			tells = h.Name + ": " + h.Value
		}
		if code != row.code || tells != row.tells {
			t.Errorf("%s: got %d %q, want %d %q", row.name, code, tells, row.code, row.tells)
		}
	}
}

func TestAnInviteAsksForWhatIsWanted(t *testing.T) {
	for _, row := range []struct {
		terms Terms
		want  string
	}{
		{Terms{}, "s=timer"},
		{Terms{Min: 300}, "m=300 s=timer"},
		{Terms{Expires: 1800}, "s=1800 m=90 s=timer"},
		{Terms{Expires: 1800, Refresher: UAS}, "s=1800;refresher=uas m=90 s=timer"},
		{Terms{Expires: 60, Min: 300, Refresher: UAC}, "s=300;refresher=uac m=300 s=timer"},
		{Terms{Off: true, Expires: 1800}, ""},
	} {
		s, req := New(row.terms), invite()
		s.Ask(req)
		expect(t, "INVITE", said(req), row.want)
	}
	s, req := New(Terms{}), invite("Supported: replaces")
	s.Ask(req)
	expect(t, "beside others", req.Get("Supported"), "replaces, timer")
	s.Ask(req)
	expect(t, "once", req.Get("Supported"), "replaces, timer")
	req = invite("Supported: replaces", "Supported: 100rel")
	s.Ask(req)
	expect(t, "beside two lines", strings.Join(req.All("Supported"), " / "), "replaces, 100rel, timer")
}

func TestThe2xxSettlesIntervalAndRefresher(t *testing.T) {
	for _, row := range []struct {
		name  string
		terms Terms
		lines []string
		half  uint32
		end   uint32
		ours  bool
	}{
		{"uac", Terms{Expires: 1800}, []string{"Require: timer", "Session-Expires: 1800;refresher=uac"}, 900, 1768, true},
		{"uas", Terms{Expires: 1800}, []string{"Session-Expires: 90;refresher=uas"}, 45, 60, false},
		{"nobody named", Terms{Expires: 1800}, []string{"Session-Expires: 600"}, 300, 568, true},
		{"not asked for", Terms{}, []string{"Session-Expires: 600;refresher=uas"}, 300, 568, false},
		{"no support, we want one", Terms{Expires: 1800}, nil, 900, 1768, true},
		{"no support, nobody wants one", Terms{}, nil, 0, 0, true},
		{"too short", Terms{}, []string{"Session-Expires: 1;refresher=uac"}, 45, 60, true},
		{"zero", Terms{}, []string{"Session-Expires: 0;refresher=uas"}, 45, 60, false},
		{"not a number", Terms{}, []string{"Session-Expires: 0x708"}, 0, 0, true},
		{"longest", Terms{}, []string{"Session-Expires: 4294967295;refresher=uas"}, 2147483647, 4294967263, false},
		{"off", Terms{Off: true}, []string{"Session-Expires: 600;refresher=uac"}, 0, 0, false},
	} {
		s := New(row.terms)
		s.Accepted(ok(row.lines...))
		if s.Half() != row.half || s.End() != row.end || s.Ours() != row.ours {
			t.Errorf("%s: got %d %d %t", row.name, s.Half(), s.End(), s.Ours())
		}
	}
}

func TestA422RaisesWhatIsAskedFor(t *testing.T) {
	s, req := New(Terms{Expires: 100}), invite()
	s.Ask(req)
	for _, useless := range []string{"Min-SE: 100", "Min-SE: 0", "Min-SE: much", "Min-SE: 4294967296", "Warning: none"} {
		if s.TooSmall(ok(useless)) {
			t.Errorf("%s is no reason to ask again", useless)
		}
	}
	if !s.TooSmall(ok("Min-SE: 300")) {
		t.Fatal("a higher Min-SE was not taken")
	}
	req = invite()
	s.Ask(req)
	expect(t, "asked again", said(req), "s=300 m=300 s=timer")
	if s.Accepted(ok()); s.Half() != 150 || !s.Alone() {
		t.Errorf("the interval is %d", 2*s.Half())
	}
	silent := New(Terms{})
	if silent.Ask(invite()); silent.TooSmall(ok("Min-SE: 300")) {
		t.Error("asked again for what was not asked for")
	}
}

func TestMinSEThatIsRaisedWithoutEndIsNotFollowed(t *testing.T) {
	s := New(Terms{Expires: 100})
	again := func(wanted string) bool {
		s.Ask(invite())
		return s.TooSmall(ok("Min-SE: " + wanted))
	}
	if !again("101") || !again("102") || !again("103") || again("104") {
		t.Error("the bound is not three")
	}
	s.Ask(invite())
	s.Accepted(ok("Session-Expires: 200;refresher=uac"))
	if !again("300") {
		t.Error("a later refusal is not obeyed")
	}
}

func TestOnlyWhoTakesPartKeepsTheTimer(t *testing.T) {
	for _, row := range []struct {
		line  string
		alone bool
	}{{"Supported: timer", false}, {"Session-Expires: 600", false}, {"Subject: none", true}} {
		s := New(Terms{Expires: 600})
		if s.Grant(invite(row.line), ok()); s.Alone() != row.alone {
			t.Errorf("%s: alone is %t", row.line, s.Alone())
		}
	}
}

// In a dialog the refresher stays who it is, whoever sends the request (RFC
// 4028 sections 7.4 and 9).
func TestTheRefresherStaysInTheDialog(t *testing.T) {
	theirs := New(Terms{})
	theirs.Grant(invite("Supported: timer", "Session-Expires: 600;refresher=uac", "Min-SE: 200"), ok())
	req, res := invite(), ok()
	theirs.Ask(req)
	expect(t, "our re-INVITE", said(req), "s=600;refresher=uas m=200 s=timer")
	theirs.Grant(invite("Supported: timer", "Session-Expires: 600"), res)
	expect(t, "their refresh", said(res), "s=600;refresher=uac r=timer")
	res = ok()
	theirs.Grant(invite("Supported: timer"), res)
	expect(t, "their re-INVITE without a word", said(res), "s=600;refresher=uac r=timer")

	ours := New(Terms{Expires: 600})
	ours.Accepted(ok("Session-Expires: 600;refresher=uac"))
	req, res = invite(), ok()
	ours.Ask(req)
	expect(t, "our refresh", said(req), "s=600;refresher=uac m=90 s=timer")
	ours.Grant(invite("Supported: timer", "Session-Expires: 600"), res)
	expect(t, "their re-INVITE", said(res), "s=600;refresher=uas r=timer")
}

func TestARefreshWithoutGrantEndsTheTimerThatOnlyThePeerWanted(t *testing.T) {
	s := New(Terms{})
	s.Accepted(ok("Session-Expires: 600;refresher=uac"))
	s.Accepted(ok())
	if s.Runs() {
		t.Error("it still runs")
	}
}

func TestOnlySessionExpiresMakesAnUpdateARefresh(t *testing.T) {
	if Asks(invite("Supported: timer", "Min-SE: 90")) || !Asks(invite("x: 90")) {
		t.Error("Asks looks at the wrong field")
	}
}
