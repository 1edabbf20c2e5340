package script

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lib"
)

// story is what hooks have told, a line each.
func (f *fakeCall) story() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for _, ev := range f.told {
		if ev.Edits == nil {
			lines = append(lines, ev.Hook+" failed at "+ev.Where)
			continue
		}
		for _, e := range ev.Edits.List {
			lines = append(lines, strings.TrimSpace(ev.Hook+" "+e.Where()+" "+e.Op.String()+" "+e.Name+" "+e.Value))
		}
	}
	return strings.Join(lines, "\n")
}

const editing = `
function M.on_branch(call, leg, req)
  req.h["X-A"] = { "1", "2" }
  req.h["Diversion"] = nil req.h["X-Never"] = nil
  req.uri.params.user = "phone"
  req.from.display = "Bob"
  req.h:drop{"X-*"}
  req.h:keep{"P-*"}
  req.h:add("X-B", "3")
  req.sdp:hold()
end
function M.on_progress(call, leg, res)
  res.h["X-C"] = "4"
  error("no")
end
function M.on_final(call, res) res.status = 486 end
M.outbound = { ["*"] = function(msg) msg.h["X-Out"] = "5" end }
M.responses = b2b.response_map { [486] = 480 }`

func TestWhatHooksWriteIsToldWithItsLine(t *testing.T) {
	r := run(t, editing)
	engine := &fakeCall{}
	one := r.call(t)
	c := r.Router(engine)
	req := invite(t)
	was := len(req.Headers)
	c.Branch(one.view, one.legB(), req)
	c.Progress(one.view, one.legB(), answerTo(t, 180))
	c.Final(one.view, answerTo(t, 503), b2bua.OriginPeer)
	c.Outbound(one.legB(), req)
	const want = `on_branch main.lua:4 set X-A 1
on_branch main.lua:4 add X-A 2
on_branch main.lua:5 remove Diversion
on_branch main.lua:6 set uri sip:+4930123@sbc.example;user=phone
on_branch main.lua:7 set From "Bob" <sip:+49891@carrier.example>;tag=a1
on_branch main.lua:8 drop X-*
on_branch main.lua:9 keep P-*
on_branch main.lua:10 add X-B 3
on_branch main.lua:11 set sdp
on_progress failed at main.lua:15
on_final main.lua:17 set status 486 Busy Here
responses main.lua:19 map status 486 → 480 Temporarily Unavailable
outbound * main.lua:18 set X-Out 5`
	if got := engine.story(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	first := engine.told[0]
	if first.Leg.Index != 1 || first.Edits.Into != req || len(first.Edits.Before.Headers) != was {
		t.Errorf("leg %d, into the message: %v, %d fields before", first.Leg.Index, first.Edits.Into == req, len(first.Edits.Before.Headers))
	}
}

func TestNobodyIsToldWhenNobodyWatches(t *testing.T) {
	r := run(t, editing)
	engine := &fakeCall{deaf: true}
	one := r.call(t)
	c := r.Router(engine)
	c.Invite(context.Background(), one.view)
	c.Branch(one.view, one.legB(), invite(t))
	c.Progress(one.view, one.legB(), answerTo(t, 180))
	c.Final(one.view, answerTo(t, 503), b2bua.OriginPeer)
	if got := engine.story(); got != "" {
		t.Error("told", got)
	}
}

func TestWhatHooksAskIsToldWithItsTime(t *testing.T) {
	r := run(t, `
local cache = b2b.redis("cache")
local prices = b2b.http.client { base = "http://prices.example/v1" }
function M.on_invite(call)
  cache:get("k")
  prices:get("x", { query = { number = "1", api_key = "hidden" } })
  b2b.limit.concurrent("c", 1)
  if b2b.limit.rate("r", 1, 1) and not b2b.limit.rate("r", 1, 1) then return b2b.reject(480) end
end`, func(cfg *Config) { cfg.Lib = withoutNetwork(t) })
	engine := &fakeCall{}
	r.Router(engine).Invite(context.Background(), r.call(t).view)
	var got []string
	for _, ev := range engine.told {
		got = append(got, ev.Where+" "+ev.Text)
		if (ev.Kind == b2bua.EventLookedUp) != (ev.Took > 0) {
			t.Errorf("%s: kind %d, took %v", ev.Text, ev.Kind, ev.Took)
		}
	}
	want := []string{
		"main.lua:6 redis cache get k → failed: tests have no network",
		"main.lua:7 http GET http://prices.example/v1/x?api_key=***&number=1 → 200",
		`main.lua:8 limit concurrent "c" → allowed`,
		`main.lua:9 limit rate "r" → allowed`,
		`main.lua:9 limit rate "r" → refused`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// withoutNetwork is libraries whose HTTP servers all say 200.
func withoutNetwork(t *testing.T) *lib.Env {
	t.Helper()
	env, err := lib.NewEnv(lib.Config{
		ReasonPhrase: message.ReasonPhrase, Redis: map[string]lib.Redis{"cache": lib.Nowhere{}},
		Transport: answering(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}, Request: req}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(env.Close)
	return env
}

type answering func(*http.Request) (*http.Response, error)

func (f answering) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestWhoDivertedACallToldInAnotherFormIsAnEdit(t *testing.T) {
	r := run(t, `
function M.on_branch(call, leg, req)
  req:diversion_as("both")
  req:diversion_as("both")
  req:diversion_as("diversion")
end`)
	engine := &fakeCall{}
	one := r.call(t)
	r.Router(engine).Branch(one.view, one.legB(), invite(t))
	const want = `on_branch main.lua:4 set History-Info <sip:b@carrier.example>;index=1
on_branch main.lua:4 add History-Info <sip:a@carrier.example;cause=404>;index=1.1;mp=1
on_branch main.lua:4 add History-Info <sip:+4930123@sbc.example;cause=302>;index=1.1.1;mp=1.1
on_branch main.lua:6 remove History-Info`
	if got := engine.story(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
