package lib

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// aCall is an Owner.
type aCall struct {
	over bool
	ends []func()
}

func (c *aCall) OnEnd(f func()) {
	if c.over {
		f()
		return
	}
	c.ends = append(c.ends, f)
}

func (c *aCall) end() {
	c.over = true
	for _, f := range c.ends {
		f()
	}
}

func TestCallGivesItsPlacesBackWhenItEnds(t *testing.T) {
	s := newSlots(nil)
	a, b, c := &aCall{}, &aCall{}, &aCall{}
	take := func(o Owner, key string, most int, want bool) {
		t.Helper()
		if got, _, err := s.take(o, key, most); got != want || err != nil {
			t.Fatalf("take(%s, %d) = %v, %v; want %v", key, most, got, err, want)
		}
	}
	take(a, "x", 2, true)
	take(a, "x", 2, true) // twice is once
	take(a, "x", 0, true) // and is kept
	take(b, "x", 2, true)
	take(c, "x", 2, false)
	take(c, "y", 2, true)
	a.end()
	take(c, "x", 2, true)
	b.end()
	c.end()
	if len(a.ends) != 1 || len(s.used) != 0 || len(s.held) != 0 {
		t.Errorf("left behind: %v %v, %d ends", s.used, s.held, len(a.ends))
	}
}

func TestPlaceOfAnEndedCallIsFreeAtOnce(t *testing.T) {
	s, gone := newSlots(nil), &aCall{over: true}
	if ok, _, _ := s.take(gone, "x", 1); !ok || len(s.used) != 0 || len(s.held) != 0 {
		t.Errorf("take = %v, left %v %v", ok, s.used, s.held)
	}
}

func TestPlacesOfOneCallAreBounded(t *testing.T) {
	s, a := newSlots(nil), &aCall{}
	for i := range maxSlotsPerCall {
		if ok, _, err := s.take(a, fmt.Sprint(i), 1); !ok || err != nil {
			t.Fatal(i, ok, err)
		}
	}
	if ok, _, err := s.take(a, "more", 1); ok || err == nil {
		t.Errorf("one more: %v, %v", ok, err)
	}
}

func TestBucketFillsAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuckets()
		want := func(want bool) {
			t.Helper()
			if got, err := b.allow("k", 2, 3); got != want || err != nil {
				t.Fatalf("allow = %v, %v; want %v", got, err, want)
			}
		}
		for range 3 {
			want(true)
		}
		want(false)
		time.Sleep(500 * time.Millisecond)
		want(true)
		want(false)
		if ok, _ := b.allow("other", 2, 3); !ok {
			t.Error("another key shares the bucket")
		}
		time.Sleep(time.Second)
		if ok, _ := b.allow("k", 2, 1); !ok {
			t.Error("a smaller burst lost all tokens")
		}
		want(false)
	})
}

func TestBucketsAreBounded(t *testing.T) {
	b := newBuckets()
	b.all.most = 10
	for i := range 100 {
		if ok, err := b.allow(fmt.Sprint(i), 1, 1); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if len(b.all.places) != 10 || b.all.order.Len() != 10 {
		t.Errorf("%d buckets", len(b.all.places))
	}
	if _, err := b.allow("k", 0, 1); err == nil {
		t.Error("a rate of 0 was taken")
	}
}
