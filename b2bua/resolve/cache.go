package resolve

import (
	"context"
	"errors"
	"time"

	"github.com/miekg/dns"
)

// What one client remembers and does at a time.
const (
	maxKept    = 8192
	maxFlights = 1024
)

var errBusy = errors.New("too many look-ups at once")

// key is a question: a name in lower case with its final dot, and a type.
type key struct {
	name string
	kind uint16
}

// kept is an answer, also that there is none.
type kept struct {
	records      []dns.RR
	err          error
	until, stale time.Time // good; better than none, while servers are dead (RFC 8767)
}

// flight is a question under way, for all who wait for it. It outlives those who
// go: the next one finds its answer in the cache.
type flight struct {
	done chan struct{} // closed when what follows is there
	kept
}

// find answers from the cache, with a question under way, or with a new one.
func (c *Client) find(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	if _, ok := dns.IsDomainName(name); !ok {
		return nil, ErrNotFound
	}
	k := key{dns.CanonicalName(name), kind}
	c.mu.Lock()
	if one, ok := c.cache[k]; ok && time.Now().Before(one.until) {
		c.mu.Unlock()
		return one.records, one.err
	}
	f := c.flights[k]
	if f == nil {
		if c.closed || len(c.flights) >= maxFlights {
			c.mu.Unlock()
			return nil, errBusy
		}
		f = &flight{done: make(chan struct{})}
		c.flights[k] = f
		c.work.Go(func() { c.fly(k, f) })
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.records, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// old is the last answer that is better than none.
func (c *Client) old(name string, kind uint16) []dns.RR {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.cache[key{dns.CanonicalName(name), kind}]; time.Now().Before(one.stale) {
		return one.records
	}
	return nil
}

// fly asks and keeps the answer, or the old one while servers are dead.
func (c *Client) fly(k key, f *flight) {
	ctx, cancel := context.WithTimeout(c.ctx, questionLimit)
	defer cancel()
	records, age, err := c.ask(ctx, k)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	f.kept = kept{records, err, now.Add(age), now.Add(age + staleAge)}
	if old := c.cache[k]; err != nil && !errors.Is(err, ErrNotFound) && len(old.records) > 0 && now.Before(old.stale) {
		f.kept = kept{old.records, nil, now.Add(staleAgain), old.stale}
	}
	c.keep(k, f.kept, now)
	delete(c.flights, k)
	close(f.done)
}

// keep makes room for an answer: first by those that are too old, else by any.
func (c *Client) keep(k key, one kept, now time.Time) {
	if len(c.cache) >= maxKept {
		for other, old := range c.cache {
			if now.After(old.until) {
				delete(c.cache, other)
			}
		}
		for other := range c.cache {
			if len(c.cache) < maxKept {
				break
			}
			delete(c.cache, other)
		}
	}
	c.cache[k] = one
}
