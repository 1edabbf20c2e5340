package lib

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"legwork/b2bua/store/redis"
	"legwork/script/sql"
)

const (
	maxBody       = 1 << 20 // bytes of an answer
	maxCached     = 10_000  // answers one client keeps
	maxCacheBytes = 64 << 20
)

// A clientSpec is how a script defines a client. Clients of equal definition
// are one, in all VMs and generations.
type clientSpec struct {
	base                 string
	timeout              time.Duration
	headers              map[string]string
	ttl, stale, negative time.Duration
	failures             int
	window, open         time.Duration
}

// id is the same for equal definitions only: maps print sorted and quoted.
func (s *clientSpec) id() string {
	return fmt.Sprintf("%q %v %q %v %v %v %v %v %v", s.base, s.timeout, s.headers, s.ttl, s.stale, s.negative, s.failures, s.window, s.open)
}

// A client looks things up at one server for all scripts.
type client struct {
	spec    clientSpec
	host    string // of the base, for metrics
	http    *http.Client
	breaker breaker

	mu      sync.Mutex // guards what follows; never held while the server is asked
	flights map[string]*flight
	cache   *lru[cachedAnswer]
	bytes   int // of cached bodies
}

// An answer is what the server said; it does not change.
type answer struct {
	status int
	body   []byte
}

type cachedAnswer struct {
	*answer
	fresh, stale time.Time // until when
}

func newClient(spec clientSpec, transport http.RoundTripper) *client {
	host := ""
	if base, err := url.Parse(spec.base); err == nil {
		host = base.Host
	}
	return &client{
		spec:    spec,
		host:    host,
		http:    &http.Client{Transport: transport, CheckRedirect: stayAtHost},
		breaker: breaker{failures: spec.failures, window: spec.window, open: spec.open},
		flights: make(map[string]*flight),
		cache:   newLRU[cachedAnswer](maxCached),
	}
}

// stayAtHost follows redirections of a server to itself only: headers with
// secrets are meant for it. Any other is an answer with its 3xx.
func stayAtHost(req *http.Request, via []*http.Request) error {
	if len(via) > 5 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// A lookup is one request of a script.
type lookup struct {
	method  string
	path    string
	query   map[string]string
	headers map[string]string
	body    []byte
	timeout time.Duration
}

// A lookupError is one that scripts see: its text begins with its kind.
type lookupError struct{ kind, text string }

func (e *lookupError) Error() string {
	if e.text == "" {
		return e.kind
	}
	return e.kind + ": " + e.text
}

// The reasons a flight is ended early.
var (
	errTimedOut  = errors.New("nobody waits longer")
	errAbandoned = errors.New("nobody waits any more")
)

// ask answers the look-up from the cache, with another that is in the air, or
// from the server. Any complete answer below 500 is an answer; the rest is a
// *lookupError, unless the cache has an answer that may be served stale.
func (c *client) ask(ctx context.Context, l *lookup) (a *answer, cached bool, err error) {
	if l.method != http.MethodGet {
		a, err = c.fly(ctx, l, "")
		return a, false, err
	}
	key := l.key()
	kept, ok := c.kept(key)
	if ok && time.Now().Before(kept.fresh) {
		return kept.answer, true, nil
	}
	a, err = c.fly(ctx, l, key)
	if err != nil && ok && ctx.Err() == nil && time.Now().Before(kept.stale) {
		return kept.answer, true, nil
	}
	return a, false, err
}

// key is what makes look-ups equal. All is quoted: nobody's number may pass for
// a second parameter.
func (l *lookup) key() string {
	return fmt.Sprintf("%q %q %q", l.path, l.query, l.headers)
}

func (c *client) kept(key string) (cachedAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cache.get(key)
}

func (c *client) keep(key string, a *answer) {
	ttl := time.Duration(0)
	switch {
	case a.status < 300:
		ttl = c.spec.ttl
	case a.status == http.StatusNotFound || a.status == http.StatusGone:
		ttl = c.spec.negative
	}
	if ttl <= 0 {
		return
	}
	now := time.Now()
	kept := cachedAnswer{answer: a, fresh: now.Add(ttl), stale: now.Add(ttl + c.spec.stale)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += len(a.body)
	if gone, ok := c.cache.put(key, kept); ok {
		c.bytes -= len(gone.body)
	}
	for c.bytes > maxCacheBytes {
		gone, _ := c.cache.dropOldest()
		c.bytes -= len(gone.body)
	}
}

// A flight is a request on its way, for all who wait for it. The last one to
// leave ends it.
type flight struct {
	waiting int // guarded by client.mu
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed when answer and err are there
	answer  *answer
	err     error
}

// fly waits for a request to be answered: an equal one in the air if there is
// one and the key is not empty, else its own.
func (c *client) fly(ctx context.Context, l *lookup, key string) (*answer, error) {
	f, err := c.board(l, key)
	if err != nil {
		return nil, err
	}
	patience := time.NewTimer(l.timeout)
	defer patience.Stop()
	select {
	case <-f.done:
		c.leave(f, key, nil)
		return f.answer, f.err
	case <-patience.C:
		c.leave(f, key, errTimedOut)
		return nil, &lookupError{"timeout", fmt.Sprintf("no answer within %v", l.timeout)}
	case <-ctx.Done():
		c.leave(f, key, errAbandoned)
		return nil, ctx.Err()
	}
}

func (c *client) board(l *lookup, key string) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[key]; f != nil && key != "" {
		f.waiting++
		return f, nil
	}
	if !c.breaker.admit() {
		return nil, &lookupError{kind: "breaker open"}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	f := &flight{waiting: 1, cancel: cancel, done: make(chan struct{})}
	if key != "" {
		c.flights[key] = f
	}
	go c.run(ctx, f, l, key)
	return f, nil
}

// leave ends the flight when nobody waits for it. Its place is free at once:
// who comes now starts anew.
func (c *client) leave(f *flight, key string, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.waiting--; f.waiting > 0 {
		return
	}
	c.clear(f, key)
	f.cancel(why)
}

func (c *client) clear(f *flight, key string) {
	if c.flights[key] == f {
		delete(c.flights, key)
	}
}

// run ends with the request; leave cancels it when nobody waits any more.
func (c *client) run(ctx context.Context, f *flight, l *lookup, key string) {
	f.answer, f.err = c.request(ctx, l)
	o := outcomeGood
	switch {
	case errors.Is(context.Cause(ctx), errAbandoned):
		o = outcomeUnknown
	case f.err != nil:
		o = outcomeBad
	}
	c.breaker.settle(o)
	if f.err == nil && key != "" {
		c.keep(key, f.answer)
	}
	c.mu.Lock()
	c.clear(f, key)
	c.mu.Unlock()
	close(f.done)
}

func (c *client) request(ctx context.Context, l *lookup) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, l.method, c.address(l), bytes.NewReader(l.body))
	if err != nil {
		return nil, &lookupError{"bad request", err.Error()}
	}
	for _, headers := range []map[string]string{c.spec.headers, l.headers} {
		for name, value := range headers {
			req.Header.Set(name, value)
			if strings.EqualFold(name, "Host") {
				req.Host = value
			}
		}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, failure(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, failure(err)
	case len(body) > maxBody:
		return nil, &lookupError{"too large", fmt.Sprintf("the answer has more than %d bytes", maxBody)}
	case res.StatusCode >= 500:
		return nil, &lookupError{"status", res.Status}
	}
	return &answer{status: res.StatusCode, body: body}, nil
}

// address joins base, path and query.
func (c *client) address(l *lookup) string {
	to := strings.TrimRight(c.spec.base, "/")
	if l.path != "" {
		to += "/" + strings.TrimLeft(l.path, "/")
	}
	if len(l.query) == 0 {
		return to
	}
	values := url.Values{}
	for _, k := range slices.Sorted(maps.Keys(l.query)) {
		values.Set(k, l.query[k])
	}
	join := "?"
	if strings.Contains(to, "?") {
		join = "&"
	}
	return to + join + values.Encode()
}

// named is the address without a password.
func (c *client) named(l *lookup) string {
	u, err := url.Parse(c.address(l))
	if err != nil {
		return c.host
	}
	return u.Redacted()
}

// failure names what became of a request in few words: scripts branch on them.
func failure(err error) *lookupError {
	var known *lookupError
	if errors.As(err, &known) {
		return known
	}
	var refusal Refusal
	if errors.As(err, &refusal) {
		return &lookupError{kind: string(refusal)}
	}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &lookupError{kind: "refused"}
	case errors.As(err, &dns):
		return &lookupError{"dns", dns.Name}
	case errors.Is(err, sql.ErrTooLarge), errors.Is(err, redis.ErrTooLarge):
		return &lookupError{kind: err.Error()}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &lookupError{kind: "timeout"}
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err // without the address: it may have a secret in it
	}
	return &lookupError{"failed", err.Error()}
}
