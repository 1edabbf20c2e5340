package digest

import (
	"testing"
	"time"
	"unsafe"
)

// earlier is what a clock reads that was set back by whole seconds: the date
// changes, and what time has passed does not (package time, "Monotonic Clocks").
func earlier(t time.Time, by time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) -= uint64(by/time.Second) << 30
	return t
}

func TestAClockThatIsSetKeepsNobodyOut(t *testing.T) {
	back := time.Duration(0)
	s := newServer(t, Config{Now: func() time.Time { return earlier(time.Now(), back) }})
	for _, back = range []time.Duration{0, time.Hour, -24 * time.Hour, 48 * time.Hour} {
		if at := s.now(); time.Since(at).Abs() > time.Minute {
			t.Errorf("set back by %s it reads %s", back, at)
		}
		if out := verify(s, signed(t, s, &Client{}, invite())); out != OK {
			t.Errorf("set back by %s: %v", back, out)
		}
	}
}
