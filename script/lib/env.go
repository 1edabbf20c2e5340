package lib

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"legwork/b2bua/store"
)

// maxClients bounds b2b.http.client: definitions, not calls of it.
const maxClients = 100

// Config is what the process gives its scripts. Only ReasonPhrase is required.
type Config struct {
	Store   store.Store           // nil: an empty Memory
	Metrics prometheus.Registerer // where metrics of scripts are seen; nil: nowhere
	// Getenv reads a variable that scripts may see: allowed is false for one
	// they may not. Nil: they may see none.
	Getenv func(name string) (value string, set, allowed bool)
	// AllowEnv says in an error how to allow one.
	AllowEnv string
	// Transport carries HTTP requests; nil: one of its own, without proxies.
	Transport http.RoundTripper
	Redis     map[string]Redis // those of b2b.redis, by name
	SQL       map[string]SQL   // those of b2b.sql, by name
	DNS       DNS              // nil: Nowhere
	Lookups   Lookups          // stands before all of the above but the store; nil: nothing does
	Fate      Fate             // what else a call meets; nil: what comes
	Rand      rand.Source      // nil: the runtime's, which cannot be guessed
	Log       *slog.Logger     // nil: scripts log nothing
	// ReasonPhrase is the standard phrase of a status code.
	ReasonPhrase func(code int) string
}

// An Env is what all VMs of all generations share, so that a reload keeps
// values, limits, connections and caches. It may be used from any goroutine.
type Env struct {
	cfg      Config
	slots    *slots
	buckets  *buckets
	calendar *calendar
	patterns *patterns
	meters   *meters
	rand     *rand.Rand
	own      *http.Transport // nil when the transport is not ours
	lookups  *lookups
	remote   store.Remote // the store, when it is over a network; else nil
	keeper   *keeper      // of places there; else nil
	apart    bool         // of scripts that run for a trial
	blind    bool         // apart from a store over a network, which it does not ask

	mu      sync.Mutex // guards clients
	clients map[string]*client
}

// NewEnv makes an Env. Close it when the last script has ended.
func NewEnv(cfg Config) (*Env, error) {
	if cfg.ReasonPhrase == nil {
		return nil, errors.New("script libraries: no reason phrases")
	}
	if cfg.Store == nil {
		cfg.Store = store.NewMemory(store.Limits{})
	}
	if cfg.DNS == nil {
		cfg.DNS = Nowhere{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Env{
		cfg: cfg, buckets: newBuckets(), calendar: newCalendar(), patterns: newPatterns(),
		meters: newMeters(cfg.Metrics), rand: newRand(cfg.Rand), clients: make(map[string]*client),
	}
	var err error
	if e.lookups, err = newLookups(cfg.Metrics, cfg.Log); err != nil {
		return nil, fmt.Errorf("script libraries: %w", err)
	}
	e.share()
	if cfg.Transport == nil {
		e.own = &http.Transport{
			MaxIdleConns: 256, MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		}
		e.cfg.Transport = e.own
	}
	return e, nil
}

// share begins to use a store that other processes have too.
func (e *Env) share() {
	remote, ok := e.cfg.Store.(store.Remote)
	if !ok {
		e.slots = newSlots(nil)
		return
	}
	e.remote = remote
	e.keeper = newKeeper(remote, uuid(e.rand)+".", func(err error) { e.lookups.warn("store", "shared", err) })
	e.slots = newSlots(e.keeper.release)
}

// Float64 is the source of math.random in a hook of that call, "" outside of
// any: a number in [0,1). m may be nil.
func (e *Env) Float64(call string, m Memo) float64 {
	dice := e.dice(call)
	if m != nil {
		dice = rand.New(m.Draws(dice))
	}
	return dice.Float64()
}

// Close lets idle connections go, and gives back what is held in a shared store.
func (e *Env) Close() {
	if e.keeper != nil {
		e.keeper.close()
	}
	if e.own != nil {
		e.own.CloseIdleConnections()
	}
}

// client is the one of this definition; nil when there are too many.
func (e *Env) client(spec clientSpec) *client {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := spec.id()
	c := e.clients[id]
	if c == nil && len(e.clients) < maxClients {
		c = newClient(spec, e.cfg.Transport)
		e.clients[id] = c
	}
	return c
}

// newRand makes a generator that may be used from any goroutine.
func newRand(source rand.Source) *rand.Rand {
	if source == nil {
		return rand.New(runtimeSource{})
	}
	return rand.New(&lockedSource{source: source})
}

// runtimeSource is the generator of the runtime, seeded by the system.
type runtimeSource struct{}

func (runtimeSource) Uint64() uint64 { return rand.Uint64() }

type lockedSource struct {
	mu     sync.Mutex // guards source
	source rand.Source
}

func (s *lockedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.Uint64()
}
