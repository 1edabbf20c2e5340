package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestValueIsGoneAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(Limits{})
		must(t, m.Set("k", "v", time.Minute))
		time.Sleep(time.Minute - time.Nanosecond)
		wantValue(t, m, "k", "v")
		time.Sleep(time.Nanosecond)
		wantNone(t, m, "k")
		if m.Len() != 0 || m.bytes != 0 || len(m.dying) != 0 {
			t.Errorf("left behind: %d entries, %d bytes, %d expiries", m.Len(), m.bytes, len(m.dying))
		}
	})
}

func TestSetAgainReplacesValueAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(Limits{})
		must(t, m.Set("k", "v", time.Minute))
		must(t, m.Set("k", "w", 0))
		time.Sleep(time.Hour)
		wantValue(t, m, "k", "w")
		must(t, m.Set("k", "x", time.Second))
		time.Sleep(time.Second)
		wantNone(t, m, "k")
	})
}

func TestWritesGiveBackTheMemoryOfExpiredEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(Limits{})
		for i := range 1000 {
			must(t, m.Set(fmt.Sprint("old", i), "v", time.Duration(i+1)*time.Millisecond))
		}
		time.Sleep(time.Hour)
		for i := range 1000 / sweepPerWrite {
			must(t, m.Set("new", fmt.Sprint(i), 0))
		}
		if m.Len() != 1 {
			t.Errorf("%d entries left, want the new one", m.Len())
		}
	})
}

func TestCountingKeepsTheFirstTimeToLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(Limits{})
		for i := range 3 {
			n, err := m.Incr("calls", 1, 10*time.Second)
			must(t, err)
			if n != float64(i+1) {
				t.Fatalf("sum %v after %d", n, i+1)
			}
			time.Sleep(3 * time.Second)
		}
		wantValue(t, m, "calls", "3")
		time.Sleep(time.Second)
		wantNone(t, m, "calls")
	})
}

func TestCountingRefusesAText(t *testing.T) {
	m := NewMemory(Limits{})
	must(t, m.Set("k", "sabc", 0))
	if _, err := m.Incr("k", 1, 0); !errors.Is(err, ErrNotNumber) {
		t.Errorf("err = %v", err)
	}
	must(t, m.Set("n", "1e308", 0))
	if _, err := m.Incr("n", 1.7e308, 0); !errors.Is(err, ErrNotNumber) {
		t.Errorf("overflow: err = %v", err)
	}
}

func TestCASWritesOnlyWhatIsStillThere(t *testing.T) {
	m := NewMemory(Limits{})
	a, b := "a", "b"
	for i, step := range []struct {
		old, new *string
		want     bool
		after    string
	}{
		{&a, &b, false, ""},
		{nil, &a, true, "a"},
		{nil, &b, false, "a"},
		{&b, &a, false, "a"},
		{&a, &b, true, "b"},
		{&a, nil, false, "b"},
		{&b, nil, true, ""},
		{nil, nil, true, ""},
	} {
		got, err := m.CAS("k", step.old, step.new, 0)
		must(t, err)
		if v, _, _ := m.Get("k"); got != step.want || v != step.after {
			t.Errorf("step %d: %v and %q, want %v and %q", i, got, v, step.want, step.after)
		}
	}
}

func TestAFullStoreSaysSoAndMakesRoomFromTheExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(Limits{Entries: 10})
		for i := range 10 {
			must(t, m.Set(fmt.Sprint(i), "v", time.Minute))
		}
		if err := m.Set("more", "v", 0); !errors.Is(err, ErrFull) {
			t.Fatalf("err = %v", err)
		}
		must(t, m.Set("3", "other", time.Minute))
		time.Sleep(time.Minute)
		must(t, m.Set("more", "v", 0))
	})
}

func TestBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(Limits{Bytes: 2*entryCost + 100, KeyLen: 8, ValueLen: 80})
		must(t, m.Set("a", "12345678", time.Minute))
		must(t, m.Set("b", "12345678", time.Minute))
		if err := m.Set("b", string(make([]byte, 80)), time.Minute); err != nil {
			t.Errorf("within the bound: %v", err)
		}
		if err := m.Set("a", string(make([]byte, 80)), 0); !errors.Is(err, ErrFull) {
			t.Errorf("too many bytes: %v", err)
		}
		if err := m.Set("a", string(make([]byte, 81)), 0); !errors.Is(err, ErrTooLarge) {
			t.Errorf("too large a value: %v", err)
		}
		if err := m.Set("123456789", "", 0); !errors.Is(err, ErrTooLarge) {
			t.Errorf("too large a key: %v", err)
		}
		time.Sleep(time.Minute)
		must(t, m.Set("a", string(make([]byte, 80)), 0)) // both have expired and make room
	})
}

func TestDeleteTellsWhetherThereWasOne(t *testing.T) {
	m := NewMemory(Limits{})
	must(t, m.Set("k", "v", time.Hour))
	for _, want := range []bool{true, false} {
		if got, _ := m.Delete("k"); got != want {
			t.Errorf("Delete = %v, want %v", got, want)
		}
	}
	if m.bytes != 0 || len(m.dying) != 0 {
		t.Error("an entry left something behind")
	}
}

func TestManyMayCountAtOnce(t *testing.T) {
	m := NewMemory(Limits{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				if _, err := m.Incr("n", 1, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	wantValue(t, m, "n", "4000")
}

func TestNumbersAreWrittenPlainly(t *testing.T) {
	for n, want := range map[float64]string{0: "0", -3: "-3", 4930123456789: "4930123456789", 0.5: "0.5", 1e20: "1e+20"} {
		if got := FormatNumber(n); got != want {
			t.Errorf("FormatNumber(%v) = %q, want %q", n, got, want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantValue(t *testing.T, s Store, key, want string) {
	t.Helper()
	if v, ok, err := s.Get(key); v != want || !ok || err != nil {
		t.Errorf("Get(%q) = %q, %v, %v; want %q", key, v, ok, err, want)
	}
}

func wantNone(t *testing.T, s Store, key string) {
	t.Helper()
	if v, ok, _ := s.Get(key); ok {
		t.Errorf("Get(%q) = %q; want none", key, v)
	}
}
