package registrar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/store"
)

func TestStarStandsAloneAndOnlyWithExpiresZero(t *testing.T) {
	r := newRig(t, nil)
	r.register("Contact: <sip:a@192.0.2.1>")
	for _, fields := range [][]string{
		{"Contact: *"},
		{"Contact: *", "Expires: 1"},
		{"Contact: *", "Expires: never"},
		{"Contact: *;expires=0"},
		{"Contact: *, <sip:a@192.0.2.1>", "Expires: 0"},
		{"Contact: <sip:a@192.0.2.1>", "Contact: *", "Expires: 0"},
		{"Contact: *, *", "Expires: 0"},
	} {
		if res := r.register(append(fields, "CSeq: 2 REGISTER")...); res.Code != 400 {
			t.Errorf("%q: %d", fields, res.Code)
		}
	}
	r.holds("sip:a@192.0.2.1")
}

func TestIntervalIsWhatWasAskedForWithinBounds(t *testing.T) {
	for asked, granted := range map[string]string{
		"":                     "300",
		";expires=61":          "61",
		`;expires="90"`:        "90",
		";expires=7201":        "7200",
		";expires=99999999999": "7200",
		";expires=999999999999999999999999999999": "7200",
		";expires=-5":           "3600", // RFC 3261 section 20.10: malformed is an hour
		";expires=soon":         "3600",
		";expires":              "3600",
		";expires=61;expires=0": "61",
	} {
		r := newRig(t, nil)
		r.accepts(r.register("Contact: <sip:a@192.0.2.1>"+asked), "<sip:a@192.0.2.1>;expires="+granted)
	}
	r := newRig(t, nil)
	r.accepts(r.register("Contact: <sip:a@192.0.2.1>, <sip:b@192.0.2.1>;expires=90", "Expires: 99999999999"),
		"<sip:a@192.0.2.1>;expires=7200", "<sip:b@192.0.2.1>;expires=90")
}

func TestScriptSettlesTheIntervalButGrantsNoMoreThanAsked(t *testing.T) {
	for _, c := range []struct {
		asked   string
		by      time.Duration
		granted string
	}{
		{"", 30 * time.Second, "30"},
		{";expires=3600", 30 * time.Second, "30"},
		{";expires=90", time.Hour, "90"},
		{";expires=999999", 10 * time.Hour, "36000"},
		{"", time.Millisecond, "1"},
		{"", 1<<63 - 1, "4294967295"},
		{"", -time.Second, "300"},
	} {
		r := newRig(t, nil)
		r.accepts(r.Register(request(t, "Contact: <sip:a@192.0.2.1>"+c.asked), Origin{}, c.by), "<sip:a@192.0.2.1>;expires="+c.granted)
	}
	r := newRig(t, nil)
	res := r.Register(request(t, "Contact: <sip:a@192.0.2.1>;expires=29"), Origin{}, 30*time.Second)
	r.refuses(res, 423)
	if got := values(res, "Min-Expires"); !slices.Equal(got, []string{"30"}) {
		t.Errorf("Min-Expires %q", got)
	}
	r.accepts(r.Register(request(t, "Contact: <sip:a@192.0.2.1>;expires=0"), Origin{}, 30*time.Second))
}

func TestPathIsKeptAndEchoedToWhoKnowsIt(t *testing.T) {
	r := newRig(t, nil)
	path := []string{"<sip:p1.example;lr>", "<sip:token@p2.example;lr;ob>"}
	fields := []string{"Contact: <sip:a@192.0.2.1>", "Path: " + strings.Join(path, ", ")}
	if got := values(r.register(fields...), "Path"); len(got) > 0 {
		t.Errorf("echoed %q", got)
	}
	if b := r.holds("sip:a@192.0.2.1"); !slices.Equal(b[0].Path, path) {
		t.Errorf("kept %q", b[0].Path)
	}
	if got := values(r.register(append(fields, "CSeq: 2 REGISTER", "Supported: gruu, path")...), "Path"); !slices.Equal(got, path) {
		t.Errorf("echoed %q", got)
	}
	r.register("CSeq: 3 REGISTER", "Contact: <sip:a@192.0.2.1>")
	if b := r.holds("sip:a@192.0.2.1"); len(b[0].Path) > 0 {
		t.Errorf("kept %q from before", b[0].Path)
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	r := newRig(t, nil)
	for _, fields := range [][]string{
		{"Contact:"},
		{"Contact: ,"},
		{"Contact: bob"},
		{"Contact: <bob>"},
		{"Contact: <sip:bob@192.0.2.1>;q=7"},
		{"Contact: <sip:bob@192.0.2.1>;q=-0.1"},
		{"Contact: <sip:bob@192.0.2.1>;q=NaN"},
		{"Contact: <sip:bob@192.0.2.1>;q=1e-3"},
		{"Contact: <sip:bob@192.0.2.1>;q="},
		{"Contact: <sip:b\x01b@192.0.2.1>"},
		{"Contact: <sip:b\xffb@192.0.2.1>"},
		{"Contact: <sip:bob@192.0.2.1>;x=\"\xff\""},
		{`Contact: <sip:bob@192.0.2.1>;x="open`},
		{`Contact: <sip:bob@192.0.2.1>;x=a"b"`},
		{`Contact: <sip:bob@192.0.2.1>;x="a"b`},
		{"Contact: <sip:bob@192.0.2.1>;two words=1"},
		{"Contact: <sip:bob@192.0.2.1>" + strings.Repeat(";a=1", maxParams+1)},
		{"Contact: <sip:bob@192.0.2.1" + strings.Repeat(";a=1", maxParams+1) + ">"},
		{"Contact: <sip:bob@192.0.2.1;a=" + strings.Repeat("a", maxContact) + ">"},
		{"To: <tel:+12345>"},
		{"To: <sip:" + strings.Repeat("a", maxAOR) + "@biloxi.example.com>"},
		{"Call-ID: " + strings.Repeat("a", maxCallID+1)},
		{"Call-ID: \xff"},
		{"Path: <tel:+12345>"},
		{"Path: p1"},
		{"Path: <sip:p1.example>;x=\"\xff\""},
		{"Path: <sip:" + strings.Repeat("a", maxPath) + ">"},
	} {
		if res := r.register(fields...); res.Code != 400 || res.Err != nil {
			t.Errorf("%q: %d %v", fields, res.Code, res.Err)
		}
	}
	if r.store.(*store.Memory).Len() != 0 {
		t.Error("something was kept")
	}
}

func TestManyContactsAreRefusedBeforeTheyAreRead(t *testing.T) {
	r := newRig(t, nil)
	var contacts []string
	for i := range 11 {
		contacts = append(contacts, fmt.Sprintf("<sip:a@192.0.2.%d>", i))
	}
	cost := func(contacts string) float64 {
		req := request(t, "Contact: "+contacts)
		return testing.AllocsPerRun(10, func() { r.refuses(r.Register(req, Origin{}, 0), 403) })
	}
	few, many := cost(strings.Join(contacts, ",")), cost(strings.Repeat("<sip:a@192.0.2.1>,", 10_000))
	if many >= few {
		t.Errorf("%v allocations for 10,000 contacts, %v for 11", many, few)
	}
	if res := r.register("Contact: " + strings.Join(contacts[:10], ",")); res.Code != 200 || len(values(res, "Contact")) != 10 {
		t.Errorf("%+v", res)
	}
}

func TestTenOfTheLargestBindingsFitTheStore(t *testing.T) {
	r := newRig(t, nil)
	for i := range 10 {
		contact := fmt.Sprintf(`<sip:%d@192.0.2.1>;x="`, i)
		contact += strings.Repeat(`<\"`, (maxContact-len(contact)-1)/3) + `"`
		path := `<sip:p1.example>;x="`
		path += strings.Repeat(`<\"`, (maxPath-len(path)-1)/3) + `"`
		res := r.register("Contact: "+contact, "Path: "+path, "Call-ID: "+strings.Repeat(`"`, maxCallID))
		if res.Code != 200 {
			t.Fatalf("%d: %d %v", i, res.Code, res.Err)
		}
	}
}

func TestDateIsGivenInGMT(t *testing.T) {
	r := newRig(t, nil)
	r.now = time.Date(2010, 11, 13, 18, 29, 0, 0, time.FixedZone("EST", -5*3600))
	if got := values(r.register(), "Date"); !slices.Equal(got, []string{"Sat, 13 Nov 2010 23:29:00 GMT"}) {
		t.Errorf("Date %q", got)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	s := store.NewMemory(store.Limits{})
	for _, c := range []Config{
		{Min: time.Minute, Default: time.Hour, Max: time.Hour},
		{Store: s},
		{Store: s, Min: 2 * time.Hour, Default: 2 * time.Hour, Max: 2 * time.Hour},
		{Store: s, Min: time.Minute, Default: time.Second, Max: time.Hour},
		{Store: s, Min: time.Minute, Default: time.Hour, Max: time.Minute},
		{Store: s, Min: time.Minute, Default: time.Hour, Max: longest + time.Second},
		{Store: s, Min: 1500 * time.Millisecond, Default: time.Hour, Max: time.Hour},
		{Store: s, Min: time.Minute, Default: time.Hour, Max: time.Hour, MaxContacts: -1},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
