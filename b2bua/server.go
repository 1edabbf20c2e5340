// Package b2bua carries calls: every INVITE makes a pair of legs, a UAS towards
// the caller and a UAC towards a callee, and a policy decides what they do.
//
// It knows no Lua, no configuration file and nobody who observes it. Read it in
// the order a call takes: server.go (a message comes in), admit.go (may it?),
// call.go and mailbox.go (who owns a call), route.go (where to), dial.go (one
// target after the other), progress.go, answer.go, relay.go and modify.go
// (requests within the call), timer.go (session timers), hangup.go (goodbye),
// header.go (what crosses). What joins calls anew is an excursion: refer.go (a
// REFER comes), transfer.go, search.go (who is it to be?), aside.go (who waits
// meanwhile), replaces.go, handover.go (legs that move between calls).
//
// What the server does unasked begins in upstream.go: enlist.go registers with
// trunks, probe.go asks their targets whether they are alive.
//
// Requests outside calls begin in outside.go: pair.go relays them, register.go
// and lend.go take registrations, locate.go finds who is registered,
// challenge.go asks who calls, subscription.go carries NOTIFYs.
package b2bua

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"legwork/b2bua/digest"
	"legwork/b2bua/door"
	"legwork/b2bua/message"
	"legwork/b2bua/registrar"
	"legwork/b2bua/store"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// Config is what a Server needs. Policy is required.
type Config struct {
	Policy     Policy
	Observers  []Observer
	Network    transport.Network // nil: the machine's
	Log        *slog.Logger
	UserAgent  string
	T1, T2, T4 time.Duration // 0: RFC 3261's
	MaxMessage int           // bytes; 0: 65535
	UDPMax     int           // bytes; 0: 65000
	// MaxDuration ends a call that its route does not limit; 0: 4 h.
	MaxDuration time.Duration
	Rand        func() float64 // in [0,1); nil: math/rand
	// Dice are the random numbers by which one call's targets are ordered, in [0,1);
	// nil: Rand.
	Dice func(call string) func() float64
	// Name is the id of what a request begins; nil, or "": any.
	Name     func(req *message.Message) string
	Store    store.Store // of relayed registrations; nil: in memory
	Settings Settings
}

// Settings are what may change while calls run; see Server.Apply.
type Settings struct {
	Trunks         *trunk.Table
	UnknownSources Unknown
	DefaultRoute   string // a trunk for calls that no script routes; "": 404
	Limits         Limits
	Realm          string // of challenges made here
	Users          Users  // nil: none are configured
	// Algorithms of challenges made here; nil: SHA-256, then MD5. Offer only
	// what the secrets of all users can check: clients take the first they know.
	Algorithms []digest.Algorithm
	Timer      trunk.Timer
	Registrar  *registrar.Registrar // nil: REGISTER is not taken
	Door       door.Rules           // who is left outside
	Leaks      *Leaks               // nil: none are looked for
}

// Unknown says what happens to requests of no trunk.
type Unknown uint8

// The values of unknown_sources.
const (
	RejectUnknown Unknown = iota // 403
	DropUnknown
	AllowUnknown
)

// Limits bound what is admitted; zero is no limit.
type Limits struct {
	Calls        int
	CPS          float64
	PerSourceCPS float64
	QueueDelay   time.Duration // new calls are refused while the mailboxes lag more
}

// Server turns requests into calls.
type Server struct {
	cfg        Config
	log        *slog.Logger
	ctx        context.Context // ends with the server
	cancel     context.CancelFunc
	layer      *transaction.Layer
	transport  *transport.Transport
	index      *index
	crew       crew
	setting    atomic.Pointer[Settings]
	digest     atomic.Pointer[digest.Server]
	lent       *registrar.Registrar // of the tokens that phones have upstream
	seal       [32]byte             // of the nonces, whatever the settings
	trunks     *trunk.States
	dead       deadEnds
	upstreams  upstreams
	probes     probes
	gate       *gate // of INVITEs
	others     *gate // of other requests outside dialogs
	delay      lag
	active     atomic.Int64 // calls that are not over
	waiting    atomic.Int64 // requests outside dialogs without an answer
	subscribed atomic.Int64 // pairs of subscriptions
	draining   atomic.Bool
	faults     atomic.Int64
	malformed  atomic.Int64
	refused    refusals
	door       *door.Door
	held       held
	leaks      leaks
	strangers  rate.Sometimes // how often they are logged
	bansTold   rate.Sometimes
	watchers   []Watcher // among the observers
}

// New makes a server that listens nowhere yet.
func New(cfg Config) (*Server, error) {
	if cfg.Policy == nil {
		return nil, errors.New("b2bua: a policy is required")
	}
	cfg.defaults()
	s := &Server{cfg: cfg, log: cfg.Log, index: newIndex(), gate: newGate(), others: newGate(), trunks: trunk.NewStates(), leaks: newLeaks(), strangers: rate.Sometimes{Interval: time.Second}, bansTold: rate.Sometimes{First: 20, Interval: time.Second}}
	s.trunks.Rests = s.rests
	s.door = s.newDoor()
	_, _ = rand.Read(s.seal[:]) // never fails (crypto/rand)
	for _, one := range cfg.Observers {
		if w, ok := one.(Watcher); ok {
			s.watchers = append(s.watchers, w)
		}
	}
	lent, err := newLender(cfg.Store)
	if err != nil {
		return nil, err
	}
	s.lent = lent
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.layer = transaction.New(transaction.Config{
		Send: func(f transport.Flow, b []byte, failed func(error)) { s.transport.Send(f, b, failed) },
		Core: s, Alias: s.alias, Wide: func(f transport.Flow) (transport.Flow, bool) { return s.transport.Wide(f) }, T1: cfg.T1, T2: cfg.T2, T4: cfg.T4,
	})
	s.transport = transport.New(transport.Config{
		Handler: s.layer.Receive, Refused: s.layer.Refused,
		Malformed: s.malformedBy, Turned: s.keepsOut, Network: cfg.Network, Rand: cfg.Rand,
		Log: cfg.Log, MaxMessage: cfg.MaxMessage, UDPMax: cfg.UDPMax,
	})
	if err := s.Apply(cfg.Settings); err != nil {
		return nil, err
	}
	return s, nil
}

func (cfg *Config) defaults() {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Rand == nil {
		cfg.Rand = mathrand.Float64
	}
	cfg.T1, cfg.T2 = orDefault(cfg.T1, 500*time.Millisecond), orDefault(cfg.T2, 4*time.Second)
	cfg.MaxDuration = orDefault(cfg.MaxDuration, 4*time.Hour)
}

// Listen opens a listener and returns its sockets.
func (s *Server) Listen(c transport.ListenerConfig) ([]*transport.Listener, error) {
	return s.transport.Listen(c)
}

// Apply replaces the settings; calls in progress keep the trunks they have.
func (s *Server) Apply(settings Settings) error {
	if settings.Trunks == nil {
		empty, err := trunk.NewTable(nil, nil)
		if err != nil {
			return err
		}
		settings.Trunks = empty
	}
	if name := settings.DefaultRoute; name != "" {
		if settings.Trunks.Get(name) == nil {
			return fmt.Errorf("default_route names the trunk %q, which does not exist", name)
		}
	}
	if err := s.offer(settings.Algorithms); err != nil {
		return err
	}
	s.door.Apply(settings.Door)
	s.trunks.Follow(settings.Trunks)
	s.setting.Store(&settings)
	for _, name := range settings.Trunks.Names() {
		s.turned(name)
	}
	s.enlist(settings.Trunks)
	s.probe(settings.Trunks)
	return nil
}

// offer makes challenges with these algorithms. Nonces under way stay good
// unless they change.
func (s *Server) offer(algorithms []digest.Algorithm) error {
	if now := s.setting.Load(); now != nil && slices.Equal(now.Algorithms, algorithms) {
		return nil
	}
	d, err := digest.NewServer(digest.Config{Secret: s.seal[:], Algorithms: algorithms})
	if err != nil {
		return err
	}
	s.digest.Store(d)
	return nil
}

func (s *Server) settings() *Settings { return s.setting.Load() }

// Request takes a new transaction: one in a dialog goes to its call, an INVITE
// makes one, the rest is answered here. It runs in the reader's goroutine.
func (s *Server) Request(tx *transaction.Server, req *message.Message, f transport.Flow) {
	if tag := req.ToTag(); tag != "" {
		s.requestInDialog(tx, req, f, tag)
		return
	}
	s.admit(tx, req, f)
}

// requestInDialog gives a request to whoever knows its dialog.
func (s *Server) requestInDialog(tx *transaction.Server, req *message.Message, f transport.Flow, tag string) {
	p := s.index.party(req.CallID(), tag)
	if p == nil {
		s.unheardOf(tx, req, f)
		return
	}
	if tags := s.unsupported(req); tags != "" {
		s.answer(tx, req, 420, message.Header{Name: "Unsupported", Value: tags})
		return
	}
	if spent(req.Get("Max-Forwards")) && req.Method != "BYE" {
		s.answer(tx, req, 483)
		return
	}
	p.request(tx, req, tag)
}

// begin makes a call of an INVITE. 100 goes out before anything else is asked.
func (s *Server) begin(in *admitted) {
	c := s.newCall(in)
	if !s.index.admit(c, in.mergeKey) {
		c.router.Close()
		c.freeTrunk(c.a)
		s.refuse(in.tx, in.req, refusedLoop, 482)
		return
	}
	s.active.Add(1)
	trying := in.req.Respond(100, "", "")
	in.tx.Respond(trying)
	c.post(invited{posted: time.Now()})
}

// Cancel takes the CANCEL of an INVITE that has no final response yet.
func (s *Server) Cancel(tx *transaction.Server, cancel *message.Message) {
	var c *Call
	if tag := cancel.ToTag(); tag != "" {
		if l := s.index.leg(cancel.CallID(), tag); l != nil {
			c = l.call
		}
	} else {
		c = s.index.ofInvite(mergeKey(cancel))
	}
	if c == nil {
		s.held.cancel(mergeKey(cancel))
		return
	}
	c.post(cancelled{tx, cancel})
}

// ACK takes the ACK of a 2xx of ours.
func (s *Server) ACK(ack *message.Message, f transport.Flow) {
	if p := s.index.party(ack.CallID(), ack.ToTag()); p != nil {
		p.acked(ack, f)
	}
}

// Stray drops a response that no transaction waits for (RFC 3261 section
// 18.1.2 lets a UAC do so).
func (s *Server) Stray(res *message.Message, f transport.Flow) {
	s.log.Debug("response without a transaction", "code", res.Status, "source", f.Remote.String())
}

// answer answers a request that makes no call.
func (s *Server) answer(tx *transaction.Server, req *message.Message, code int, headers ...message.Header) {
	res := req.Respond(code, "", s.newTag())
	for _, h := range headers {
		res.Set(h.Name, h.Value)
	}
	if s.cfg.UserAgent != "" {
		res.Set("Server", s.cfg.UserAgent)
	}
	if req.Method == "INVITE" && code >= 300 {
		t, _ := s.settings().neighbour(tx.Flow())
		tellRefusal(t, req, res)
		explain(t, res)
	}
	tx.Respond(res)
	s.watchOwn(tx.Source(), "", res, tx.Sent())
}

// forget takes a call out of the index.
func (s *Server) forget(c *Call) { s.index.forget(c, c.mergeKey) }

// Drain stops admitting calls, leaves the registrars, waits until no call is
// left or ctx ends, and then hangs up the rest, and all subscriptions
// (design/house.md, "Shutdown").
func (s *Server) Drain(ctx context.Context) {
	s.draining.Store(true)
	resigned, patience := s.resign(), time.NewTimer(8*s.cfg.T1)
	defer patience.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for s.active.Load()+s.waiting.Load() > 0 && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	if s.active.Load()+s.subscribed.Load() > 0 {
		s.hangUpAll(tick)
	}
	select {
	case <-resigned:
	case <-patience.C:
	}
}

// hangUpAll says goodbye to every call and gives the answers a moment.
func (s *Server) hangUpAll(tick *time.Ticker) {
	for _, c := range s.index.all() {
		c.post(hangUp{code: 503, by: "shutdown"})
	}
	for _, t := range s.index.subscriptions() {
		t.post(hangUp{code: 503, by: "shutdown"})
	}
	for limit := time.Now().Add(8 * s.cfg.T1); s.index.size() > 0 && time.Now().Before(limit); {
		<-tick.C
	}
}

// Close ends everything at once; Drain comes first.
func (s *Server) Close() {
	s.draining.Store(true)
	s.cancel()
	s.layer.Close()
	s.transport.Close()
	s.crew.close()
}

// newTag makes a tag of 64 random bits (RFC 3261 section 19.3).
func (s *Server) newTag() string { return randomHex(8) }

func (s *Server) newCallID() string { return randomHex(16) }

// newID is for what a request begins; nil: something of our own.
func (s *Server) newID(req *message.Message) string {
	if s.cfg.Name != nil && req != nil {
		if name := s.cfg.Name(req); name != "" {
			return name
		}
	}
	return randomHex(8)
}

func randomHex(n int) string {
	var b [16]byte
	_, _ = rand.Read(b[:n]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:n])
}
