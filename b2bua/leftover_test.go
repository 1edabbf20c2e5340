package b2bua

import (
	"slices"
	"testing"
	"time"
)

func TestAllTimersOfWhatIsLeftEnd(t *testing.T) {
	c := &Call{a: &leg{}}
	timers := []*time.Timer{time.AfterFunc(time.Hour, func() {}), time.AfterFunc(time.Hour, func() {})}
	c.clocks[0].timer, c.a.clocks[0].timer = timers[0], timers[1]
	if left := c.unfinished(); !slices.Equal(left, []string{"timer"}) {
		t.Error(left)
	}
	for i, one := range timers {
		if one.Stop() {
			t.Errorf("timer %d goes on", i)
		}
	}
}
