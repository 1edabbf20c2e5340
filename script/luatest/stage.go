package luatest

import (
	"cmp"
	"context"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing/synctest"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/capture"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
	"legwork/script"
	"legwork/script/canned"
	"legwork/script/lib"
	"legwork/script/lua"
)

// stage is one test's world: an engine with the scripts, an agent that is
// every callee, and the callers. It lives in the bubble of one test.
type stage struct {
	cfg      *Config
	near     *neighbours
	network  *simnet.Network
	log      *log
	ring     *capture.Ring
	server   *b2bua.Server
	policy   *script.Policy
	shared   *lib.Env
	callees  []*simnet.Agent // over UDP, and over TCP and TLS, at one address
	folder   fs.FS           // of the test's file
	compiled *lua.Compiled
	stubs    *canned.Stubs
	stubbed  bool          // the test has stubs
	asked    chan asking   // look-ups that a function of the test answers
	answer   func(asking)  // answers one, on the test's VM
	over     chan struct{} // closed when nobody answers any more
	news     chan struct{} // something has reached an agent; has room for one

	// plays takes the place of what a leg's phone does by itself; nil: nothing
	// does. It is called with mu held.
	plays func(l *leg) (take func(*simnet.Incoming) (then func()))

	mu      sync.Mutex               // guards all below and what they point to
	story   map[string][]b2bua.Event // decisions and messages by the engine's id of the call
	told    int                      // events in it
	calls   []*call
	byCall  map[string]*call  // by the engine's id
	claims  map[string]string // engine's id by a B leg's key
	legs    map[string]*leg   // by Call-ID and the tag that tells legs apart
	callers []*simnet.Agent
}

// quiet is the network of a test. Agents need no certificates to be called over
// TLS.
type quiet struct{ *simnet.Network }

// Private makes it a transport.Private.
func (quiet) Private() {}

// Sockets of the engine; agents take the one that they can reach.
const (
	engine4    = "192.0.2.10:5060"
	engine6    = "[2001:db8::10]:5060"
	engineLoop = "127.9.9.9:5060"
	forTLS     = "5061" // their port for it
	calleeAddr = "192.0.2.250:5060"
)

func engineFor(a netip.Addr) string {
	switch {
	case a.Is6():
		return engine6
	case a.IsLoopback():
		return engineLoop
	}
	return engine4
}

// build starts the engine; an error leaves nothing behind.
func build(cfg *Config, compiled *lua.Compiled, seed uint64) (*stage, error) {
	s := &stage{
		cfg: cfg, network: simnet.New(cfg.faults), log: &log{}, ring: capture.New(maxCalls),
		compiled: compiled, stubs: canned.New(cfg.style), asked: make(chan asking), over: make(chan struct{}), news: make(chan struct{}, 1),
		byCall: map[string]*call{}, claims: map[string]string{}, legs: map[string]*leg{}, story: map[string][]b2bua.Event{},
	}
	s.folder = cfg.Source.FS
	if s.folder == nil {
		s.folder = os.DirFS(filepath.Dir(cfg.Source.Path))
	}
	for _, step := range []func(uint64) error{s.meet, s.openServer, s.loadScripts, s.openAgents} {
		if err := step(seed); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *stage) meet(uint64) (err error) {
	s.near, err = meet(s.cfg.Trunks)
	return err
}

func (s *stage) openServer(seed uint64) error {
	return s.listen(asked{s}, []b2bua.Observer{&scribe{Ring: s.ring, open: map[string]*b2bua.Record{}}, s}, slog.New(s.log), seed)
}

// listen starts the server.
func (s *stage) listen(policy b2bua.Policy, observers []b2bua.Observer, log *slog.Logger, seed uint64) (err error) {
	cfg := s.cfg.Server
	cfg.Policy, cfg.Observers, cfg.Network, cfg.Log = policy, observers, quiet{s.network}, log
	cfg.Rand = random(seed)
	cfg.Settings.Trunks, cfg.Settings.Realm = s.near.table, s.realm()
	if s.cfg.Registrar != nil {
		if cfg.Settings.Registrar, err = s.cfg.Registrar(); err != nil {
			return err
		}
	}
	if s.server, err = b2bua.New(cfg); err != nil {
		return err
	}
	for _, addr := range []string{engine4, engine6, engineLoop} {
		for _, network := range networks() {
			if _, err := s.server.Listen(transport.ListenerConfig{Name: network, Network: network, Address: addr}); err != nil {
				return err
			}
		}
		host, _, _ := net.SplitHostPort(addr)
		if _, err := s.server.Listen(transport.ListenerConfig{Name: "tls", Network: "tls", Address: net.JoinHostPort(host, forTLS)}); err != nil {
			return err
		}
	}
	return nil
}

// realm is the configured one, or what a configuration without one has.
func (s *stage) realm() string { return cmp.Or(s.cfg.Server.Settings.Realm, "legwork") }

// asked passes the engine's questions on: the server is made before the policy.
type asked struct{ *stage }

func (a asked) Router(h b2bua.Handle) b2bua.Router { return a.policy.Router(h) }

func (s *stage) loadScripts(seed uint64) (err error) {
	cfg := s.cfg.Lib
	cfg.Rand, cfg.Log, cfg.Store, cfg.ReasonPhrase = rand.NewPCG(seed, 2), slog.New(s.log), nil, message.ReasonPhrase
	if s.cfg.Record != nil {
		cfg.Lookups = s.cfg.Record
	} else {
		cfg.Transport, cfg.Lookups = s.stubs, s.stubs // nothing leaves from a test
	}
	if s.shared, err = lib.NewEnv(cfg); err != nil {
		return err
	}
	s.policy, err = script.New(context.Background(), script.Config{
		Source: s.cfg.Source, Trunks: func() *trunk.Table { return s.near.table }, States: s.server.Trunks(),
		Lib: s.shared, Log: slog.New(s.log), Machines: 1, Realm: s.realm, Compiled: s.compiled, Cover: s.cfg.cover, Played: true,
	})
	return err
}

func (s *stage) openAgents(uint64) error {
	for _, network := range networks() {
		a, err := simnet.NewAgent(s.network, network, calleeAddr)
		if err != nil {
			return err
		}
		a.Hear(func(in *simnet.Incoming) { s.hear(a, in) })
		s.callees = append(s.callees, a)
		s.network.Everyone(a.Addr)
	}
	return nil
}

func networks() []string { return []string{"udp", "tcp"} }

// caller makes an agent for one call. Its port is none that a trunk listens at.
func (s *stage) caller(at netip.Addr) (*simnet.Agent, error) {
	a, err := simnet.NewAgent(s.network, "udp", netip.AddrPortFrom(at, uint16(61000+len(s.callers)%4000)).String())
	if err != nil {
		return nil, err
	}
	s.callers = append(s.callers, a)
	a.Hear(func(in *simnet.Incoming) { s.hear(a, in) })
	return a, nil
}

// settle lets all that can happen now happen; no time passes.
func (s *stage) settle() {
	for {
		synctest.Wait()
		select {
		case one := <-s.asked:
			s.answer(one)
		default:
			return
		}
	}
}

// pass lets time pass.
func (s *stage) pass(d time.Duration) {
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		select {
		case one := <-s.asked:
			s.answer(one)
		case <-end.C:
			s.settle()
			return
		}
	}
}

// close hangs up what is left and ends everything.
func (s *stage) close() {
	close(s.over)
	if s.server != nil {
		hurry, cancel := context.WithCancel(context.Background())
		cancel()
		s.server.Drain(hurry)
		s.server.Close()
	}
	if s.policy != nil {
		s.policy.Close()
	}
	if s.shared != nil {
		s.shared.Close()
	}
	for _, a := range append(s.callers, s.callees...) {
		a.Close()
	}
}

// ladders draws the last calls of the test.
func (s *stage) ladders() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var drawn []string
	for _, c := range s.calls[max(0, len(s.calls)-maxLadders):] {
		if text, ok := s.ring.Ladder(c.engine, capture.Style{}); ok {
			drawn = append(drawn, text)
		}
	}
	return drawn
}

// random is the same in every run. It serves several goroutines.
func random(seed uint64) func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 1))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}
