package sql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func openDB(t *testing.T, driver, dsn string) *DB {
	t.Helper()
	d, err := Open(Config{Driver: driver, DSN: dsn, Timeout: 10 * time.Second, Connections: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func sqliteFile(t *testing.T) *DB {
	t.Helper()
	return openDB(t, SQLite, filepath.Join(t.TempDir(), "routes 1?#%.db"))
}

// rows are those of a statement, without its columns.
func rows(t *testing.T, d *DB, statement string, values ...any) [][]any {
	t.Helper()
	a, err := d.Query(t.Context(), statement, values)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return a.Rows
}

func execute(t *testing.T, d *DB, statement string, values ...any) int64 {
	t.Helper()
	n, err := d.Exec(t.Context(), statement, values)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return n
}

func TestValuesOfPostgresAreLuas(t *testing.T) {
	d := openDB(t, Postgres, startPostgres(t).dsn())
	for expression, want := range map[string]any{
		"NULL":                          nil,
		"true":                          true,
		"42::int":                       42.0,
		"9007199254740992":              9007199254740992.0,
		"9007199254740993":              "9007199254740993",
		"1.5::float8":                   1.5,
		"0.10::numeric":                 0.1,
		"123456789012345::numeric":      123456789012345.0,
		"1234567890.123456789::numeric": "1234567890.123456789",
		"'NaN'::numeric":                "NaN",
		"'+49'::text":                   "+49",
		"'\\x00ff'::bytea":              "\x00\xff",
		"'1970-01-02 00:00:00.5+00'::timestamptz": 86400.5,
		"'1970-01-01 00:01'::timestamp":           60.0,
		"'2026-11-21'::date":                      "2026-11-21",
		"'{\"a\": 1}'::jsonb":                     `{"a": 1}`,
		"'10.0.0.0/8'::inet":                      "10.0.0.0/8",
		"ARRAY[1,2]":                              "{1,2}",
	} {
		if got := rows(t, d, "SELECT "+expression); !reflect.DeepEqual(got, [][]any{{want}}) {
			t.Errorf("%s: got %#v, want %#v", expression, got, want)
		}
	}
}

func TestValuesOfSQLiteAreLuas(t *testing.T) {
	d := sqliteFile(t)
	execute(t, d, "CREATE TABLE v (i INTEGER, r REAL, s TEXT, b BLOB, n TEXT, big INTEGER, yes BOOLEAN, at TIMESTAMP)")
	if n := execute(t, d, "INSERT INTO v VALUES ($1, $2, $3, x'00ff', $4, 9007199254740993, $5, '1970-01-02 00:00:00')", 42.0, 1.5, "+49", nil, true); n != 1 {
		t.Errorf("%d rows changed", n)
	}
	want := [][]any{{42.0, 1.5, "+49", "\x00\xff", nil, "9007199254740993", true, 86400.0}}
	if got := rows(t, d, "SELECT * FROM v WHERE s = $1 AND i = $2", "+49", 42.0); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
	if got := rows(t, d, "SELECT * FROM v WHERE s = ?", "' OR 1=1 --"); len(got) != 0 {
		t.Errorf("a parameter is more than a value: %v", got)
	}
}

func TestParametersArePostgresValues(t *testing.T) {
	d := openDB(t, Postgres, startPostgres(t).dsn())
	execute(t, d, "CREATE TABLE routes (prefix text PRIMARY KEY, cost numeric, active boolean)")
	if n := execute(t, d, "INSERT INTO routes VALUES ($1, $2, $3), ('49', 2, false)", "4930", 1.25, true); n != 2 {
		t.Errorf("%d rows changed", n)
	}
	if got := rows(t, d, "SELECT cost, active FROM routes WHERE prefix = $1", "4930"); !reflect.DeepEqual(got, [][]any{{1.25, true}}) {
		t.Errorf("got %#v", got)
	}
	_, err := d.Query(t.Context(), "SELECT nothing FROM routes", nil)
	if err == nil || !strings.Contains(err.Error(), "SQLSTATE 42703") {
		t.Errorf("err = %v", err)
	}
	if _, err := d.Query(t.Context(), "SELECT 1; DROP TABLE routes", nil); err == nil {
		t.Error("two statements were taken")
	}
}

func TestAnswersOfDatabasesAreBounded(t *testing.T) {
	for name, d := range map[string]*DB{SQLite: sqliteFile(t), Postgres: openDB(t, Postgres, startPostgres(t).dsn())} {
		many, wide, long := "SELECT generate_series(1, 1000000)", "SELECT repeat('x', 10000) FROM generate_series(1, 1000)", "SELECT repeat('x', 5000000)"
		if name == SQLite {
			const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
			many, wide, long = numbers+"SELECT i FROM n", numbers+"SELECT printf('%.10000c', 'x') FROM n", "SELECT zeroblob(5000000)"
		}
		for _, statement := range []string{many, wide} {
			if _, err := d.Query(t.Context(), statement, nil); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: %s: %v", name, statement, err)
			}
		}
		if a, err := d.Query(t.Context(), long, nil); err == nil {
			t.Errorf("%s: a value of %d bytes", name, len(a.Rows[0][0].(string)))
		}
		if got := rows(t, d, "SELECT 1"); len(got) != 1 {
			t.Errorf("%s: %v afterwards", name, got)
		}
	}
}

func TestStatementIsGivenUpWithItsCaller(t *testing.T) {
	endless := map[string]string{
		SQLite:   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
		Postgres: "SELECT pg_sleep(3600)",
	}
	for name, d := range map[string]*DB{SQLite: sqliteFile(t), Postgres: openDB(t, Postgres, startPostgres(t).dsn())} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := d.Query(ctx, endless[name], nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if name == Postgres {
			if got := rows(t, d, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"); got[0][0] != 0.0 {
				t.Errorf("the server goes on: %v", got)
			}
		}
	}
}

func TestStatementHasItsTime(t *testing.T) {
	d, err := Open(Config{Driver: SQLite, DSN: filepath.Join(t.TempDir(), "x.db"), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	_, err = d.Query(t.Context(), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v", err)
	}
}

func TestDeadPostgresRefusesAndServesWhenItIsBack(t *testing.T) {
	c := startPostgres(t)
	d := openDB(t, Postgres, c.dsn())
	execute(t, d, "CREATE TABLE kept (n int)")
	c.stop()
	if _, err := d.Query(t.Context(), "SELECT n FROM kept", nil); err == nil {
		t.Fatal("a dead server answers")
	}
	_, err := d.Query(t.Context(), "SELECT n FROM kept", nil)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("err = %v", err)
	}
	if text := fmt.Sprint(err); strings.Contains(text, "hunter2") || strings.Contains(text, "user=") || strings.Contains(text, "127.0.0.1") {
		t.Errorf("the error says too much: %s", text)
	}
	c.again()
	if got := rows(t, d, "SELECT count(*) FROM kept"); got[0][0] != 0.0 {
		t.Errorf("got %v", got)
	}
}

func TestScriptsReachNoOtherFile(t *testing.T) {
	d, other := sqliteFile(t), filepath.Join(t.TempDir(), "other.db")
	for _, statement := range []string{
		"ATTACH '" + other + "' AS other", "VACUUM INTO '" + other + "'", "PRAGMA journal_mode = OFF", "SELECT load_extension('x')",
	} {
		if _, err := d.Exec(t.Context(), statement, nil); err == nil {
			t.Errorf("%s is allowed", statement)
		}
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("there is another file")
	}
}

func TestDSNIsNotShown(t *testing.T) {
	for _, dsn := range []string{"postgres://u:hunter2@192.0.2.1:x/db", "host=192.0.2.1 password=hunter2 sslmode=maybe"} {
		if _, err := Open(Config{Driver: Postgres, DSN: dsn}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
