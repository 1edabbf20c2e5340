package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/resolve"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
	"legwork/cmd/legwork/config"
)

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// virtual plays with an engine on a network in memory.
func virtual(t *testing.T, cfg *config.Config, play func(e *engine, n *simnet.Network, log *buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n, log := simnet.New(simnet.Faults{}), &buffer{}
		n.Host("sip.carrier.example", netip.MustParseAddr("192.0.2.4"))
		cfg.Admin.Address = ""
		cfg.Listen = []config.Listener{{Name: "udp", Transport: "udp", Address: "192.0.2.1:5060"}}
		e, err := start(context.Background(), setup{Config: cfg, Network: n, Log: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		play(e, n, log)
		if err := e.shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func withTrunk(one config.Trunk) *config.Config {
	cfg := config.Default()
	cfg.Trunks = map[string]*config.Trunk{"carrier": &one}
	return cfg
}

func (e *engine) matches(addr string) string {
	if found, _ := e.trunks.Load().Match(netip.MustParseAddr(addr)); found != nil {
		return found.Name
	}
	return ""
}

func TestHostNamesAreFollowedWhereTheyGo(t *testing.T) {
	cfg := withTrunk(config.Trunk{Match: []string{"sip.carrier.example"}})
	virtual(t, cfg, func(e *engine, n *simnet.Network, log *buffer) {
		if got := e.matches("192.0.2.4"); got != "carrier" {
			t.Errorf("at start 192.0.2.4 is %q", got)
		}
		n.Host("sip.carrier.example", netip.MustParseAddr("192.0.2.5"))
		time.Sleep(hostsAge + time.Second)
		if e.matches("192.0.2.4") != "" || e.matches("192.0.2.5") != "carrier" {
			t.Error("the new address is not known")
		}
		n.Host("sip.carrier.example")
		time.Sleep(hostsAge + time.Second)
		if e.matches("192.0.2.5") != "carrier" {
			t.Error("a failed look-up forgets the address")
		}
		if !strings.Contains(log.String(), "is not found\" source=sip.carrier.example") {
			t.Error("no warning:", log.String())
		}
	})
}

func TestTheServersOfANameAreItsSourcesToo(t *testing.T) {
	cfg := withTrunk(config.Trunk{Match: []string{"carrier.example"}})
	virtual(t, cfg, func(e *engine, n *simnet.Network, log *buffer) {
		n.Service("_sip._udp.carrier.example", resolve.SRV{Target: "sbc1.carrier.example", Port: 5060}, resolve.SRV{Target: "sbc2.carrier.example", Port: 5060})
		n.Host("sbc1.carrier.example", netip.MustParseAddr("192.0.2.11"))
		n.Host("sbc2.carrier.example", netip.MustParseAddr("192.0.2.12"), netip.MustParseAddr("2001:db8::12"))
		time.Sleep(hostsAge + time.Second)
		for _, addr := range []string{"192.0.2.11", "192.0.2.12", "2001:db8::12"} {
			if e.matches(addr) != "carrier" {
				t.Errorf("%s is %q", addr, e.matches(addr))
			}
		}
		if n := strings.Count(log.String(), "is not found"); n != 1 {
			t.Errorf("%d warnings: %s", n, log.String())
		}
		n.Service("_sip._udp.carrier.example", resolve.SRV{Target: "sbc1.carrier.example", Port: 5060})
		time.Sleep(hostsAge + time.Second)
		if e.matches("192.0.2.12") != "" || e.matches("192.0.2.11") != "carrier" {
			t.Error("a server that is gone is still a source")
		}
	})
}

func TestTrunksThatShareAnAddressByTheirNamesAreWarnedOfOnce(t *testing.T) {
	cfg := withTrunk(config.Trunk{Match: []string{"sip.carrier.example"}})
	cfg.Trunks["other"] = &config.Trunk{Match: []string{"sip.other.example"}}
	virtual(t, cfg, func(e *engine, n *simnet.Network, log *buffer) {
		if strings.Contains(log.String(), "two trunks") {
			t.Error("warned too early:", log.String())
		}
		n.Host("sip.other.example", netip.MustParseAddr("192.0.2.4"))
		time.Sleep(hostsAge + time.Second)
		n.Host("sip.other.example", netip.MustParseAddr("192.0.2.4"), netip.MustParseAddr("192.0.2.5"))
		time.Sleep(hostsAge + time.Second)
		const want = `source=192.0.2.4 trunk=carrier reason="sip.other.example (192.0.2.4) of other"`
		if n := strings.Count(log.String(), want); n != 1 || strings.Count(log.String(), "two trunks") != 1 {
			t.Errorf("%d warnings: %s", n, log.String())
		}
		if e.matches("192.0.2.4") != "carrier" || e.matches("192.0.2.5") != "other" {
			t.Error("the addresses are", e.matches("192.0.2.4"), e.matches("192.0.2.5"))
		}
	})
}

func TestAnUnknownHostIsAWarningOnly(t *testing.T) {
	cfg := withTrunk(config.Trunk{Match: []string{"gone.example"}})
	virtual(t, cfg, func(_ *engine, _ *simnet.Network, log *buffer) {
		if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "source=gone.example") {
			t.Error("no warning:", log.String())
		}
	})
}

func TestATrunkIsWhatTheConfigurationSays(t *testing.T) {
	cfg := withTrunk(config.Trunk{
		Match:     []string{"192.0.2.0/24"},
		Targets:   []config.Target{{URI: "sip:192.0.2.9", Weight: 2, Priority: 1}},
		Limits:    config.TrunkLimits{Calls: 3, CPS: 4},
		Headers:   config.Headers{Preset: config.PresetNone, Pass: []string{"X-A"}, Set: map[string]string{"X-B": "b"}, Drop: []string{"Subject"}},
		Responses: config.Responses{{From: "503", Code: 480, Text: "Later"}, {From: "404", Pass: true}},
		Params:    config.Params{"country": "DE"},
		Profile:   &config.Profile{Lua: "p.lua"},
		Listen:    "udp",
		Auth:      &config.Auth{User: "acct", Password: "s3cret"},
		PRACK:     config.PRACKPass,
		Timer:     &config.TrunkTimer{Expires: config.Seconds(time.Hour), Min: config.Seconds(2 * time.Minute), Refresher: "uas"},
	})
	table, err := neighbours(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	one := table.Get("carrier")
	if one.Targets[0].Weight != 2 || one.Targets[0].Priority != 1 || one.Limits.Calls != 3 || one.Limits.CPS != 4 ||
		one.Params["country"] != "DE" || one.Profile != "p.lua" || one.Listen != "udp" {
		t.Errorf("%+v", one)
	}
	if *one.Auth != (trunk.Auth{User: "acct", Password: "s3cret"}) || one.PRACK != trunk.PassPRACK ||
		*one.Timer != (trunk.Timer{Expires: time.Hour, Min: 2 * time.Minute, Refresher: "uas"}) {
		t.Errorf("%v %v %+v", one.Auth, one.PRACK, one.Timer)
	}
	if !one.Headers.Crosses("X-A") || one.Headers.Crosses("Subject") || one.Headers.Set[0].Value != "b" {
		t.Errorf("headers %+v", one.Headers)
	}
	if to, ok := one.Responses.Apply(503, "peer", 0); !ok || to.Code != 480 || to.Reason != "Later" {
		t.Errorf("503 becomes %+v %v", to, ok)
	}
	if _, ok := one.Responses.Apply(404, "peer", 0); ok {
		t.Error("404 does not pass")
	}
}

func TestWhatAllLegsShareIsWhatTheConfigurationSays(t *testing.T) {
	cfg := config.Default()
	s := settings(cfg, nil)
	if s.Users != nil || s.Realm != "legwork" || s.Timer != (trunk.Timer{Min: 90 * time.Second}) {
		t.Errorf("by default %+v", s)
	}
	cfg.SIP.Timer = config.Timer{Expires: config.Seconds(time.Hour), Min: config.Seconds(2 * time.Minute)}
	cfg.Users = config.Users{File: "users.yaml", Realm: "home", Accounts: map[string]config.Account{"bob": {Password: "s3cret"}, "eve": {HA1: "5a"}}}
	s = settings(cfg, nil)
	if s.Realm != "home" || s.Timer != (trunk.Timer{Expires: time.Hour, Min: 2 * time.Minute}) {
		t.Errorf("%+v", s)
	}
	bob, ok := s.Users("bob")
	eve, also := s.Users("eve")
	if _, more := s.Users("mallory"); !ok || !also || more || bob.Password != "s3cret" || bob.HA1 != "" || eve.HA1 != "5a" {
		t.Error("users are others than those of the file")
	}
}

func TestNoPasswordIsShownOnItsWayToTheEngine(t *testing.T) {
	cfg := withTrunk(config.Trunk{Match: []string{"192.0.2.0/24"}, Auth: &config.Auth{User: "acct", Password: "s3cret"}})
	cfg.Users = config.Users{File: "users.yaml", Accounts: map[string]config.Account{"bob": {Password: "s3cret", HA1: "s3cret"}}}
	table, err := neighbours(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	one := table.Get("carrier")
	bob, _ := settings(cfg, table).Users("bob")
	var out bytes.Buffer
	for _, shown := range []any{one, *one, one.Auth, *one.Auth, bob, &bob, b2bua.Target{Auth: one.Auth}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb, shown)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "err", shown)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "err", shown)
	}
	for _, leak := range []string{"s3cret", fmt.Sprintf("%x", "s3cret")} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("found %s in %s", leak, out.String())
		}
	}
}

func TestChallengesOfferWhatAllCanAnswer(t *testing.T) {
	password, short, long := config.Account{Password: "x"}, config.Account{HA1: config.Secret(strings.Repeat("5a", 16))}, config.Account{HA1: config.Secret(strings.Repeat("5a", 32))}
	md5, sha256 := []digest.Algorithm{digest.MD5}, []digest.Algorithm{digest.SHA256}
	for _, c := range []struct {
		users  []config.Account
		listed []config.Algorithm
		want   []digest.Algorithm
	}{
		{nil, nil, md5},
		{[]config.Account{password}, nil, md5},
		{[]config.Account{password, short}, nil, md5},
		{[]config.Account{password, long}, nil, sha256},
		{[]config.Account{short, long}, nil, md5},
		{nil, []config.Algorithm{config.AlgorithmSHA256}, sha256},
		{[]config.Account{password}, []config.Algorithm{config.AlgorithmSHA256, config.AlgorithmMD5}, []digest.Algorithm{digest.SHA256, digest.MD5}},
	} {
		cfg := config.Default()
		cfg.Users.Algorithms = c.listed
		cfg.Users.File, cfg.Users.Accounts = "users.yaml", map[string]config.Account{}
		for i, a := range c.users {
			cfg.Users.Accounts[fmt.Sprint(i)] = a
		}
		if got := settings(cfg, nil).Algorithms; !slices.Equal(got, c.want) {
			t.Errorf("%d users: got %v, want %v", len(c.users), got, c.want)
		}
	}
}

func TestWhatIsInsideIsWatchedAndReloaded(t *testing.T) {
	cfg := withTrunk(config.Trunk{Match: []string{"192.0.2.9"}, Targets: []config.Target{{URI: "sip:192.0.2.9"}}, Diversion: config.DiversionHistory})
	cfg.Leaks = config.Leaks{Words: []string{"pbx.inside", "our-product"}, Networks: []string{"10.0.0.0/8"}, Every: 1}
	cfg.SIP.UserAgent = "our-product 1.0"
	virtual(t, cfg, func(e *engine, n *simnet.Network, log *buffer) {
		if got := e.trunks.Load().Get("carrier").Diversion; got != message.HistoryForm {
			t.Errorf("diversion is %d", got)
		}
		a, err := simnet.NewAgent(n, "udp", "192.0.2.9:5060")
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		req := a.Invite("sip:bob@192.0.2.1:5060", "")
		req.Method = "OPTIONS"
		req.Set("CSeq", "1 OPTIONS")
		req.Set("From", "<sip:alice@pbx.inside>;tag="+req.FromTag())
		if _, err := a.Send(req, "192.0.2.1:5060"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := `header=Server what=our-product from=here method="200 OPTIONS" trunk=carrier`
		if got := e.server.Leaks()["carrier"]; got != 1 || !strings.Contains(log.String(), want) || strings.Contains(log.String(), "header=From") {
			t.Errorf("%d leaks, want that of %s in\n%s", got, want, log)
		}
		s, err := e.settings(config.Default())
		if err != nil || s.Leaks != nil {
			t.Errorf("nothing is inside, and %+v is watched: %v", s.Leaks, err)
		}
	})
	if _, err := leaksOf(config.Leaks{Networks: []string{"x"}}); err == nil {
		t.Error("a network that is none was taken")
	}
	if _, err := leaksOf(config.Leaks{Words: []string{"x"}}); err == nil {
		t.Error("a word of one letter was taken")
	}
}
