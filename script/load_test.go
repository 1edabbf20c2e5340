package script

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"legwork/b2bua"
	"legwork/b2bua/trunk"
)

func TestAScriptThatCannotWorkIsNotLoaded(t *testing.T) {
	for body, want := range map[string][]string{
		`function M.on_invit(call) end`:                             {"main.lua:2: unknown hook on_invit; did you mean \"on_invite\"?"},
		`function M.on_INVITE(call) end`:                            {"main.lua:2: unknown hook on_INVITE; did you mean \"on_invite\"?"},
		`M.responses = b2b.response_map{[200] = 503}`:               {"main.lua:2: b2b.response_map: 200 is not a failure; keys are codes from 300 to 699"},
		`M.respones = {}`:                                           {`main.lua:2: unknown field respones; did you mean "responses"?`},
		`M.responses = {[503] = 480}`:                               {"main.lua:2: M.responses is a table; want b2b.response_map{...}"},
		`M.on_invite = "x"`:                                         {"main.lua:2: on_invite is a string; want a function"},
		`x = 1`:                                                     {"main.lua:2: assignment to undeclared global 'x'"},
		`function on_invite(call) end`:                              {"main.lua:2: on_invite is a global, which nobody calls", "function M.on_invite(...)"},
		`function M.on_invite() return b3b end`:                     {"main.lua:2: undefined global 'b3b'", "did you mean 'b2b'"},
		"local x = = 1":                                             {"main.lua:2:"},
		`error("at load")`:                                          {"main.lua:2: at load"},
		`require "nothing"`:                                         {"main.lua:2: module 'nothing' not found"},
		`M.params = {x = {type = "trnk"}}`:                          {`M.params.x: type "trnk" is none of`, `did you mean "trunk"?`},
		`M.params = {x = {type = "trunk", default = "pbxx"}}`:       {`M.params.x: default: there is no trunk "pbxx"; did you mean "pbx"?`},
		`M.params = {x = {type = "number", default = "1"}}`:         {"want a number, got 1"},
		`M.params = {x = {type = "number", defalt = 1}}`:            {`did you mean "default"?`},
		`M.outbound = {["99x INVITE"] = function() end}`:            {`"99x" is not a status`},
		`M.outbound = {["invite"] = function() end}`:                {"written in capitals"},
		`M.inbound = {["A B C"] = function() end}`:                  {`is not "METHOD" or "STATUS METHOD"`},
		`M.inbound = {INVITE = 5}`:                                  {"main.lua:2: M.inbound[\"INVITE\"] is 5; want a function(msg, ctx)"},
		`M.responses = b2b.response_map{[503] = 200}`:               {"main.lua:2: response map: 200 is not a failure"},
		`M.responses = b2b.response_map{["9xx"] = 480}`:             {`"9xx" is not a code`},
		`M.responses = b2b.response_map{[503] = {480, q80 = 1}}`:    {`unknown key "q80"; did you mean "q850"?`},
		`M.responses = b2b.response_map{480}`:                       {"stands without a code"},
		`M.responses = b2b.response_map{{origin="timeot", to=480}}`: {`did you mean "timeout"?`},
		`function M.on_load() error("no") end`:                      {"main.lua:2: no"},
		`function M.on_load(ctx) ctx:every(0, print) end`:           {"want seconds"},
		`local r = b2b.redis("cahce")`:                              {"main.lua:2: no redis 'cahce' in the configuration, did you mean 'cache'?"},
		`function M.on_invite() b2b.sql("x"):row("SELECT 1") end`:   {"main.lua:2: no sql 'x' in the configuration; name it in the configuration, under 'sql:'"},
		`while true do end`:                                         {"instructions"},
	} {
		wantIn(t, refused(t, body), want...)
	}
	_, err := try(t, map[string]string{"main.lua": "local M = {}"})
	wantIn(t, err.Error(), "main.lua:1: a script returns its table of hooks", "return M")
	_, err = try(t, map[string]string{"main.lua": "\n"})
	wantIn(t, err.Error(), "main.lua:1: the file is empty")
	_, err = try(t, map[string]string{"other.lua": "return {}"})
	wantIn(t, err.Error(), "no such script")
}

func TestAllFilesAreCheckedAtOnce(t *testing.T) {
	_, err := try(t, map[string]string{"main.lua": "return {", "a/b.lua": "x = =", "c_test.lua": "for"})
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("%v", err)
	}
}

func TestModulesAreTheFolders(t *testing.T) {
	r, err := try(t, map[string]string{
		"main.lua":  "local M, a = {}, require 'lib.a'\nfunction M.on_invite() return b2b.reject(a.code()) end\nfunction M.normalize() end\nreturn M",
		"lib/a.lua": "return { code = function() return require('b').code end }", "b.lua": "return { code = 486 }",
		".git/x.lua": "syntax error here", "README.md": "no Lua",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := r.call(t)
	defer c.Close()
	if d := c.invite(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 486}) {
		t.Errorf("%#v", d)
	}
	_, err = try(t, map[string]string{"main.lua": "return require 'a'", "a.lua": "return require 'b'", "b.lua": "return require 'a'"})
	wantIn(t, err.Error(), "circular require: a -> b -> a")
}

func TestAnEmbeddedScriptRuns(t *testing.T) {
	files := fstest.MapFS{"main.lua": {Data: []byte("return {on_invite = function() return b2b.reject(require('a')) end}")}, "a.lua": {Data: []byte("return 480")}}
	trunks := table(t)
	p, err := New(t.Context(), Config{Source: Source{Path: "main.lua", FS: files}, Trunks: func() *trunk.Table { return trunks }, States: trunk.NewStates(), Lib: libraries(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := p.Router(&fakeCall{})
	defer c.Close()
	if d := c.Invite(t.Context(), b2bua.View{Request: invite(t)}); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 480}) {
		t.Errorf("%#v", d)
	}
}

func TestParamsComeFromTheTrunkOfTheCall(t *testing.T) {
	body := `M.params = { country = {type="string", default="DE"}, limit = {type="number"}, list = {type="list", default={"a"}} }
function M.on_invite(call) return b2b.reject(480, call.params.country .. tostring(call.params.limit) .. #call.params.list) end`
	trunks := table(t, func(name string, one *trunk.Trunk) {
		if name == "carrier" {
			one.Params = map[string]any{"country": "FR", "limit": 5, "other": true}
		}
	})
	r := run(t, body, func(c *Config) { c.Trunks = func() *trunk.Table { return trunks } })
	c := r.call(t)
	defer c.Close()
	if d := c.invite(); d.Decision.(b2bua.Reject).Reason != "FR51" {
		t.Errorf("%#v", d)
	}
	c.view.Source.Trunk = ""
	if d := c.invite(); d.Decision.(b2bua.Reject).Reason != "DEnil1" {
		t.Errorf("%#v", d)
	}
	wantIn(t, r.log.String(), "trunk carrier: params.other is not declared")
	wrong := table(t, func(_ string, one *trunk.Trunk) { one.Params = map[string]any{"country": 5} })
	wantIn(t, refused(t, body, func(c *Config) { c.Trunks = func() *trunk.Table { return wrong } }), "trunk carrier: params.country: want a string")
}

func TestATrunksProfileTakesThePlaceOfTheScripts(t *testing.T) {
	files := map[string]string{
		"main.lua":         "return {outbound = {INVITE = function(msg) msg.h['X-P'] = 'main' end}}",
		"profiles/pbx.lua": "return {outbound = {INVITE = function(msg) msg.h['X-P'] = 'pbx' end}, inbound = {['2xx *'] = function() end}}",
	}
	dir := t.TempDir()
	write(t, dir, files)
	trunks := table(t, func(name string, one *trunk.Trunk) {
		if name == "pbx" {
			one.Profile = dir + "/profiles/pbx.lua"
		}
	})
	cfg := Config{Source: Source{Path: dir + "/main.lua"}, Trunks: func() *trunk.Table { return trunks }, States: trunk.NewStates(), Lib: libraries(t)}
	p, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := p.Router(&fakeCall{})
	defer c.Close()
	for name, want := range map[string]string{"pbx": "pbx", "carrier": "main", "": "main"} {
		m := invite(t)
		c.Outbound(b2bua.Leg{Trunk: name}, m)
		if m.Get("X-P") != want {
			t.Errorf("%s: %s", name, m.Get("X-P"))
		}
	}
	problems, rows := Check(t.Context(), cfg)
	want := []ProfileRow{
		{"", "outbound", "INVITE", "main.lua", 1},
		{"carrier", "outbound", "INVITE", "main.lua", 1},
		{"pbx", "inbound", "2xx *", "profiles/pbx.lua", 1},
		{"pbx", "outbound", "INVITE", "profiles/pbx.lua", 1},
	}
	if len(problems) != 0 || !reflect.DeepEqual(rows, want) {
		t.Errorf("%v\n%v", problems, rows)
	}
	write(t, dir, map[string]string{"profiles/pbx.lua": "return {outboud = {}}"})
	problems, _ = Check(t.Context(), cfg)
	wantIn(t, problems.Error(), `profiles/pbx.lua:1:9: unknown key "outboud" of a profile; did you mean "outbound"?`)
}

func TestAProfileMayLieOutsideOfTheFolder(t *testing.T) {
	elsewhere := t.TempDir()
	write(t, elsewhere, map[string]string{"p.lua": "return {outbound = {INVITE = function(msg) msg.h['X-P'] = require('m') end}}"})
	trunks := table(t, func(_ string, one *trunk.Trunk) { one.Profile = elsewhere + "/p.lua" })
	r, err := try(t, map[string]string{"main.lua": "return {}", "m.lua": "return 'm'"}, func(c *Config) { c.Trunks = func() *trunk.Table { return trunks } })
	if err != nil {
		t.Fatal(err)
	}
	c := r.call(t)
	defer c.Close()
	m := invite(t)
	c.Outbound(c.legB(), m)
	if m.Get("X-P") != "m" {
		t.Error(r.log)
	}
}

func TestTestsDecideOnAReload(t *testing.T) {
	var tested []string
	r, err := try(t, map[string]string{"main.lua": "return {}", "x_test.lua": "return 1"}, func(c *Config) {
		c.Test = func(_ context.Context, s *Snapshot) error {
			tested = append(tested, s.Tests()...)
			if strings.Contains(string(s.Files["x_test.lua"]), "fail") {
				return errors.New("x_test.lua:1: it rings nobody")
			}
			return nil
		}
	})
	if err != nil || !reflect.DeepEqual(tested, []string{"x_test.lua"}) {
		t.Fatal(err, tested)
	}
	name := r.Status().Name
	write(t, r.dir, map[string]string{"x_test.lua": "return 'fail'"})
	if _, err := r.Reload(t.Context()); err == nil {
		t.Fatal("a failing test let it through")
	}
	if s := r.Status(); s.Name != name || !strings.Contains(s.Failure, "it rings nobody") {
		t.Errorf("%+v", s)
	}
}

func TestACallEndsOnTheGenerationItBeganWith(t *testing.T) {
	r := run(t, `function M.on_bye(call, leg, req) req.h["X-G"] = "1" end`)
	c := r.call(t)
	first := r.Status().Name
	write(t, r.dir, map[string]string{"main.lua": "return {on_bye = function(call, leg, req) req.h['X-G'] = '2' end}"})
	rep, err := r.Reload(t.Context())
	if err != nil || !rep.Changed || rep.Name == first {
		t.Fatal(rep, err)
	}
	if rep, err = r.Reload(t.Context()); err != nil || rep.Changed {
		t.Error("nothing new was loaded again")
	}
	next := r.call(t)
	for call, want := range map[*call]string{c: "1", next: "2"} {
		m := invite(t)
		call.Bye(call.view, call.legB(), m)
		if m.Get("X-G") != want {
			t.Errorf("%s, want %s", m.Get("X-G"), want)
		}
	}
	if s := r.Status(); s.Calls != 1 || len(s.Generations) != 2 || s.Generations[1].Name != first || s.Generations[1].Calls != 1 || s.Generations[1].State != Old {
		t.Errorf("%+v", s)
	}
	c.Close()
	c.Close() // once more does nothing
	next.Close()
	if s := r.Status(); s.Calls != 0 || len(s.Generations) != 1 || s.Generations[0].Begun != 1 {
		t.Errorf("%+v", s)
	}
}

func TestABrokenReloadChangesNothing(t *testing.T) {
	r := run(t, `function M.on_invite() return b2b.reject(480) end`)
	name := r.Status().Name
	write(t, r.dir, map[string]string{"main.lua": "local M = {\nreturn M"})
	if _, err := r.Reload(t.Context()); err == nil {
		t.Fatal("it loaded")
	}
	s := r.Status()
	if s.Name != name || s.Failed.IsZero() {
		t.Errorf("%+v", s)
	}
	wantIn(t, s.Failure, "main.lua:")
	wantIn(t, r.log.String(), "script not loaded; the old one stays")
	c := r.call(t)
	if d := c.invite(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 480}) {
		t.Errorf("%#v", d)
	}
	c.Close()
	write(t, r.dir, map[string]string{"main.lua": "return {}"})
	if rep, err := r.Reload(t.Context()); err != nil || !rep.Changed || r.Status().Failure != "" {
		t.Errorf("not mended: %+v %v", r.Status(), err)
	}
}
