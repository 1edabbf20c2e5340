package sipptest

import (
	"errors"
	"os/exec"
	"testing"
	"time"
)

// Find returns the path of SIPp; without one it skips the test and says so.
func Find(t testing.TB) string {
	t.Helper()
	bin, err := exec.LookPath("sipp")
	if err != nil {
		t.Skip("sipp is not in PATH: as root, apt-get install sip-tester (make test does)")
	}
	return bin
}

// Address is FreeAddress for a test.
func Address(t testing.TB) string {
	t.Helper()
	addr, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// Listening waits until somebody is bound to the port of an address.
func Listening(t testing.TB, addr string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-tick.C {
		open, err := Bound(addr)
		if err == nil && !open && time.Now().After(end) {
			err = errors.New("nobody listens on " + addr)
		}
		if err != nil {
			t.Fatal(err)
		}
		if open {
			return
		}
	}
}

// Start runs a scenario beside the test and returns when its socket is open.
// SIPp is killed when the test ends.
func Start(t testing.TB, s Scenario) *Process {
	t.Helper()
	bin := Find(t)
	if s.Dir == "" {
		s.Dir = t.TempDir()
	}
	p, err := Launch(t.Context(), bin, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { <-p.done })
	return p
}

// Finish waits until SIPp has ended and fails the test with what SIPp wrote
// unless the run was clean. A scenario that provokes repeats, such as a silent
// callee, is for Process.Wait instead.
func Finish(t testing.TB, p *Process) Result {
	t.Helper()
	r, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Clean(); err != nil {
		t.Errorf("%v\n%s", err, p.Trouble())
	}
	return r
}

// Run is Start and Finish.
func Run(t testing.TB, s Scenario) Result {
	t.Helper()
	return Finish(t, Start(t, s))
}
