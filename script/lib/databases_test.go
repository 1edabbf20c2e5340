package lib

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"legwork/b2bua/store"
	"legwork/b2bua/store/redis"
	"legwork/b2bua/store/redis/redistest"
	"legwork/script/lua"
	"legwork/script/sql"
)

// asks plays a chunk that may wait.
func (r *rig) asks(src, want string) {
	r.t.Helper()
	if got, err := r.run(r.t.Context(), true, src); err != nil || got != want {
		r.t.Errorf("%s\nprinted %q, %v; want %q", src, got, err, want)
	}
}

func withRedis(t *testing.T, url string) *rig {
	t.Helper()
	c, err := redis.Open(redis.Config{URL: url, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return newRig(t, Config{Redis: map[string]Redis{"cache": c}})
}

func withSQLite(t *testing.T) *rig {
	t.Helper()
	d, err := sql.Open(sql.Config{Driver: sql.SQLite, DSN: filepath.Join(t.TempDir(), "routes.db"), Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return newRig(t, Config{SQL: map[string]SQL{"routes": d}})
}

func TestScriptsAskRedis(t *testing.T) {
	r := withRedis(t, redistest.Start(t).URL())
	for src, want := range map[string]string{
		`print(c:get("nothing"))`: "nil",
		`print(c:set("k", "v\0w"), #c:get("k"), c:exists("k"), c:del("k", "x"), c:exists("k"))`: "true\t3\ttrue\t1\tfalse",
		`print(c:set("t", 5, 60), c:get("t"), c:expire("t", 0), c:get("t"))`:                    "true\t5\ttrue\tnil",
		`print(c:incr("n"), c:incr("n", 9007199254740000), c:incr("n", 999), c:incr("f", 0.5))`: "1\t9007199254740001\t9007199254741000\t0.5",
		`print(c:hset("h", "a", 1), c:hset("h", "a", "2"), c:hset("h", "b", "x"), c:hget("h", "a"), c:hget("h", "z"))
			local h = c:hgetall("h") print(h.a, h.b, h.z, c:hdel("h", "a"), next(c:hgetall("none")))`: "true\tfalse\ttrue\t2\tnil\n2\tx\tnil\ttrue\tnil",
		`print(c:eval("redis.call('SADD', KEYS[1], ARGV[1], ARGV[2]) return {1, 'x', {KEYS[1]}}", {"s"}, {"a", 7})[3][1], c:sismember("s", "7"), #c:smembers("s"))`: "s\ttrue\t2",
		`c:set("k", "text") local v, err = c:incr("k") print(v, err)`: "nil\tfailed: ERR value is not an integer or out of range",
	} {
		r.asks(`local c = b2b.redis("cache") `+src, want)
	}
}

func TestScriptsAskDatabases(t *testing.T) {
	r := withSQLite(t)
	r.asks(`local d = b2b.sql("routes")
		print(d:exec("CREATE TABLE routes (number TEXT, trunk TEXT, cost REAL, active BOOLEAN)"))
		print(d:exec("INSERT INTO routes VALUES ($1, $2, $3, $4), ('+1', 'b', NULL, false)", "+49", "a", 0.5, true))
		local row = d:row("SELECT * FROM routes WHERE number = $1", "+49")
		print(row.trunk, row.cost, row.active)
		row = d:row("SELECT * FROM routes WHERE number = $1", "+1")
		print(row.trunk, row.cost, row.active)
		print(d:row("SELECT * FROM routes WHERE number = $1", "' OR 1 = 1 --"))
		print(#d:query("SELECT * FROM routes"), #d:query("SELECT * FROM routes WHERE number = $1", nil))
		print(d:query("SELECT * FROM no_table"))`,
		"0\n2\na\t0.5\ttrue\nb\tnil\tfalse\nnil\n2\t0\nnil\tfailed: SQL logic error: no such table: no_table (1)")
}

func TestDeadServersAreRefusals(t *testing.T) {
	s := redistest.Start(t)
	r := withRedis(t, s.URL())
	r.asks(`print(b2b.redis("cache"):set("k", "v"))`, "true")
	s.Stop()
	// The first one may meet the connection that was open.
	r.asks(`local c = b2b.redis("cache") c:get("k") print(c:get("k"))`, "nil\trefused")
	s.Again()
	r.asks(`print(b2b.redis("cache"):get("k"))`, "nil")
	if n := strings.Count(r.log.String(), "a look-up failed"); n != 1 {
		t.Errorf("the log tells of it %d times: %s", n, r.log.String())
	}
}

func TestHangUpAbortsAStatement(t *testing.T) {
	r := withSQLite(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := r.run(ctx, true, `b2b.sql("routes"):row("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n") print("went on")`)
	if !errors.Is(err, lua.ErrCancelled) || len(r.out) != 0 {
		t.Errorf("%v, %v", err, r.out)
	}
}

func TestServersRefuseWhatIsNoQuestion(t *testing.T) {
	r := newRig(t, Config{Redis: map[string]Redis{"cache": Nowhere{}}, SQL: map[string]SQL{"routes": Nowhere{}}})
	r.refuses(`b2b.redis("cahce")`, "no redis 'cahce' in the configuration, did you mean 'cache'?")
	r.refuses(`b2b.sql("zzzzz")`, "no sql 'zzzzz' in the configuration; there are routes")
	r.refuses(`b2b.redis("cache").get("k")`, "call it with a colon")
	r.refuses(`b2b.redis("cache"):get()`, "redis_server:get: it takes 1 argument")
	r.refuses(`b2b.redis("cache"):set("k", {})`, "the value must be a string")
	r.refuses(`b2b.redis("cache"):set("k", "v", 0)`, "the time to live must be more than 0")
	r.refuses(`b2b.redis("cache"):gte("k")`, "did you mean 'get'?")
	r.refuses(`b2b.sql("routes"):query("SELECT $1", {})`, "value 1 must be nil, a boolean, a number or a string, not a table")
	r.refuses(`b2b.sql("routes"):query("")`, "the statement must have 1 to 65536 bytes")
	r.refuses(`b2b.sql("routes"):query("SELECT 1", string.rep("x", 2000000))`, "a value may have 1048576 bytes")
	r.asks(`print(b2b.redis("cache"):get("k"))`, "nil\tfailed: tests have no network")
	for _, src := range []string{`b2b.redis("cache"):get("k")`, `b2b.sql("routes"):row("SELECT 1")`} {
		if _, err := r.run(t.Context(), false, src); err == nil || !strings.Contains(err.Error(), "waiting is not allowed in on_x") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestLookupsAreCounted(t *testing.T) {
	metrics := prometheus.NewRegistry()
	r := newRig(t, Config{Metrics: metrics, Redis: map[string]Redis{"cache": Nowhere{}}, Transport: &fakeServer{}})
	r.asks(`b2b.redis("cache"):get("k") b2b.http.client{base = "http://a.example:8080/v1"}:get("/x")`, "")
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for _, name := range []string{
		"legwork_lookups_total redis cache failed", "legwork_lookups_total http a.example:8080 ok",
		"legwork_lookup_seconds redis cache", "legwork_lookup_seconds http a.example:8080",
	} {
		if got[name] != 1 {
			t.Errorf("%s is %v; there are %v", name, got[name], got)
		}
	}
	if _, err := NewEnv(Config{Metrics: metrics, ReasonPhrase: http.StatusText}); err == nil {
		t.Error("two Envs count in one registry")
	}
}

// BenchmarkLookupsFromLua is one look-up at a server on this machine, the wait
// included.
func BenchmarkLookupsFromLua(b *testing.B) {
	c, err := redis.Open(redis.Config{URL: redistest.Start(b).URL(), Timeout: 10 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	d, err := sql.Open(sql.Config{Driver: sql.SQLite, DSN: filepath.Join(b.TempDir(), "routes.db"), Timeout: 10 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(d.Close)
	for _, statement := range []string{"CREATE TABLE routes (number TEXT PRIMARY KEY, trunk TEXT)", "INSERT INTO routes VALUES ('4711', 'pbx')"} {
		if _, err := d.Exec(b.Context(), statement, nil); err != nil {
			b.Fatal(err)
		}
	}
	r := newRig(b, Config{Redis: map[string]Redis{"cache": c}, SQL: map[string]SQL{"routes": d}, Store: store.NewRedis(c, "legwork:", store.Limits{})})
	for name, src := range map[string]string{
		"redis":  `b2b.redis("cache"):get("k")`,
		"sqlite": `b2b.sql("routes"):row("SELECT trunk FROM routes WHERE number = $1", "4711")`,
		"store":  `b2b.store:incr("n")`,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.run(b.Context(), true, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
