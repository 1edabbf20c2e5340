package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWhoReadsTheLogMayGo ends what reads our standard error, as a journald that
// is restarted does.
func TestWhoReadsTheLogMayGo(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	one := r.talk(alice, bob)
	if err := r.errs.Close(); err != nil {
		t.Fatal(err)
	}
	one.hangUp() // is logged
	r.talk(alice, bob).hangUp()
	r.signal(syscall.SIGTERM)
	if code := r.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestScriptsAreTestedWhenTheProgramWasRemoved is an upgrade that nobody has
// restarted for yet.
func TestScriptsAreTestedWhenTheProgramWasRemoved(t *testing.T) {
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		t.Skip(err)
	}
	old := filepath.Join(t.TempDir(), "legwork")
	if err := os.WriteFile(old, []byte(read(t, os.Getenv(binaryVariable))), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv(binaryVariable, old)
	dir := deployment(t, "192.0.2.9", "")
	r := serve(t, dir)
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "main_test.lua"), "local t = require \"b2b.test\"\nt.it(\"fails\", function() t.eq(1, 2) end)\n")
	r.waitFor(`script not loaded.*main_test.lua.*test \\"fails\\"`)
}

// TestAskedToLeaveIsHeardAmongManyHangups has a reload wait for a file that never
// ends, and the hangups behind it.
func TestAskedToLeaveIsHeardAmongManyHangups(t *testing.T) {
	bob := agent(t)
	dir := deployment(t, bob.Addr.String(), "")
	users := filepath.Join(t.TempDir(), "users")
	if err := syscall.Mkfifo(users, 0o600); err != nil {
		t.Skip(err)
	}
	r := serve(t, dir)
	path := filepath.Join(dir, "legwork.yaml")
	write(t, path, strings.Replace(read(t, path), "trunks:\n", "users: {file: "+users+"}\ntrunks:\n", 1))
	r.signal(syscall.SIGHUP)
	file, err := os.OpenFile(users, os.O_WRONLY, 0) // waits for a reader: the reload has begun
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for range 20 {
		r.signal(syscall.SIGHUP)
	}
	r.signal(syscall.SIGTERM)
	r.waitFor(`draining by=terminated`)
}
