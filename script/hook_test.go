package script

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua"
	"legwork/script/lua"
)

func TestTheCallIsWhatTheContractSays(t *testing.T) {
	r := run(t, `
M.params = { pbx = { type = "trunk", default = "pbx" } }
function M.on_failure(call, leg, res)
  assert(call.id == "call-1" and call.req.method == "INVITE" and call.req.uri.user == "+4930123")
  local s = call.source
  assert(s.ip == "192.0.2.4" and s.port == 5060 and s.transport == "udp" and s.trunk == "carrier" and s.account == nil and s.tls_name == nil)
  assert(call.req.source.ip == "192.0.2.4" and call.req.raw:find("^INVITE ") and call.req.call_id == "c1@192.0.2.4")
  assert(call.a.role == "a" and call.a.trunk.name == "carrier" and call.a.remote == "192.0.2.4:5060")
  assert(#call.legs == 1 and call.legs[1].role == "b" and call.legs[1].trunk.up == true and call.legs[1].rang == false)
  assert(leg.target == "sip:+4930123@192.0.2.99" and leg.local_host == "192.0.2.1:5060")
  assert(call.attempt == 1 and call.elapsed >= 0 and call.elapsed < 60 and call.script:find("^main.lua@%x%x%x%x%x%x%x%x$"))
  assert(call.params.pbx == "pbx")
  assert(leg.trunk.stats.calls == 0 and b2b.trunk.stats("pbx").up and b2b.trunk.up("pbx") and b2b.trunk.list()[2] == "pbx")
  leg.trunk:penalize(30)
  assert(not b2b.trunk.up("pbx"))
  call:note("try %d of %s", 1, call.id)
  call:note("plain\nline")
  call:hangup(603)
  assert(b2b == require "b2b")
end`)
	c := r.call(t)
	defer c.Close()
	c.view.Attempt, c.view.Legs = 1, []b2bua.Leg{c.legB()}
	c.Failure(t.Context(), c.view, c.legB(), answerTo(t, 503), b2bua.OriginPeer)
	if r.count("on_failure") != 0 {
		t.Fatal(r.log)
	}
	if want := []string{"main.lua:17 try 1 of call-1", "main.lua:18 plain line"}; !reflect.DeepEqual(c.engine.notes, want) {
		t.Errorf("notes %q", c.engine.notes)
	}
	if !reflect.DeepEqual(c.engine.codes, []int{603}) {
		t.Errorf("codes %v", c.engine.codes)
	}
}

func TestDataLivesWithTheCallAndGoesToTheRecord(t *testing.T) {
	r := run(t, `
function M.on_invite(call) call.data.customer = "c1"; call.data.n = {1, 2}; call.data.f = print; call.data.uri = call.req.uri end
function M.on_branch(call, leg, req) req.h["X-C"] = call.data.customer end`)
	c, other := r.call(t), r.call(t)
	defer c.Close()
	defer other.Close()
	c.invite()
	if req := c.branch(); req.Get("X-C") != "c1" {
		t.Errorf("X-C %q %s", req.Get("X-C"), r.log)
	}
	if req := other.branch(); req.Get("X-C") != "" {
		t.Error("data crossed between calls")
	}
	if !c.Wants(b2bua.HookEnd) {
		t.Fatal("the record is not wanted")
	}
	rec := &b2bua.Record{ID: "call-1"}
	c.End(t.Context(), c.view, rec)
	if want := map[string]any{"customer": "c1", "n": []any{1.0, 2.0}, "uri": "sip:+4930123@sbc.example"}; !reflect.DeepEqual(rec.Fields, want) {
		t.Errorf("fields %v", rec.Fields)
	}
	wantIn(t, r.log.String(), "call.data holds what is not plain", "key=f")
}

func TestOnEndEditsTheRecord(t *testing.T) {
	r := run(t, `
function M.on_invite(call) call.data.customer = "c1" end
function M.on_end(call, record)
  assert(record.id == "call-1" and record.customer == "c1" and record.code == 200 and #record.attempts == 1)
  assert(record.attempts[1].target == "sip:a@b.example" and record.started == 1000.5 and record.answered == nil)
  record.reason = "Fine"
  record.customer = nil
  record.tariff = {name = "flat", cents = 3}
end`)
	c := r.call(t)
	defer c.Close()
	c.invite()
	rec := &b2bua.Record{
		ID: "call-1", Code: 200, Reason: "OK", Started: time.UnixMilli(1000500), Attempts: []b2bua.Attempt{{Target: "sip:a@b.example"}},
	}
	c.End(t.Context(), c.view, rec)
	if rec.Reason != "Fine" || !reflect.DeepEqual(rec.Fields, map[string]any{"tariff": map[string]any{"name": "flat", "cents": 3.0}}) {
		t.Errorf("%+v %s", rec, r.log)
	}
}

func TestABadEditOfTheRecordTakesAllBack(t *testing.T) {
	for _, body := range []string{`record.code = "x"`, `record.f = function() end`, `record.id = "other"`, `error("x")`} {
		r := run(t, "function M.on_end(call, record) record.reason = 'edited'; "+body+" end")
		c := r.call(t)
		rec := &b2bua.Record{ID: "call-1", Reason: "OK"}
		c.End(t.Context(), c.view, rec)
		c.Close()
		if rec.Reason != "OK" || rec.ID != "call-1" || r.count("on_end") != 1 {
			t.Errorf("%s: %+v", body, rec)
		}
	}
}

func TestAnErrorInOnInviteFailsTheCall(t *testing.T) {
	r := run(t, `
local function deep() error("out of cheese") end
function M.on_invite(call) deep() end`)
	c := r.call(t)
	defer c.Close()
	d := c.invite()
	failed, ok := d.Decision.(b2bua.Failed)
	if !ok || d.Where != "main.lua:3" || failed.Err.Error() != "main.lua:3: out of cheese" || r.count("on_invite") != 1 {
		t.Errorf("%#v %d", d, r.count("on_invite"))
	}
	wantIn(t, r.log.String(), "level=ERROR", `msg="hook failed"`, "call=call-1", "hook=on_invite", "script=main.lua", "line=3", "main.lua:4")
}

func TestALimitStopsTheHookAndItsMachineIsReplaced(t *testing.T) {
	for name, body := range map[string]string{
		"instructions": "while true do end", "memory": `local s = "x" while true do s = s .. s end`,
		"pattern": `(("a"):rep(400)):find(".*.*.*.*x")`, "deadline": "for i = 1, 1e9 do end",
	} {
		r := run(t, `
local seen = 0
function M.on_invite(call)
  seen = seen + 1
  call.data.seen = seen
  if call.req.h["X-A"] == "boom" then `+body+` end
  return b2b.reject(400 + seen)
end
function M.on_branch(call, leg, req) req.h["X-Seen"] = call.data.seen end`, func(c *Config) {
			c.Machines = 1
			if name == "deadline" {
				c.Limits = Limits{Instructions: 1 << 40, Wait: 20 * time.Millisecond}
			}
		})
		c := r.call(t)
		c.view.Request.Set("X-A", "boom")
		d := c.invite()
		failed, ok := d.Decision.(b2bua.Failed)
		var e *lua.Error
		if !ok || !errors.As(failed.Err, &e) || e.Limit != name {
			t.Errorf("%s: %#v", name, d)
		}
		// The call goes on with its data; module variables start anew.
		if req := c.branch(); req.Get("X-Seen") != "1" {
			t.Errorf("%s: the data was lost: %q %s", name, req.Get("X-Seen"), r.log)
		}
		c.Close()
		other := r.call(t)
		if d := other.invite(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 401}) {
			t.Errorf("%s: others noticed: %#v", name, d)
		}
		other.Close()
	}
}

func TestWaitingIsForHooksThatMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `local wait = require "wait"
function M.on_invite(call) wait.seconds(3) return b2b.reject(403) end
function M.on_branch() wait.seconds(1) end`, withWait)
		c := r.call(t)
		defer c.Close()
		before := time.Now()
		if d := c.invite(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 403}) || time.Since(before) != 3*time.Second {
			t.Errorf("%#v after %v", d, time.Since(before))
		}
		c.branch()
		wantIn(t, r.log.String(), "waiting is not allowed in on_branch")
	})
}

func TestAHookSleepsAndOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `function M.on_invite(call) b2b.sleep(1.5) return b2b.reject(403) end
function M.on_branch() b2b.sleep(1) end`)
		c := r.call(t)
		defer c.Close()
		before := time.Now()
		if d := c.invite(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 403}) || time.Since(before) != 1500*time.Millisecond {
			t.Errorf("%#v after %v", d, time.Since(before))
		}
		c.branch()
		wantIn(t, r.log.String(), "waiting is not allowed in on_branch")
	})
}

func TestACancelAbortsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `function M.on_invite(call) b2b.sleep(3) end`)
		c := r.call(t)
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		before := time.Now()
		d := c.Invite(ctx, c.view)
		if _, ok := d.Decision.(b2bua.Failed); !ok || time.Since(before) != time.Second {
			t.Errorf("%#v after %v", d, time.Since(before))
		}
		if r.count("on_invite") != 0 {
			t.Errorf("a cancelled call counts as an error: %s", r.log)
		}
	})
}

func TestTheDeadlineEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `local wait = require "wait" function M.on_invite(call) wait.seconds(30) end`, withWait)
		c := r.call(t)
		defer c.Close()
		before := time.Now()
		d := c.invite()
		failed, ok := d.Decision.(b2bua.Failed)
		if !ok || time.Since(before) != 5*time.Second {
			t.Fatalf("%#v after %v", d, time.Since(before))
		}
		wantIn(t, failed.Err.Error(), "5s")
	})
}

func TestManyCallsWaitAtOnceOnOneMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `local wait = require "wait" function M.on_invite(call) call.data.x = call.id; wait.seconds(2); return b2b.reject(403, call.data.x) end
		function M.on_bye(call, leg, req) req.h["X-X"] = call.data.x end`,
			func(c *Config) { c.Machines = 1 }, withWait)
		var all sync.WaitGroup
		for i := range 300 {
			all.Go(func() {
				c := r.call(t)
				defer c.Close()
				c.view.ID = strings.Repeat("x", i)
				if d := c.invite(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 403, Reason: c.view.ID}) {
					t.Errorf("%#v", d)
				}
			})
		}
		time.Sleep(time.Second) // virtual: all of them wait
		c := r.call(t)
		c.Bye(c.view, c.legB(), invite(t)) // and do not stand in the way
		c.Close()
		all.Wait()
	})
}

func TestAResponseMapTellsFailuresAnotherWay(t *testing.T) {
	r := run(t, `
M.responses = b2b.response_map {
  [503] = { 480, "Temporarily Unavailable", q850 = 41, headers = { ["X-Was"] = "503" } },
  ["6xx"] = 486, ["400-499"] = 410, [404] = false, [{500, 502}] = 504, ["*"] = {603, "No"},
  { from = "5xx", origin = "timeout", to = 408 }, { q850 = 17, to = {486, "Busy"} },
}
function M.on_final(call, res) if res.status == 501 then error("x") end end`)
	for _, one := range []struct {
		code   int
		origin b2bua.Origin
		header string
		want   string
	}{
		{503, b2bua.OriginPeer, "", "480 Temporarily Unavailable"},
		{600, b2bua.OriginPeer, "", "486 Busy Here"},
		{403, b2bua.OriginPeer, "", "410 Gone"},
		{404, b2bua.OriginPeer, "", "404 Not Found"},
		{502, b2bua.OriginPeer, "", "504 Server Time-out"},
		{505, b2bua.OriginPeer, "", "603 No"},
		{505, b2bua.OriginTimeout, "", "408 Request Timeout"},
		{503, b2bua.OriginPeer, "Reason: Q.850;cause=17", "486 Busy"},
		{501, b2bua.OriginLocal, "", "603 No"},
	} {
		c := r.call(t)
		var more []string
		if one.header != "" {
			more = append(more, one.header)
		}
		res := answerTo(t, one.code, more...)
		c.Final(c.view, res, one.origin)
		c.Close()
		if got := strings.TrimPrefix(strings.SplitN(res.String(), "\r\n", 2)[0], "SIP/2.0 "); got != one.want {
			t.Errorf("%d from %s: %s, want %s", one.code, one.origin, got, one.want)
		}
		if one.want == "480 Temporarily Unavailable" && (res.Get("X-Was") != "503" || res.Get("Reason") != "Q.850;cause=41") {
			t.Errorf("headers %v", res.Headers)
		}
	}
}

func TestAMapIsAppliedByHand(t *testing.T) {
	r := run(t, `
local map = b2b.response_map{[503] = 480}
function M.on_failure(call, leg, res) assert(map:apply(res) == true and res.status == 480 and map:apply(res) == false) end`)
	c := r.call(t)
	defer c.Close()
	res := answerTo(t, 503)
	c.Failure(t.Context(), c.view, c.legB(), res, b2bua.OriginPeer)
	if res.Status != 480 {
		t.Error(r.log)
	}
}

func TestTheMostSpecificProfileRunsAlone(t *testing.T) {
	keys := []string{"* *", "* INVITE", "4xx-6xx INVITE", "5xx-6xx *", "1xx INVITE", "18x INVITE", "180 *", "180 INVITE", "INVITE", "*"}
	body := "M.outbound = {\n"
	for _, k := range keys {
		body += "  [\"" + k + "\"] = function(msg) msg.h:add(\"X-Ran\", \"" + k + "\") end,\n"
	}
	r := run(t, body+"}")
	c := r.call(t)
	defer c.Close()
	for _, one := range []struct {
		code         int
		method, want string
	}{
		{0, "INVITE", "INVITE"},
		{0, "BYE", "*"},
		{180, "INVITE", "180 INVITE"},
		{180, "BYE", "180 *"},
		{183, "INVITE", "18x INVITE"},
		{199, "INVITE", "1xx INVITE"},
		{200, "INVITE", "* INVITE"},
		{486, "INVITE", "4xx-6xx INVITE"},
		{503, "INVITE", "5xx-6xx *"},
		{503, "BYE", "5xx-6xx *"},
		{200, "BYE", "* *"},
	} {
		m := invite(t)
		if one.code > 0 {
			m = answerTo(t, one.code)
		}
		m.Method = one.method
		c.Outbound(c.legB(), m)
		if got := strings.Join(m.All("X-Ran"), ", "); got != one.want {
			t.Errorf("%d %s ran %q, want %q", one.code, one.method, got, one.want)
		}
	}
}

func TestTheContextOfALegLivesAsLongAsTheLeg(t *testing.T) {
	r := run(t, `
M.inbound = { INVITE = function(msg, ctx) ctx.n = (ctx.n or 0) + 1; ctx.who = "a" end,
  ["180 INVITE"] = function(msg, ctx) assert(ctx.peer.who == "a" and ctx.peer.peer == ctx); msg.h["X-N"] = ctx.peer.n; msg.status = 183 end }`)
	c := r.call(t)
	defer c.Close()
	c.Inbound(c.view.A, invite(t))
	c.Inbound(c.view.A, invite(t))
	res := answerTo(t, 180)
	c.Inbound(c.legB(), res)
	if res.Get("X-N") != "2" || res.Status != 183 {
		t.Errorf("%v %s", res, r.log)
	}
	other := r.call(t)
	defer other.Close()
	res = answerTo(t, 180)
	other.Inbound(other.legB(), res)
	if res.Status != 180 || r.count("inbound") != 1 {
		t.Errorf("another call saw it, or an error did not take the edit back: %v", res)
	}
}

func TestOnLoadAndItsTimersBelongToTheGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `local wait = require "wait"
function M.on_load(ctx) print("loaded") ctx:every(2, function() wait.seconds(1) print("tick") end) end
function M.on_unload() print("unloaded") end`, withWait)
		time.Sleep(7 * time.Second) // virtual: at 2 to 3 and 5 to 6
		if got := strings.Count(r.log.String(), "msg=tick"); got != 2 {
			t.Errorf("%d ticks", got)
		}
		wantIn(t, r.log.String(), "msg=loaded")
		c := r.call(t)
		write(t, r.dir, map[string]string{"main.lua": "return {}"})
		if _, err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if strings.Contains(r.log.String(), "unloaded") {
			t.Error("unloaded under a call")
		}
		c.Close()
		synctest.Wait()
		wantIn(t, r.log.String(), "msg=unloaded")
		ticks := strings.Count(r.log.String(), "msg=tick")
		time.Sleep(10 * time.Second)
		if strings.Count(r.log.String(), "msg=tick") != ticks {
			t.Error("a timer outlived its generation")
		}
	})
}

func TestATimerThatRuinsItsMachineGoesOnInTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `
function M.on_load(ctx) print("loaded") ctx:every(1, function() while true do end end) end`)
		time.Sleep(3500 * time.Millisecond)
		if got := strings.Count(r.log.String(), "msg=loaded"); got != 4 {
			t.Errorf("on_load ran %d times", got)
		}
		if r.count("every") != 3 {
			t.Errorf("%d errors", r.count("every"))
		}
	})
}

func TestATransferAskedAboutMeanwhileSeesItsOwnINVITE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `local wait = require "wait"
function M.on_failure(call) local _ = call.req.uri.user wait.seconds(3) end
function M.on_invite(call) return b2b.reject(404, call.req.uri.user) end`, withWait)
		c := r.call(t)
		defer c.Close()
		done := make(chan b2bua.Decided)
		go func() { done <- c.Failure(t.Context(), c.view, c.legB(), answerTo(t, 503), b2bua.OriginPeer) }()
		synctest.Wait()
		other := c.view
		other.Request = invite(t)
		other.Request.URI = "sip:transferred@pbx.example"
		if d := c.Invite(t.Context(), other); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 404, Reason: "transferred"}) {
			t.Errorf("%#v %s", d, r.log)
		}
		<-done
	})
}
