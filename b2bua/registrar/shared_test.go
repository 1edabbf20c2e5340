package registrar

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"legwork/b2bua/store"
	"legwork/b2bua/store/redis"
	"legwork/b2bua/store/redis/redistest"
)

func TestRegistrarsShareTheirBindingsInRedis(t *testing.T) {
	const phones = 20
	server := redistest.Start(t)
	process := func() *rig {
		c, err := redis.Open(redis.Config{URL: server.URL(), Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return newRig(t, func(config *Config) {
			config.Store, config.MaxBindings = store.NewRedis(c, "legwork:bindings:", store.Limits{}), phones
		})
	}
	one, two := process(), process()
	var all sync.WaitGroup
	for i := range phones {
		r, req := one, request(t, fmt.Sprintf("Call-ID: %d", i), fmt.Sprintf("Contact: <sip:a@192.0.2.%d>", i))
		if i%2 == 1 {
			r = two
		}
		all.Go(func() {
			if res := r.Register(req, Origin{}, 0); res.Code != 200 {
				t.Errorf("%d %v", res.Code, res.Err)
			}
		})
	}
	all.Wait()
	if list, err := one.Lookup(bob); len(list) != phones || err != nil {
		t.Errorf("%d of %d are kept: %v", len(list), phones, err)
	}
	two.accepts(two.register("Call-ID: x", "Expires: 0", "Contact: *"))
	one.holds()
}
