package lib

import (
	"testing"
	"time"

	"legwork/b2bua/store"
	"legwork/b2bua/store/redis"
	"legwork/b2bua/store/redis/redistest"
)

// shares is a rig of a process that shares its store.
func shares(t *testing.T, url string) *rig {
	t.Helper()
	c, err := redis.Open(redis.Config{URL: url, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := newRig(t, Config{Store: store.NewRedis(c, "legwork:scripts:", store.Limits{})})
	r.owner = &aCall{}
	return r
}

func TestStoreInRedisIsOneForAllProcesses(t *testing.T) {
	url := redistest.Start(t).URL()
	one, two := shares(t, url), shares(t, url)
	one.asks(`print(b2b.store:set("k", {a = {1, "x"}}), b2b.store:incr("n", 2))`, "true\t2")
	two.asks(`print(b2b.store:get("k").a[2], b2b.store:incr("n"), b2b.store:cas("n", 3, "three"), b2b.store:get("n"), b2b.store:delete("k"))`, "x\t3\ttrue\tthree\ttrue")
	one.wants(`print(b2b.store:get("k"), b2b.store:get("n"))`, "nil\tthree") // in a hook that may not wait, too
	one.refuses(`b2b.store:incr("n")`, "value is not a number")
}

func TestConcurrentLimitIsOneForAllProcesses(t *testing.T) {
	url := redistest.Start(t).URL()
	one, two := shares(t, url), shares(t, url)
	const take = `print(b2b.limit.concurrent("line", 2))`
	one.asks(take, "true")
	first := one.owner.(*aCall)
	one.owner = &aCall{}
	one.asks(take, "true")
	one.asks(take, "true") // the same call
	two.asks(take, "false")
	two.wants(take, "false")
	first.end()
	for got, deadline := "", time.Now().Add(10*time.Second); got != "true"; { // it is given back soon
		var err error
		if got, err = two.run(t.Context(), true, take); err != nil || time.Now().After(deadline) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	one.env.keeper.close() // as at a shutdown
	two.owner = &aCall{}
	two.asks(take, "true")
	two.owner = &aCall{}
	two.asks(take, "false")
}

func TestRateLimitIsOneForAllProcesses(t *testing.T) {
	url := redistest.Start(t).URL()
	one, two := shares(t, url), shares(t, url)
	const take = `print(b2b.limit.rate("calls", 0.001, 2))`
	one.asks(take, "true")
	two.asks(take, "true")
	one.asks(take, "false")
	two.wants(take, "false")
}

func TestLimitsAreThoseOfTheProcessWhileRedisIsAway(t *testing.T) {
	s := redistest.Start(t)
	r := shares(t, s.URL())
	s.Stop()
	const take = `print(b2b.limit.concurrent("line", 1), b2b.limit.rate("calls", 0.001, 1))`
	r.asks(take, "true\ttrue")
	r.owner = &aCall{}
	r.asks(take, "false\tfalse")
	if got, err := r.run(t.Context(), true, `print(b2b.store:get("k"))`); err != nil || got != "nil\trefused" && got != "nil\tfailed: redis does not answer" {
		t.Errorf("%q, %v", got, err)
	}
	s.Again()
	for deadline := time.Now().Add(10 * time.Second); ; { // it is left alone for a moment
		if _, _, err := r.env.remote.Within(t.Context()).Get("k"); err == nil || time.Now().After(deadline) {
			break
		}
	}
	r.env.keeper.renew(t.Context()) // counts there what was taken meanwhile
	other := shares(t, s.URL())
	other.asks(`print(b2b.limit.concurrent("line", 1))`, "false")
}
