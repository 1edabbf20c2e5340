package lib

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/store"
	"legwork/script/lua"
)

// A rig is one VM with the libraries.
type rig struct {
	*lua.VM
	t     testing.TB
	env   *Env
	owner Owner
	out   []string
	log   strings.Builder
}

func newRig(t testing.TB, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t}
	cfg.ReasonPhrase = http.StatusText
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(&r.log, nil))
	}
	env, err := NewEnv(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(env.Close)
	r.env = env
	r.VM = r.vm()
	return r
}

func (r *rig) vm() *lua.VM {
	files := NewTables(func(name string) ([]byte, error) {
		if name != "prefixes.csv" {
			return nil, fs.ErrNotExist
		}
		return []byte(prefixes), nil
	})
	scope := Scope{Tables: files, Owner: func(*glua.LState) Owner { return r.owner }}
	return lua.NewVM(lua.Config{
		Print: func(_ *glua.LState, line string) { r.out = append(r.out, line) },
		Libraries: map[string]func(L *glua.LState) glua.LValue{"b2b": func(L *glua.LState) glua.LValue {
			b2b := L.NewTable()
			Open(L, b2b, r.env, scope)
			return lua.ReadOnly(L, "b2b", b2b)
		}},
		Globals: []string{"b2b"},
	})
}

// run plays a chunk and gives what it printed.
func (r *rig) run(ctx context.Context, wait bool, src string) (string, error) {
	r.t.Helper()
	proto, err := lua.Compile("main.lua", []byte(src))
	if err != nil {
		r.t.Fatal(err)
	}
	r.out = nil
	limits := lua.Limits{Deadline: time.Minute}
	err = r.Call(&lua.Run{Ctx: ctx, MayWait: wait, Hook: "on_x", Limits: limits}, r.Function(proto), nil, nil)
	return strings.Join(r.out, "\n"), err
}

func (r *rig) wants(src, want string) {
	r.t.Helper()
	if got, err := r.run(r.t.Context(), false, src); err != nil || got != want {
		r.t.Errorf("%s\nprinted %q, %v; want %q", src, got, err, want)
	}
}

func (r *rig) refuses(src, want string) {
	r.t.Helper()
	if got, err := r.run(r.t.Context(), true, src); err == nil || !strings.HasPrefix(err.Error(), "main.lua:1: ") || !strings.Contains(err.Error(), want) {
		r.t.Errorf("%s\nprinted %q, %v; want an error with %q", src, got, err, want)
	}
}

func TestDocsAndLibrariesAreTheSame(t *testing.T) {
	r := newRig(t, Config{})
	var there []string
	r.Do(func(L *glua.LState) {
		x := newLibrary(L, r.env, Scope{})
		class(L, x, "b2b.store", lua.ClassDef[*Env]{Methods: x.storeMethods()})
		for lib, functions := range x.functions() {
			for name := range functions {
				there = append(there, strings.ReplaceAll("b2b."+lib+"."+name, "..", "."))
			}
		}
		there = append(there, "b2b.json.null")
		for class, names := range x.offer {
			for _, name := range names {
				there = append(there, class+"."+name)
			}
		}
	})
	var described []string
	for _, d := range Docs() {
		described = append(described, strings.ReplaceAll(d.Name, ":", "."))
		if d.Text == "" || !strings.HasPrefix(d.Signature, "(") && !strings.HasPrefix(d.Signature, ": ") {
			t.Errorf("%s has no text or signature", d.Name)
		}
	}
	slices.Sort(there)
	slices.Sort(described)
	if !slices.Equal(there, described) {
		t.Errorf("there:     %v\ndescribed: %v", there, described)
	}
}

func TestEveryDescribedFunctionIsFoundUnderItsName(t *testing.T) {
	r := newRig(t, Config{})
	for _, d := range Docs() {
		if strings.HasPrefix(d.Name, "b2b.") {
			r.wants("assert("+strings.ReplaceAll(d.Name, ":", ".")+")", "")
		}
	}
}

func TestNearNamesAreSuggested(t *testing.T) {
	r := newRig(t, Config{})
	r.refuses(`b2b.re.mtach("a", "b")`, "did you mean 'match'?")
	r.refuses(`b2b.store:gte("a")`, "did you mean 'get'?")
	r.refuses(`b2b.http.client{bse = "http://a.example"}`, "base must be a string, not nil")
	r.refuses(`b2b.http.client{base = "http://a.example", cache = {tll = 5}}`, "unknown option 'cache.tll', did you mean 'ttl'?")
	r.refuses(`b2b.http.client{base = "http://a.example", zzz = 5}`, "there are base, timeout, headers, cache, breaker")
	r.refuses(`b2b.store.get = 5`, "")
	r.refuses(`b2b.re.match = 5`, "b2b.re cannot be changed")
}

func TestStoreIsSharedByAllVMs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.wants(`b2b.store:set("k", {1, "two", {x = true}}); b2b.store:set("s", "42", 10); b2b.store:set("n", 42)`, "")
		r.VM = r.vm()
		r.wants(`local v = b2b.store:get("k"); print(#v, v[2], v[3].x); v[1] = 9; print(b2b.store:get("k")[1])`, "3\ttwo\ttrue\n1")
		r.wants(`print(type(b2b.store:get("s")), type(b2b.store:get("n")), b2b.store:get("none"))`, "string\tnumber\tnil")
		r.wants(`print(b2b.store:incr("n"), b2b.store:incr("n", -2.5), b2b.store:incr("m", 3, 5))`, "43\t40.5\t3")
		r.wants(`print(b2b.store:cas("l", nil, {"a"}), b2b.store:cas("l", {"b"}, 1), b2b.store:cas("l", {"a"}, "x"), b2b.store:cas("l", "x", nil), b2b.store:get("l"))`,
			"true\tfalse\ttrue\ttrue\tnil")
		r.wants(`b2b.store:cas("c", nil, {a = 1, b = 2, c = 3, d = 4, e = 5}); print(b2b.store:cas("c", {e = 5, d = 4, c = 3, b = 2, a = 1}, "short", 9))`, "true")
		time.Sleep(10 * time.Second)
		r.wants(`print(b2b.store:get("c"))`, "nil")
		r.wants(`print(b2b.store:get("s"), b2b.store:get("m"), b2b.store:delete("n"), b2b.store:delete("n"))`, "nil\tnil\ttrue\tfalse")
	})
}

func TestStoreRefusesWhatItCannotKeep(t *testing.T) {
	r := newRig(t, Config{Store: store.NewMemory(store.Limits{Entries: 1, ValueLen: 100})})
	r.refuses(`b2b.store.get("k")`, "b2b.store:get: call it with a colon")
	r.refuses(`b2b.store:get(4930)`, "the key must be a string, not a number; write it in quotes")
	r.refuses(`b2b.store:get("")`, "the key must have 1 to 512 bytes")
	r.refuses(`b2b.store:set("k")`, "use delete")
	r.refuses(`b2b.store:set("k", print)`, "function is not a plain value")
	r.refuses(`b2b.store:set("k", 1, 0)`, "more than 0")
	r.refuses(`b2b.store:set("k", 1, "soon")`, "the time to live must be a number, not a string")
	r.refuses(`b2b.store:set("k", 0/0)`, "finite")
	r.refuses(`b2b.store:set("k", ("x"):rep(200))`, "too large")
	r.refuses(`local t = {}; t.t = t; b2b.store:set("k", t)`, "nested")
	r.wants(`b2b.store:set("k", "x"); print(b2b.store:set("l", 1))`, "nil\tstore is full: 1 entries, 165 bytes of at most 1 and 268435456")
	r.refuses(`b2b.store:incr("k")`, "value is not a number")
}

func TestConcurrentLimitEndsWithTheCall(t *testing.T) {
	r := newRig(t, Config{})
	a, b := &aCall{}, &aCall{}
	r.owner = a
	r.wants(`print(b2b.limit.concurrent("x", 1), b2b.limit.concurrent("x", 1))`, "true\ttrue")
	r.owner = b
	r.wants(`print(b2b.limit.concurrent("x", 1))`, "false")
	a.end()
	r.wants(`print(b2b.limit.concurrent("x", 1))`, "true")
	r.owner = nil
	r.refuses(`b2b.limit.concurrent("x", 1)`, "there is no call here")
	r.refuses(`b2b.limit.concurrent("x", 1.5)`, "whole number")
}

func TestRateLimitHasABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.wants(`print(b2b.limit.rate("x", 2), b2b.limit.rate("x", 2), b2b.limit.rate("x", 2))`, "true\ttrue\tfalse")
		time.Sleep(time.Second)
		r.wants(`print(b2b.limit.rate("x", 2))`, "true")
		r.refuses(`b2b.limit.rate("x", 0)`, "per_second must be more than 0")
	})
}

func TestTablesOfTheFolderAreSearched(t *testing.T) {
	r := newRig(t, Config{})
	r.wants(`local t = b2b.table.load("prefixes.csv"); local row = t:longest("+49301299"); print(row.carrier, row.prefix, row["cents, net"], t:longest("33"))`,
		"b, \"the\" second\t4930\t0.5\tnil")
	r.wants(`local t = b2b.table.load("prefixes.csv"); print(t:get("49").carrier, t:get("493"))`, "a\tnil")
	r.refuses(`b2b.table.load("../x")`, "file does not exist")
	r.refuses(`b2b.table.load("prefixes.csv"):longest(4930)`, "must be a string")
}

func TestNumbersAreReadByTheRulesOfTheirCountry(t *testing.T) {
	r := newRig(t, Config{})
	r.wants(`local n = b2b.number.parse("030 / 1234 5678", "DE"); print(n.e164, n.national, n.country, n.kind, n.raw, n)`,
		"+493012345678\t03012345678\tDE\tfixed\t030 / 1234 5678\t+493012345678")
	r.wants(`local n = b2b.number.parse("+12025550123"); print(n:format("plain"), n:format("national"), n:format("rfc3966"), n:format("e164"))`,
		"12025550123\t2025550123\ttel:+1-202-555-0123\t+12025550123")
	r.wants(`print(select(2, b2b.number.parse("030"))); print((b2b.number.parse("999", "DE")), (b2b.number.parse(("1"):rep(100), "DE")), (b2b.number.parse("\255", "DE")))`,
		"without a country a number must begin with +\nnil\tnil\tnil")
	r.wants(`print(b2b.number.mask("+493012345678"), b2b.number.mask("110"), b2b.number.mask("alice"))`, "+49301234****\t1**\talice")
	r.refuses(`b2b.number.parse("030", "Germany")`, "there is no country 'GERMANY'")
	r.refuses(`print(b2b.number.parse("+493012345678").e146)`, "did you mean 'e164'?")
	r.refuses(`print(b2b.number.parse("+493012345678"):format("e165"))`, "unknown form")
}

func TestRegularExpressionsFollowLuasManners(t *testing.T) {
	r := newRig(t, Config{})
	r.wants(`print(b2b.re.match("sip:+4930@x.example", "^sip:(\\+?\\d+)@(.*)$")); print(b2b.re.match("abc", "b"), b2b.re.match("abc", "x"), b2b.re.match("b", "(a)?(b)"))`,
		"+4930\tx.example\nb\tnil\tnil\tb")
	r.wants(`print(b2b.re.find("xabc", "a(b)")); print(b2b.re.find("abc", "c"), b2b.re.find("abc", "d"), b2b.re.find("", "$"))`, "2\t3\tb\n3\tnil\t1\t0")
	r.wants(`print(b2b.re.gsub("0049301", "^00", "+")); print(b2b.re.gsub("a-b", "(\\w)-(?P<n>\\w)", "${n}-$1$$")); print(b2b.re.gsub("aaa", "a", "b", 2), (b2b.re.gsub("aaa", "a", "b", 0)))`,
		"+49301\t1\nb-a$\t1\nbba\taaa")
	r.wants(`print(b2b.re.gsub("abc", "[ab]", {a = 1, b = false})); print(b2b.re.gsub("abc", "(b)(c)", function(x, y) return y .. x end))`, "1bc\t2\nacb\t1")
	r.wants(`print(unpack(b2b.re.split("a, b,,c", ",\\s*"))); print(unpack(b2b.re.split("a,b,c", ",", 2))); print(#b2b.re.split("", ","))`, "a\tb\t\tc\na\tb,c\n1")
	r.refuses(`b2b.re.match("a", "(")`, "missing closing )")
	r.refuses(`b2b.re.match("a", ("a?"):rep(600))`, "1024 bytes")
	r.refuses(`b2b.re.match("a", "((a{100}){10}){10}")`, "")
	r.refuses(`b2b.re.gsub(("a"):rep(100000), "a", "b")`, "too long")
	r.refuses(`b2b.re.split(("a,"):rep(1500), ",")`, "more than 1000 matches")
	r.refuses(`b2b.re.gsub("a", "a", function() return {} end)`, "what replaces a match must be a string, not a table")
	r.refuses(`b2b.re.gsub("a", "a", function() error("mine") end)`, "mine")
}

func TestHashesAreThoseOfTheirStandards(t *testing.T) {
	r := newRig(t, Config{})
	r.wants(`print(b2b.hash.md5("abc"), b2b.hash.crc32("123456789"))`, "900150983cd24fb0d6963f7d28e17f72\tcbf43926")
	r.wants(`print(b2b.hash.sha256("abc"))`, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	// RFC 4231 and RFC 2202, test case 2.
	r.wants(`print(b2b.hash.hmac("Jefe", "what do ya want for nothing?"))`, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
	r.wants(`print(b2b.hash.hmac("Jefe", "what do ya want for nothing?", "md5"))`, "750c783e6ab0b503eaa86e310a5db738")
	r.refuses(`b2b.hash.hmac("a", "b", "sha3")`, "the hash is")
}

func TestSmallLibrariesAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.wants(`print(b2b.time.now())`, "946684800") // where synctest begins
		r.wants(`print(b2b.time.in_hours("Sa 00:00-01:00", "UTC"), b2b.time.in_hours("Mo-Fr 09:00-17:00", "Europe/Berlin", 1772438400))`, "true\ttrue")
		r.refuses(`b2b.time.in_hours("Mo 9-17", "UTC")`, "is not a time span")
		r.wants(`print(b2b.q850.to_sip(17), b2b.q850.to_sip(16), b2b.q850.from_sip(486), b2b.q850.text(17), b2b.q850.text(15))`, "486\tnil\t17\tUser busy\tnil")
		r.wants(`print(b2b.codes.name(404), b2b.codes.class(486))`, "Not Found\t4xx")
		r.refuses(`b2b.codes.class(99)`, "from 100 to 699")
	})
}

func TestRandomThingsComeFromTheGivenSource(t *testing.T) {
	const src = `print(b2b.random.number(), b2b.random.int(1, 6), b2b.random.string(8), b2b.random.pick{"a", "b", "c"}, b2b.uuid())`
	var lines []string
	for range 2 {
		r := newRig(t, Config{Rand: rand.NewPCG(1, 2)})
		line, err := r.run(t.Context(), false, src)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if lines[0] != lines[1] {
		t.Errorf("one seed, two stories: %v", lines)
	}
	r := newRig(t, Config{})
	r.wants(`for i = 1, 200 do local n = b2b.random.int(-1, 1); assert(n >= -1 and n <= 1 and n % 1 == 0) end`, "")
	r.wants(`assert(b2b.uuid():match("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"))`, "")
	r.wants(`assert(b2b.random.string(20, "ab"):match("^[ab]+$"))`, "")
	r.refuses(`b2b.random.int(2, 1)`, "whole number from 2")
	r.refuses(`b2b.random.string(1e6)`, "from 1 to 1024")
	r.refuses(`b2b.random.pick{}`, "empty")
}

func TestOnlyAllowedEnvironmentIsSeen(t *testing.T) {
	r := newRig(t, Config{AllowEnv: "add it to env in legwork.yaml", Getenv: func(name string) (string, bool, bool) {
		return "x", name == "SET", name == "SET" || name == "UNSET"
	}})
	r.wants(`print(b2b.env("SET"), b2b.env("UNSET"))`, "x\tnil")
	r.refuses(`b2b.env("PATH")`, "'PATH' is not allowed: add it to env in legwork.yaml")
	newRig(t, Config{}).refuses(`b2b.env("PATH")`, "no environment variables")
}

func TestLogNamesScriptAndLine(t *testing.T) {
	r := newRig(t, Config{})
	r.wants("\nb2b.log.warn('%s has %d', 'x', 5)\nb2b.log.info('100%')\nb2b.log.debug('%d', 'not looked at')", "")
	for _, want := range []string{`level=WARN msg="x has 5" script=main.lua line=2`, `level=INFO msg=100% script=main.lua line=3`} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("no %q in %s", want, r.log.String())
		}
	}
	if strings.Contains(r.log.String(), "not looked at") {
		t.Error("a level that is off was logged")
	}
	r.wants("b2b.log.info(5) b2b.log.info({}) b2b.log.info(nil)", "")
	r.refuses(`b2b.log.info("%d", "x")`, "number expected")
}

func TestMetricsAreSeenUnderTheirPrefix(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := newRig(t, Config{Metrics: registry})
	r.wants(`local c = b2b.metric.counter("calls", {"carrier"}); c:inc(1, {carrier = "a"}); c:inc(2.5, {carrier = "a"}); b2b.metric.counter("calls_total", {"carrier"}):inc()`, "")
	r.wants(`b2b.metric.histogram("wait", {1, 2}):observe(1.5); b2b.metric.counter("plain"):inc()`, "")
	r.wants(`b2b.metric.counter("fixed", {code = 486, trunk = "a"}):inc(); b2b.metric.counter("fixed", {"trunk", "code"}):inc(1, {code = "486", trunk = "a"})`, "")
	r.wants(`b2b.metric.histogram("fixed_wait", {1}, {trunk = "b"}):observe(0.5, {trunk = "c"})`, "")
	r.refuses(`b2b.metric.counter("calls", {"other"})`, "was defined with labels [\"carrier\"]")
	r.refuses(`b2b.metric.counter("calls", {"carrier"}):inc(1, {carier = "a"})`, "no label 'carier' was defined; there are: carrier")
	r.refuses(`b2b.metric.counter("plain"):inc(-1)`, "only goes up")
	r.refuses(`b2b.metric.counter("Bad Name")`, "small letters")
	r.refuses(`b2b.metric.histogram("h", {2, 1})`, "rising")
	r.wants(`local c = b2b.metric.counter("many", {"n"}); for i = 1, 1500 do c:inc(1, {n = i}) end`, "")
	series, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, s := range series {
		got[s.GetName()] = len(s.GetMetric())
		for _, m := range s.GetMetric() {
			if len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == overflowLabel && m.GetCounter().GetValue() != 500 {
				t.Errorf("%v beyond the bound", m.GetCounter().GetValue())
			}
		}
	}
	want := map[string]int{"legwork_user_calls_total": 2, "legwork_user_wait": 1, "legwork_user_plain_total": 1, "legwork_user_fixed_total": 1, "legwork_user_fixed_wait": 1, "legwork_user_many_total": maxSeries + 1}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestClientIsOneForAllVMs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{takes: 100 * time.Millisecond, reply: func(n int) (int, string, error) { return 200, `{"carrier": "a", "list": [], "none": null}`, nil }}
		r := newRig(t, Config{Transport: s})
		const src = `local api = b2b.http.client{base = "http://a.example/v1", cache = {ttl = 60}}
			local a, err = api:get("/lookup", {query = {number = "+4930", n = 1}})
			print(a.status, a.ok, a.json.carrier, #a.json.list, a.json.none == b2b.json.null, a.cached, #a.body, err)`
		for _, cached := range []string{"false", "true"} {
			if got, err := r.run(t.Context(), true, src); err != nil || got != "200\ttrue\ta\t0\ttrue\t"+cached+"\t42\tnil" {
				t.Errorf("%q, %v", got, err)
			}
			r.VM = r.vm()
		}
		if s.times() != 1 {
			t.Errorf("asked %d times", s.times())
		}
	})
}

func TestPostSendsJSON(t *testing.T) {
	s := &fakeServer{}
	r := newRig(t, Config{Transport: s})
	got, err := r.run(t.Context(), true, `local a = b2b.http.client{base = "http://a.example"}:post("/x", {json = {a = 1}, headers = {["X-A"] = "b"}}); print(a.status, a.body)`)
	if err != nil || got != "200\t1" {
		t.Fatal(got, err)
	}
	if req := s.asked[0]; req.Header.Get("Content-Type") != "application/json" || req.ContentLength != 7 || req.Header.Get("X-A") != "b" {
		t.Errorf("%v, %d bytes", req.Header, req.ContentLength)
	}
}

func TestHangUpAbortsALookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{takes: time.Hour}
		r := newRig(t, Config{Transport: s})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.run(ctx, true, `b2b.http.client{base = "http://a.example", timeout = 30}:get("/x"); print("went on")`)
		if !errors.Is(err, lua.ErrCancelled) || len(r.out) != 0 {
			t.Errorf("%v, %v", err, r.out)
		}
		synctest.Wait()
		if len(r.env.clients) != 1 || s.asked[0].Context().Err() == nil {
			t.Error("the request goes on")
		}
	})
}

func TestClientRefusesWhatIsNoLookup(t *testing.T) {
	r := newRig(t, Config{Transport: &fakeServer{reply: func(int) (int, string, error) { return 500, "", nil }}})
	if got, err := r.run(t.Context(), true, `print(b2b.http.client{base = "http://a.example"}:get("/x"))`); got != "nil\tstatus: 500 Internal Server Error" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, base := range []string{"ftp://a.example", "a.example", "http://", "file:///etc/passwd", "http://a.example/?x=1"} {
		r.refuses(`b2b.http.client{base = "`+base+`"}`, "base must be an address")
	}
	for _, path := range []string{"/../admin", "/a/%2e%2e/b", "/a b", "/a\\r\\nX: y", "/a#b", "/%zz", "/..%2fx", "/" + strings.Repeat("x", 3000)} {
		r.refuses(`b2b.http.client{base = "http://a.example"}:get("`+path+`")`, "a path may")
	}
	r.refuses(`b2b.http.client{base = "http://a.example"}:get("/", {headers = {A = "b\nC: d"}})`, "line break")
	r.refuses(`b2b.http.client{base = "http://a.example"}:get("/", {json = {}})`, "unknown option 'json'")
	r.refuses(`b2b.http.client{base = "http://a.example"}.get("/")`, "call it with a colon")
	if _, err := r.run(t.Context(), false, `b2b.http.client{base = "http://a.example"}:get("/")`); err == nil || !strings.Contains(err.Error(), "main.lua:1: waiting is not allowed in on_x") {
		t.Errorf("err = %v", err)
	}
	r.refuses(`for i = 1, 200 do b2b.http.client{base = "http://a.example/" .. i} end`, "more than 100 different clients")
}

// BenchmarkLibrariesFromLua is what one call of a few functions costs, the loop
// around it included.
func BenchmarkLibrariesFromLua(b *testing.B) {
	for name, src := range map[string]string{
		"store.get": `b2b.store:get("k")`, "store.incr": `b2b.store:incr("n")`, "limit.rate": `b2b.limit.rate("k", 1e6)`,
		"re.match": `b2b.re.match("sip:+493012345@x.example", "^sip:(\\+?\\d+)@")`, "table.longest": `t:longest("+49301234567")`,
		"number.parse": `b2b.number.parse("+493012345678")`, "time.in_hours": `b2b.time.in_hours("Mo-Fr 09:00-17:00", "Europe/Berlin")`,
		"counter.inc": `c:inc(1, {carrier = "a"})`,
	} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, Config{})
			r.wants(`b2b.store:set("k", "v")`, "")
			proto, err := lua.Compile("main.lua", []byte(`local t, c = b2b.table.load("prefixes.csv"), b2b.metric.counter("c", {"carrier"}); for i = 1, 1000 do `+src+` end`))
			if err != nil {
				b.Fatal(err)
			}
			fn := r.Function(proto)
			run := lua.Run{Limits: lua.Limits{Deadline: time.Minute, Memory: 1 << 30}}
			for b.Loop() {
				if err := r.Call(&run, fn, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/call")
		})
	}
}
