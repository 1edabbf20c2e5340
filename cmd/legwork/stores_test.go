package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"legwork/b2bua/simnet"
	"legwork/b2bua/store"
	"legwork/b2bua/store/redis/redistest"
	"legwork/script/sql"
)

const counting = `return {
  on_options = function(txn)
    local n, err = b2b.store:incr("asked")
    return b2b.reply(200, "OK", { ["X-Asked"] = tostring(n or err) })
  end,
}
`

// scripted is a deployment with this script alone.
func scripted(t *testing.T, script, more string) (dir string) {
	t.Helper()
	dir = deployment(t, "192.0.2.9", more)
	write(t, filepath.Join(dir, "main.lua"), script)
	if err := os.Remove(filepath.Join(dir, "main_test.lua")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asked asks with OPTIONS and gives a header of the answer.
func (r *running) asked(from *simnet.Agent, header string) string {
	r.t.Helper()
	m := from.Invite("sip:"+r.udp, "")
	m.Method = "OPTIONS"
	m.Set("CSeq", "1 OPTIONS")
	if _, err := from.Send(m, r.udp); err != nil {
		r.t.Fatal(err)
	}
	return next(r.t, from, "200 OPTIONS").Message.Get(header)
}

func TestWhatIsStoredOutlivesTheProcess(t *testing.T) {
	stored := map[string]func(t *testing.T) string{
		"file":  func(*testing.T) string { return "store: {kind: file, path: store.db}\n" },
		"redis": func(t *testing.T) string { return "store: {kind: redis, url: \"" + redistest.Start(t).URL() + "\"}\n" },
	}
	for kind, config := range stored {
		t.Run(kind, func(t *testing.T) {
			dir, alice := scripted(t, counting, config(t)), agent(t)
			for n := range 3 {
				r := serve(t, dir)
				if got := r.asked(alice, "X-Asked"); got != strconv.Itoa(n+1) {
					t.Errorf("asked %s times, want %d", got, n+1)
				}
				r.signal(syscall.SIGTERM)
				if code := r.exit(); code != 0 {
					t.Errorf("exit status %d: %s", code, r.logged())
				}
			}
		})
	}
}

// TestRegistrationOutlivesTheProcess kills it, as a crash would.
func TestRegistrationOutlivesTheProcess(t *testing.T) {
	dir := scripted(t, `return {
  on_invite = function(call)
    return b2b.route { to = { aor = "sip:" .. call.req.uri.user .. "@home.example" } }
  end,
}
`, "registrar: {enabled: true}\nstore: {kind: file, path: store.db}\n")
	alice, bob := agent(t), agent(t)
	r := serve(t, dir)
	register := bob.Invite("sip:"+r.udp, "")
	register.Method = "REGISTER"
	register.Set("CSeq", "1 REGISTER")
	register.Set("To", "<sip:bob@home.example>")
	if _, err := bob.Send(register, r.udp); err != nil {
		t.Fatal(err)
	}
	next(t, bob, "200 REGISTER")
	for deadline := time.Now().Add(patience); boundIn(t, filepath.Join(dir, "store.db")) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the registration does not come to the disk")
		}
	}
	r.signal(syscall.SIGKILL)
	r.exit()
	r = serve(t, dir)
	if _, err := alice.Send(alice.Invite("sip:bob@"+r.udp, demoSDP), r.udp); err != nil {
		t.Fatal(err)
	}
	next(t, bob, "INVITE").Reply(486, nil)
	next(t, alice, "486 INVITE")
}

// boundIn counts the registrations that would be there after a crash.
func boundIn(t *testing.T, path string) int {
	t.Helper()
	again := filepath.Join(t.TempDir(), "again.db")
	write(t, again, read(t, path))
	f, err := store.OpenFile(again, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := f.Room("bindings", store.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m.Len()
}

func TestStoreOfAnotherProcessIsRefused(t *testing.T) {
	dir := scripted(t, counting, "store: {kind: file, path: store.db}\n")
	serve(t, dir)
	run(t, dir, "run", "-c", filepath.Join(dir, "legwork.yaml")).expect(t, 2, `store \S+store\.db: another process has it`)
}

func TestCallIsRoutedByADatabaseAndAbortsItsLookup(t *testing.T) {
	dir := scripted(t, `local routes = b2b.sql("routes")
return {
  on_invite = function(call)
    local statement = "SELECT code FROM routes WHERE number = $1"
    if call.req.uri.user == "slow" then
      statement = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS code FROM n"
    end
    local row, err = routes:row(statement, call.req.uri.user)
    return b2b.reject(row and row.code or 404, err)
  end,
}
`, "sql: {routes: {driver: sqlite, dsn: routes.db, timeout: 1m}}\n")
	db, err := sql.Open(sql.Config{Driver: sql.SQLite, DSN: filepath.Join(dir, "routes.db")})
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"CREATE TABLE routes (number TEXT, code INTEGER)", "INSERT INTO routes VALUES ('4711', 486)"} {
		if _, err := db.Exec(t.Context(), statement, nil); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	r, alice := serve(t, dir), agent(t)
	for number, want := range map[string]string{"4711": "486", "0815": "404"} {
		if _, err := alice.Send(alice.Invite("sip:"+number+"@"+r.udp, demoSDP), r.udp); err != nil {
			t.Fatal(err)
		}
		next(t, alice, want+" INVITE")
	}
	slow, err := alice.Send(alice.Invite("sip:slow@"+r.udp, demoSDP), r.udp)
	if err != nil {
		t.Fatal(err)
	}
	next(t, alice, "100 INVITE")
	slow.Cancel("")
	next(t, alice, "487 INVITE") // not 500, which it would be at the hook's deadline
	if got := r.metric(`legwork_lookups_total{library="sql",name="routes",result="ok"}`); got != 2 {
		t.Errorf("%v look-ups", got)
	}
}
