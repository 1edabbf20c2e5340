package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// held is a terminal that somebody holds until the gate is opened.
type held struct {
	gate    chan struct{}
	reached chan struct{} // has one for each write that has begun
	mu      sync.Mutex
	text    bytes.Buffer
}

func newHeld() *held { return &held{gate: make(chan struct{}), reached: make(chan struct{}, 100)} }

func (h *held) Write(b []byte) (int, error) {
	h.reached <- struct{}{}
	<-h.gate
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *held) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

func TestAHeldTerminalHoldsUpNobodyAndLosesNothing(t *testing.T) {
	terminal := newHeld()
	s := newSpool(terminal, func(n uint64) { t.Errorf("%d lines are lost", n) })
	var want strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&want, "line %d\n", i)
		fmt.Fprintf(s, "line %d\n", i)
	}
	<-terminal.reached
	close(terminal.gate)
	s.close()
	if terminal.String() != want.String() || s.losses.Load() != 0 {
		t.Errorf("%d lost:\n%s", s.losses.Load(), terminal)
	}
}

func TestALogThatNobodyReadsIsBoundedAndSaysWhatIsLost(t *testing.T) {
	terminal := newHeld()
	told := make(chan uint64, 1)
	s := newSpool(terminal, func(n uint64) { told <- n })
	line := strings.Repeat("x", 1<<10-1) + "\n"
	fmt.Fprint(s, "first\n")
	<-terminal.reached // the first is out of the way, and held
	for range maxSpooled>>10 + 7 {
		fmt.Fprint(s, line)
	}
	if lost := s.losses.Load(); lost != 7 || len(s.waiting) != maxSpooled {
		t.Errorf("%d lines are lost, %d bytes wait", lost, len(s.waiting))
	}
	close(terminal.gate)
	if n := <-told; n != 7 {
		t.Errorf("%d lines are told of", n)
	}
	s.close()
	fmt.Fprint(s, "too late\n")
	if got := terminal.String(); !strings.HasPrefix(got, "first\n") || strings.Count(got, line) != maxSpooled>>10 || s.losses.Load() != 8 {
		t.Errorf("%d lost, %d bytes", s.losses.Load(), len(got))
	}
}

func TestWhoeverDoesNotReadTheLogDoesNotKeepTheProcess(t *testing.T) {
	terminal := newHeld()
	s := newSpool(terminal, nil)
	fmt.Fprint(s, "never read\n")
	s.close()
	close(terminal.gate)
	<-s.ended
}

// full is a log on a disk that takes so many bytes, and then all when room is made.
type full struct {
	left int
	text bytes.Buffer
}

func (f *full) Write(b []byte) (int, error) {
	n := min(len(b), f.left)
	f.left -= n
	f.text.Write(b[:n])
	if n < len(b) {
		f.left = 1 << 20
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestLinesThatTheLogHasNoRoomForAreToldOf(t *testing.T) {
	disk := &full{left: 9}
	told := make(chan uint64, 1)
	s := newSpool(disk, func(n uint64) { told <- n })
	fmt.Fprint(s, "first\nsecond\nthird\n")
	for s.losses.Load() == 0 {
		runtime.Gosched()
	}
	fmt.Fprint(s, "fourth\n")
	if n := <-told; n != 2 {
		t.Errorf("%d lines are told of", n)
	}
	s.close()
	if got := disk.text.String(); got != "first\nsecfourth\n" {
		t.Errorf("%q", got)
	}
}
