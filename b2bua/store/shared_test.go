package store

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/store/redis"
	"legwork/b2bua/store/redis/redistest"
)

func inRedis(t *testing.T, url string) *Redis {
	t.Helper()
	c, err := redis.Open(redis.Config{URL: url, Timeout: 10 * time.Second})
	must(t, err)
	t.Cleanup(c.Close)
	return NewRedis(c, "legwork:test:", Limits{})
}

// TestRedisAndMemoryAreOneStore asks both the same.
func TestRedisAndMemoryAreOneStore(t *testing.T) {
	for name, s := range map[string]Store{"memory": NewMemory(Limits{}), "redis": inRedis(t, redistest.Start(t).URL())} {
		a, b := "a\x00", "b"
		wantNone(t, s, "k")
		must(t, s.Set("k", a, 0))
		wantValue(t, s, "k", a)
		for _, step := range []struct {
			old, new *string
			want     bool
		}{{nil, &b, false}, {&b, &a, false}, {&a, &b, true}, {&a, nil, false}, {&b, nil, true}, {nil, &a, true}} {
			if ok, err := s.CAS("k", step.old, step.new, time.Hour); ok != step.want || err != nil {
				t.Errorf("%s: CAS %v: %v, %v", name, step, ok, err)
			}
		}
		for _, step := range []struct {
			by   float64
			text string
		}{{1, "1"}, {0.5, "1.5"}, {0.1, "1.6000000000000001"}, {-1.6, "0"}, {1e14, "100000000000000"}, {1e15, "1100000000000000"}} {
			if _, err := s.Incr("n", step.by, time.Hour); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			wantValue(t, s, "n", step.text)
		}
		if _, err := s.Incr("k", 1, 0); !errors.Is(err, ErrNotNumber) {
			t.Errorf("%s: a text counts: %v", name, err)
		}
		if err := s.Set("k", strings.Repeat("x", 65<<10), 0); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range []bool{true, false} {
			if ok, err := s.Delete("k"); ok != want || err != nil {
				t.Errorf("%s: Delete: %v, %v", name, ok, err)
			}
		}
	}
}

func TestTimeToLiveInRedisCountsFromTheFirst(t *testing.T) {
	s := inRedis(t, redistest.Start(t).URL())
	for range 2 {
		if _, err := s.Incr("n", 1, time.Hour); err != nil {
			t.Fatal(err)
		}
		if ttl, err := s.do("PTTL", "legwork:test:n"); err != nil || ttl.(int64) <= 0 {
			t.Errorf("ttl = %v, %v", ttl, err)
		}
	}
	must(t, s.Set("n", "5", 0))
	if _, err := s.Incr("n", 1, time.Hour); err != nil {
		t.Fatal(err)
	}
	if ttl, err := s.do("PTTL", "legwork:test:n"); err != nil || ttl != int64(-1) {
		t.Errorf("ttl = %v, %v", ttl, err)
	}
}

func TestPlacesAreCountedForAllProcesses(t *testing.T) {
	url := redistest.Start(t).URL()
	one, two := inRedis(t, url), inRedis(t, url)
	takes := func(s *Redis, member string, want bool) {
		t.Helper()
		if ok, err := s.Take("line", member, 2, time.Hour); ok != want || err != nil {
			t.Errorf("%s: %v, %v", member, ok, err)
		}
	}
	takes(one, "a", true)
	takes(two, "b", true)
	takes(two, "c", false)
	takes(one, "a", true)
	must(t, one.Release("line", "a"))
	takes(two, "c", true)
	must(t, two.Renew("line", []string{"b", "c"}, time.Hour))
	takes(one, "a", false)
	must(t, two.Renew("line", []string{"b", "c"}, time.Nanosecond))
	for deadline := time.Now().Add(10 * time.Second); ; {
		if ok, err := one.Take("line", "a", 1, time.Hour); ok || err != nil || time.Now().After(deadline) {
			if !ok {
				t.Errorf("places of a process that is gone stay: %v", err)
			}
			return
		}
	}
}

func TestBucketInRedisIsOneForAllProcesses(t *testing.T) {
	url := redistest.Start(t).URL()
	one, two := inRedis(t, url), inRedis(t, url)
	for i, want := range []bool{true, true, true, false} {
		s := one
		if i%2 == 1 {
			s = two
		}
		if ok, err := s.Rate("calls", 0.001, 3); ok != want || err != nil {
			t.Errorf("%d: %v, %v", i, ok, err)
		}
	}
}

func TestServerThatDoesNotAnswerIsLeftAloneForAMoment(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	s := inRedis(t, "redis://"+l.Addr().String())
	for range failuresInRow {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, _, err := s.Within(ctx).Get("k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		cancel()
	}
	if _, _, err := s.Get("k"); !errors.Is(err, ErrAway) {
		t.Errorf("err = %v", err)
	}
}

func TestStoreInRedisComesBackWithItsServer(t *testing.T) {
	server := redistest.Start(t)
	s := inRedis(t, server.URL())
	must(t, s.Set("k", "v", 0))
	server.Stop()
	if _, _, err := s.Get("k"); err == nil {
		t.Error("a dead server answers")
	}
	server.Again()
	must(t, s.Set("k", "w", 0))
	wantValue(t, s, "k", "w")
}
