package luatest

import (
	"strings"
	"testing"

	"legwork/script/lib"
)

// asks is a script that asks everybody, and puts what it learns into headers.
const asks = `
local directory = b2b.http.client { base = "https://api.example/v1", timeout = 2, cache = { ttl = 60, stale = 600 } }
local function told(v, err) return err or v and b2b.json.encode(v) or "nil" end

function M.on_invite(call)
  local what = call.req.uri.user
  if what == "http" then
    local answer, err = directory:get("/n", { query = { n = "7" } })
    call.data.told = answer and answer.status .. " " .. answer.body .. " " .. tostring(answer.cached) or err
  elseif what == "post" then
    local answer, err = directory:post("/n", { json = { n = 7 } })
    call.data.told = answer and answer.json.trunk or err
  elseif what == "redis" then
    call.data.told = told(b2b.redis("cache"):get("k"))
  elseif what == "incr" then
    call.data.told = told(b2b.redis("cache"):incr("n"))
  elseif what == "row" then
    call.data.told = told(b2b.sql("routes"):row("SELECT  trunk FROM routes WHERE n = $1", "+49"))
  elseif what == "srv" then
    call.data.told = told(b2b.dns.srv("_sip._udp.a.example"))
  end
  call.data.took = call.elapsed
  return b2b.route { to = { trunk = "first" } }
end

function M.on_branch(call, leg, req)
  req.h["X-Told"] = call.data.told
  req.h["X-Took"] = tostring(call.data.took)
end
`

// servers are those that asks has.
func servers(cfg *Config) {
	cfg.Lib.Redis = map[string]lib.Redis{"cache": lib.Nowhere{}}
	cfg.Lib.SQL = map[string]lib.SQL{"routes": lib.Nowhere{}}
}

// telling begins a test that calls a user and reads what the script learned.
const telling = `
local function told(user)
  local c = t.invite { to = "sip:" .. user .. "@sbc.example", from_trunk = "pbx" }
  t.advance(3)
  return c:b(1):received("INVITE").h["X-Told"], tonumber(c:b(1):received("INVITE").h["X-Took"])
end
`

func TestStubsAnswerLookups(t *testing.T) {
	passes(t, asks, telling+it(`
  t.stub { http = "GET https://api.example/v1/n?n=7", answer = { status = 200, json = { trunk = "a" } } }
  t.stub { { redis = "cache get k", answer = "v" }, { dns = "srv *", answer = { { target = "x.example", port = 5060 } } } }
  t.stub { sql = "routes select trunk from routes *", values = { "+49" }, rows = { { trunk = "b" } } }
  t.stub { http = "POST *", answer = function(look) return { json = { trunk = look.key .. look.body } } end }
  t.eq(told("http"), '200 {"trunk":"a"} false')
  t.eq(told("http"), '200 {"trunk":"a"} true')
  t.eq(told("redis"), '"v"')
  t.eq(told("row"), '{"trunk":"b"}')
  t.eq(told("srv"), '[{"port":5060,"target":"x.example"}]')
  t.eq(told("post"), 'POST https://api.example/v1/n{"n":7}')
`), servers)
}

func TestAStubTakesItsTimeAndFails(t *testing.T) {
	passes(t, asks, telling+it(`
  t.stub { redis = "cache get k", error = "timeout", after = "250ms" }
  local what, took = told("redis")
  t.eq(what, "timeout")
  t.eq(took, 0.25)
  t.stub { http = "GET *", answer = 503 }
  t.eq(told("http"), "status: 503 Service Unavailable")
`), servers)
}

func TestAClientsCacheServesStaleAnswersOfStubs(t *testing.T) {
	passes(t, asks, telling+it(`
  t.stub { http = "GET *", answer = "fresh" }
  t.eq(told("http"), "200 fresh false")
  t.stub { http = "GET *", error = "refused" }
  t.advance(120)
  t.eq(told("http"), "200 fresh true")
  t.advance(3600)
  t.eq(told("http"), "refused")
`), servers)
}

func TestStubsOfOneKeyAnswerInTurn(t *testing.T) {
	passes(t, asks, telling+it(`
  t.stub { { redis = "cache incr *", answer = 1 }, { redis = "cache incr *", answer = 2 } }
  t.eq(told("incr"), "1")
  t.eq(told("incr"), "2")
  t.eq(told("incr"), "2")
  t.stub { redis = "cache incr *", answer = 7 }
  t.eq(told("incr"), "7")
`), servers)
}

func TestAFunctionIsAskedWhenTheLookupIsMade(t *testing.T) {
	passes(t, asks, telling+`
local n = 0
t.stub { redis = "cache get *", answer = function(look)
  n = n + 1
  if n == 2 then return nil, "timeout" end
  return look.kind .. n
end }
t.stub { sql = "*", answer = function(look) return { { v = look.values[1] } } end, after = 1 }
`+it(`
  t.eq(told("redis"), '"redis1"')
  t.eq(told("redis"), "timeout")
  local what, took = told("row")
  t.eq(what, '{"v":"+49"}')
  t.eq(took, 1)
  t.eq(n, 2)
`), servers)
}

func TestALookupWithoutAStubIsShownAsTheLineToAdd(t *testing.T) {
	r := play(t, asks, telling+it(`
  t.stub { redis = "cache get other", answer = "v" }
  t.eq(told("redis"), "v")
`), servers)
	text := printed(t, r)
	line := `t.stub { redis = "cache get k", answer = "..." }`
	for _, want := range []string{`got "no stub answers this look-up; add ` + strings.ReplaceAll(line, `"`, `\"`), "a look-up without an answer: " + line} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestALineToAddIsTakenAsAStub(t *testing.T) {
	for _, user := range []string{"http", "post", "redis", "incr", "row", "srv"} {
		r := play(t, asks, telling+it(`told("`+user+`") error("shown")`), servers)
		if len(r.Results[0].Lookups) != 1 {
			t.Fatalf("%s: %v", user, r.Results[0].Lookups)
		}
		passes(t, asks, telling+it(r.Results[0].Lookups[0]+"\nlocal v = told('"+user+"') t.ok(not tostring(v):find('no stub'), v)"), servers)
	}
}

func TestAnErrorOfAStubsFunctionIsTheTests(t *testing.T) {
	r := play(t, asks, telling+it(`
  t.stub { redis = "*", answer = function() error("oh") end }
  told("redis")
`), servers)
	if f := r.Results[0].Failure; f == nil || f.Message != "oh" || f.Line != 10 {
		t.Error(printed(t, r))
	}
}

func TestAMisspeltStubIsExplained(t *testing.T) {
	for stub, want := range map[string]string{
		`{ htpp = "GET x", answer = 200 }`:                 `t.stub: unknown key "htpp", did you mean "http"?`,
		`{ http = "GET x" }`:                               `t.stub: "answer" is missing (or "error")`,
		`{ http = "GET x", answer = { statsu = 200 } }`:    `t.stub: unknown key "statsu", did you mean "status"?`,
		`{ http = "GET x", answer = { status = 20 } }`:     `t.stub: http: a status is a number from 200 to 599`,
		`{ answer = 1 }`:                                   `t.stub: which look-up is it for? One of http, redis, sql and dns is missing`,
		`{ redis = "a", sql = "b", answer = 1 }`:           `t.stub: "redis" and "sql": a stub is for one look-up`,
		`{ redis = "a", answer = 1, error = "x" }`:         `t.stub: give one of "answer", "rows" and "error"`,
		`{ redis = "a", answer = 1, after = "soon" }`:      `t.stub: "after" must be a time like "200ms"`,
		`{ redis = "a", answer = 1, after = 1e300 }`:       `t.stub: "after" must be a time like "200ms"`,
		`{ sql = "a", rows = { 1 } }`:                      `t.stub: sql: rows are a list of tables by column`,
		`{ dns = "a x", answer = "1" }`:                    `t.stub: dns: the answer is a list of records`,
		`{ redis = "a", answer = { f = function() end } }`: `t.stub: answer: f: a function is not a plain value`,
		`5`:           `t.stub{http =, redis =, sql = or dns =, answer = ...}: want a table or the name of a file, got 5`,
		`"none.json"`: `t.stub: none.json: open none.json: no such file or directory`,
		`"../x.json"`: `t.stub: ../x.json: it leads out of the scripts' folder`,
		`"main.lua"`:  `t.stub: main.lua, line 1: invalid character 'l'`,
	} {
		if got := breaks(t, failover, it("t.stub("+stub+")")); !strings.Contains(got, want) {
			t.Errorf("%s\n got %s\nwant %s", stub, got, want)
		}
	}
}
