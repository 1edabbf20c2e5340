package examples

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
	"legwork/script"
	"legwork/script/lib"
	"legwork/script/lua"
	"legwork/script/luatest"
)

// block is one fenced block of a page.
type block struct {
	where string // page:line of its first line
	text  string
}

// pages are what a newcomer reads.
func pages(t *testing.T) []string {
	t.Helper()
	deployments, err := filepath.Glob("*/README.md")
	if err != nil || len(deployments) < 3 {
		t.Fatalf("pages: %v, %v", deployments, err)
	}
	return append(deployments, "../README.md", "../scripts/README.md")
}

// blocks are those of one language, in order.
func blocks(t *testing.T, page, language string) []block {
	t.Helper()
	src, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	for _, at := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatchIndex(src, -1) {
		line := strings.Count(string(src[:at[2]]), "\n") + 1
		found = append(found, block{where: page + ":" + strconv.Itoa(line), text: string(src[at[2]:at[3]])})
	}
	return found
}

// isTest tells a test from a script.
func (b block) isTest() bool { return strings.Contains(b.text, "t.it(") }

// script is the block as a whole file: one that returns nothing stands between
// the first and the last line of a script.
func (b block) script() string {
	if regexp.MustCompile(`(?m)^return `).MatchString(b.text) {
		return b.text
	}
	return "local M = {}; " + b.text + "\nreturn M\n"
}

// trunksOf are the neighbours that the pages speak of.
func trunksOf(names ...string) []trunk.Trunk {
	var trunks []trunk.Trunk
	for _, name := range names {
		trunks = append(trunks, trunk.Trunk{
			Name: name, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.9"}}, Auth: &trunk.Auth{User: name, Password: "secret"},
		})
	}
	return trunks
}

func neighbours(t *testing.T) func() *trunk.Table {
	t.Helper()
	table, err := trunk.NewTable(trunksOf("pbx", "carrier", "phone"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() *trunk.Table { return table }
}

// write puts a script into a folder of its own, with the table that one of
// them reads.
func write(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files["prices.csv"] = "prefix,price,trunk\n+49,0.01,carrier\n4,0,pbx\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// surroundings have the servers that the pages speak of.
func surroundings() lib.Config {
	return lib.Config{
		ReasonPhrase: message.ReasonPhrase,
		Redis:        map[string]lib.Redis{"cache": lib.Nowhere{}}, SQL: map[string]lib.SQL{"routes": lib.Nowhere{}},
	}
}

func check(t *testing.T, main string, trunks func() *trunk.Table) script.Problems {
	t.Helper()
	libraries, err := lib.NewEnv(surroundings())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(libraries.Close)
	problems, _ := script.Check(context.Background(), script.Config{
		Source: script.Source{Path: main}, Trunks: trunks, States: trunk.NewStates(), Lib: libraries, Machines: 1,
	})
	return problems
}

func TestEveryLuaBlockIsAScriptOrATest(t *testing.T) {
	for _, page := range pages(t) {
		for _, b := range blocks(t, page, "lua") {
			if b.isTest() {
				if _, err := lua.Compile(b.where, []byte(b.text)); err != nil {
					t.Error(err)
				}
				continue
			}
			dir := write(t, map[string]string{"main.lua": b.script()})
			for _, p := range check(t, filepath.Join(dir, "main.lua"), neighbours(t)) {
				t.Errorf("%s: %s", b.where, p)
			}
		}
	}
}

// tour is a test in Lua that makes a script meet what a call can bring: an
// answer, failures before and after ringing, silence, a caller who gives up. It
// fails when a hook does.
const tour = `
local t = require "b2b.test"

local function invite(to, from)
  return t.invite {
    to = to, from_trunk = from, from = '"Anna" <sip:+493012345678@pbx.example>',
    headers = {
      ["X-A"] = "1", Supported = "timer, 100rel", Privacy = "id", Subject = "tea",
      ["P-Asserted-Identity"] = '"Anna" <sip:+493012345678@pbx.example>',
    },
  }
end

for _, from in ipairs { "pbx", "carrier" } do
  for _, to in ipairs { "sip:+493012345678@sbc.example", "sip:4711@sbc.example", "sip:directory@sbc.example", "sip:sbc.example" } do
    t.it("answers a call to " .. to .. " from " .. from, function()
      local c = invite(to, from)
      if c:attempts() == 0 then
        t.ok(c:a():final())
        return
      end
      c:b(1):send(181)
      c:b(1):send(183)
      c:b(1):send(200)
      if c:a():final().status ~= 200 then
        return
      end
      c:a():send("INFO", { ["Content-Type"] = "application/x-internal" }, "x")
      c:b(1):send("INVITE", nil, c:b(1):received("INVITE").body:gsub("sendrecv", "sendonly"))
      c:a():send(200)
      t.advance(60)
      c:a():send("BYE")
      t.ok(c:b(1):received("BYE"))
    end)
    for _, code in ipairs { 302, 404, 486, 503, 600 } do
      t.it("fails a call to " .. to .. " from " .. from .. " by " .. code, function()
        local c = invite(to, from)
        for n = 1, 9 do
          if c:attempts() < n or c:a():final() then
            t.ok(c:a():final())
            return
          end
          if n == 2 then
            c:b(n):send(180)
          end
          c:b(n):send(code, { Contact = "<sip:elsewhere@192.0.2.55>", Diversion = "<sip:a@b.example>", ["Retry-After"] = "7" })
        end
      end)
    end
    t.it("leaves a call to " .. to .. " from " .. from .. " unanswered", function()
      local c = invite(to, from)
      t.advance(100)
      t.ok(c:a():final())
    end)
  end
end
`

// stage plays the tests of a folder without a configuration and returns what
// failed.
func stage(t *testing.T, dir string) (played int, failures []string) {
	t.Helper()
	report, err := luatest.Run(luatest.Config{
		Source: script.Source{Path: filepath.Join(dir, "main.lua")},
		Trunks: trunksOf("pbx", "carrier", "phone", "callers"),
		Lib:    surroundings(),
		Bubble: func(f func()) { synctest.Test(t, func(*testing.T) { f() }) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Failure != nil {
			failures = append(failures, fmt.Sprintf("%s: line %d: %s", r.Name, r.Failure.Line, r.Failure.Message))
		}
		for _, e := range r.Errors {
			failures = append(failures, r.Name+": "+e)
		}
	}
	return len(report.Results), failures
}

func TestEveryLuaBlockPlaysCalls(t *testing.T) {
	for _, page := range pages(t) {
		main := ""
		for _, b := range blocks(t, page, "lua") {
			test := tour
			if b.isTest() { // of the script before it
				test = b.text
			} else {
				main = b.script()
			}
			dir := write(t, map[string]string{"main.lua": main, "main_test.lua": test})
			played, failures := stage(t, dir)
			if played == 0 {
				t.Errorf("%s: no test was played", b.where)
			}
			for _, f := range failures {
				t.Errorf("%s: %s", b.where, f)
			}
		}
	}
}
