package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"legwork/cmd/legwork/sipptest"
)

func TestKamailioCarriesAWaveCleanly(t *testing.T) {
	p := plan{
		subject: "kamailio", scenarios: "../testdata/sipp", sipp: sipptest.Find(t),
		script: "unused", number: "4711", ring: 10 * time.Millisecond, hold: 200 * time.Millisecond,
	}
	var err error
	if p.kamailio, err = lookKamailio(); err != nil {
		t.Skip(err)
	}
	var o Outcome
	for range 3 { // a busy machine repeats a message now and then
		if o = carried(t, &p); o.clean() {
			break
		}
	}
	if !o.clean() || o.Calls < 90 || o.P50 <= 0 || o.CPU <= 0 || o.RSS <= 0 {
		t.Errorf("got %+v, want about 100 calls, the probe's half of them, without a flaw", o)
	}
}

// carried is what came of a wave through Kamailio.
func carried(t *testing.T, p *plan) Outcome {
	t.Helper()
	b, err := p.start(t.Context(), "kamailio")
	if err != nil {
		t.Fatal(err)
	}
	defer b.stop()
	l, err := p.begin(t.Context(), b, wave{rate: 50, calls: 50, ring: p.ring, hold: p.hold})
	if err != nil {
		t.Fatal(err)
	}
	o, err := l.end()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTreeHoldsGrandchildren(t *testing.T) {
	// The outer shell waits for an inner one that waits for cat, which waits for us.
	cmd := exec.Command("/bin/sh", "-c", `/bin/sh -c 'echo up; cat; true'; true`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	for got := 0; got < len(buf); { // "up\n" of the shell, "x" of cat
		n, err := out.Read(buf[got:])
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	all, err := tree(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 {
		t.Errorf("got %d processes, want 3", len(all))
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestProcessWithASpaceAndABracketInItsNameIsRead(t *testing.T) {
	if _, err := readStatus(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	s, err := parseStatus(7, []byte("7 (a) b) S 3 7 7 0 -1 4194304 1 0 0 0 21 4 9 9 20 0 1 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.parent != 3 || s.cpu != 250*time.Millisecond {
		t.Errorf("got %+v, want parent 3 and 250 ms", s)
	}
}

func TestMissedBoundIsNamed(t *testing.T) {
	r := report{}
	r.addMost(Most{Rate: 2000, Seconds: 30, Outcome: Outcome{Calls: 60000, Resent: 1, Dropped: map[string]int{"caller": 3}}})
	var out bytes.Buffer
	r.print(&out)
	if len(r.Missed) != 1 || !strings.Contains(out.String(), "missed: 2000 calls/s for 30 s: not spotless (datagrams dropped: caller 3)") {
		t.Errorf("got %q", out.String())
	}
}

func TestPercentileOfFewCallsIsOneOfThem(t *testing.T) {
	s := setUp{times: []time.Duration{time.Millisecond, 2 * time.Millisecond, 9 * time.Millisecond}}
	if got := s.percentile(50); got != 2 {
		t.Errorf("p50 is %v, want 2", got)
	}
	if got := s.percentile(99); got != 9 {
		t.Errorf("p99 is %v, want 9", got)
	}
}
