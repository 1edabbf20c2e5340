package luatest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
	"legwork/script"
	"legwork/script/canned"
	"legwork/script/journal"
	"legwork/script/lib"
	"legwork/script/lua"
)

// Rerun plays calls of a log of decisions again.
type Rerun struct {
	Unknown Callee // what a target does that was not called before
	Stubs   []canned.Stub
	// Ran hears of each call that is asked for when it is over, one after the other.
	Ran func(Again)
}

// Call is one that is to be played again.
type Call struct {
	journal.Packed
	Asked bool // not merely in progress when one began that is asked for
}

// Again is a call that was played again.
type Again struct {
	Call    Call
	Was, Is *journal.Entry // Is nil: no script was asked about it
	Needs   []string       // look-ups that it made and nothing answers
	Unknown []string       // targets that were not called before
	Errors  []string       // of the scripts
}

// rerun is a world in which many calls are played, each at its own time and all
// that went on together together. It lives in one bubble.
type rerun struct {
	*stage
	order Rerun
	log   *journal.Log
	stubs *canned.Stubs
	agent map[netip.Addr]*simnet.Agent // of callers; the player's alone

	mu       sync.Mutex // guards all below and what they point to
	runs     map[string]*run
	byKey    map[string]*run    // by the key of the caller's leg
	legs     map[string]*party  // by the key of a callee's
	refusing int                // parties in legs that refuse
	playing  map[*run]time.Time // and when each began
	idle     chan struct{}      // gets one when none is left
}

// run is one call that is played.
type run struct {
	world  *rerun
	was    *journal.Entry
	again  Again
	parts  []*part
	met    map[string][]*journal.Met
	caller *party
	key    string // of the caller's leg
	named  bool
	shows  showing
	engine string // the engine's id of the call
	closed bool
}

// PlayAgain plays the calls, which are in the order in which they began. The
// error is that of scripts that can't be loaded.
func PlayAgain(cfg Config, with Rerun, calls []Call) (err error) {
	if len(calls) == 0 {
		return nil
	}
	cfg.Bubble(func() {
		// Scripts ask for the time of day: theirs is that of the calls.
		time.Sleep(time.Until(calls[0].Began.Add(-time.Second)))
		var w *rerun
		if w, err = newRerun(&cfg, with); err != nil {
			return
		}
		defer w.close()
		for _, c := range calls {
			time.Sleep(time.Until(c.Began))
			if err = w.play(c); err != nil {
				return
			}
		}
		w.wait()
	})
	return err
}

// newRerun starts the engine; an error leaves nothing behind.
func newRerun(cfg *Config, with Rerun) (*rerun, error) {
	w := &rerun{
		order: with, stubs: canned.New(canned.JSON), agent: map[netip.Addr]*simnet.Agent{},
		runs: map[string]*run{}, byKey: map[string]*run{}, legs: map[string]*party{}, playing: map[*run]time.Time{}, idle: make(chan struct{}, 1),
	}
	if err := w.stubs.Add(with.Stubs...); err != nil {
		return nil, err
	}
	w.log, _ = journal.Open(journal.Config{Keep: w.keep}) // it has no files that could fail
	mine := *cfg
	mine.Trunks = slices.Clone(cfg.Trunks)
	for i := range mine.Trunks { // whom a limit refused is in the log
		mine.Trunks[i].Limits = trunk.Limits{}
	}
	mine.Server.Settings.Limits, mine.Server.Settings.UnknownSources = b2bua.Limits{}, b2bua.AllowUnknown
	mine.Server.Dice, mine.Server.Name = w.log.Dice, w.name
	w.stage = &stage{
		cfg: &mine, network: simnet.New(simnet.Faults{}), compiled: &lua.Compiled{}, over: make(chan struct{}),
	}
	for _, step := range []func() error{w.meetAll, w.openAll, w.loadAll, w.callAll} {
		if err := step(); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (w *rerun) meetAll() error { return w.stage.meet(0) }

func (w *rerun) openAll() error {
	return w.listen(again{w}, []b2bua.Observer{w.log, w}, slog.New(slog.DiscardHandler), 1)
}

func (w *rerun) loadAll() (err error) {
	cfg := w.cfg.Lib
	cfg.Log, cfg.Store, cfg.ReasonPhrase = nil, nil, message.ReasonPhrase
	cfg.Transport, cfg.Lookups, cfg.Fate = w.stubs, w, w // nothing leaves from here
	if w.shared, err = lib.NewEnv(cfg); err != nil {
		return err
	}
	w.policy, err = script.New(context.Background(), script.Config{
		Source: w.cfg.Source, Trunks: func() *trunk.Table { return w.near.table }, States: w.server.Trunks(),
		Lib: w.shared, Log: slog.New(slog.DiscardHandler), Machines: 1, Realm: w.realm, Compiled: w.compiled, Played: true,
	})
	return err
}

// callAll makes the agent that is every callee.
func (w *rerun) callAll() error {
	for _, network := range networks() {
		a, err := simnet.NewAgent(w.network, network, calleeAddr)
		if err != nil {
			return err
		}
		a.Hear(func(in *simnet.Incoming) { w.hear(a, in) })
		w.callees = append(w.callees, a)
		w.network.Everyone(a.Addr)
	}
	w.network.Refuse(w.refuses)
	return nil
}

// play begins a call. The error is that of one that can not be unpacked.
func (w *rerun) play(c Call) error {
	e, err := c.Entry()
	if err != nil {
		return err
	}
	r := &run{world: w, was: e, again: Again{Call: c, Was: e}, parts: partsOf(e), met: map[string][]*journal.Met{}}
	for i := range e.Met {
		m := &e.Met[i]
		id := identityOf(m.Kind, m.Key, m.Values)
		r.met[id] = append(r.met[id], m)
	}
	w.sync(e)
	if err := r.begin(); err != nil {
		r.again.Errors = append(r.again.Errors, err.Error())
		w.mu.Lock()
		w.finish(r)
		w.mu.Unlock()
	}
	return nil
}

// begin sends the caller's INVITE.
func (r *run) begin() error {
	w, e := r.world, r.was
	m, err := parseText(e.Invite())
	if err != nil {
		return fmt.Errorf("the INVITE can not be played: %w", err)
	}
	agent, err := w.from(e)
	if err != nil {
		return err
	}
	m.Raw = nil
	m.Del("Via")
	if e.Source.Account != "" { // of whom we know that he has proved himself
		m.Del("Authorization")
		m.Del("Proxy-Authorization")
	}
	r.key = keyOf(m.CallID(), m.FromTag())
	r.caller = &party{run: r, agent: agent, peer: engineFor(agent.Addr.Addr()), invite: m, calls: true}
	w.mu.Lock()
	if w.byKey[r.key] != nil {
		w.mu.Unlock()
		return fmt.Errorf("a call of the same Call-ID and tag goes on")
	}
	w.byKey[r.key] = r
	w.playing[r] = time.Now()
	w.mu.Unlock()
	client, err := agent.Send(m, r.caller.peer)
	if err != nil {
		return err
	}
	if after, gaveUp := moment(e, "CANCEL", true); gaveUp {
		time.AfterFunc(after, func() { r.caller.giveUp(func() { client.Cancel("") }) })
	}
	return nil
}

// from is the agent that a call comes from: one at the address that it came
// from, if that still belongs to its trunk.
func (w *rerun) from(e *journal.Entry) (*simnet.Agent, error) {
	at, err := netip.ParseAddr(e.Source.IP)
	if err != nil {
		return nil, fmt.Errorf("the call came from %q, which is no address", e.Source.IP)
	}
	if one, _ := w.near.table.Match(at); e.Source.Trunk != "" && (one == nil || one.Name != e.Source.Trunk) {
		if source, ok := w.near.sources[e.Source.Trunk]; ok && one == nil {
			at = source
		}
	}
	if a := w.agent[at]; a != nil {
		return a, nil
	}
	a, err := w.caller(at)
	if err != nil {
		return nil, err
	}
	a.Hear(func(in *simnet.Incoming) { w.hear(a, in) })
	w.agent[at] = a
	return a, nil
}

// sync makes those down who were down when the call began.
func (w *rerun) sync(e *journal.Entry) {
	states := w.server.Trunks()
	for _, name := range w.near.table.Names() {
		one, state := w.near.table.Get(name), states.Of(name)
		state.Enable(!slices.Contains(e.Off, name))
		for _, target := range one.Targets {
			until := time.Time{}
			if slices.Contains(e.Down, name+" "+target.URI) {
				until = time.Now().Add(time.Hour) // the next call says more
			}
			state.Rest(target.URI, until)
			for range healthOf(one).UpAfter { // whoever was down rests
				state.Heard(target.URI)
			}
		}
	}
}

func healthOf(t *trunk.Trunk) trunk.Health {
	if t.Health == nil {
		return trunk.Health{}
	}
	return *t.Health
}

// Observe learns which call is which.
func (w *rerun) Observe(ev b2bua.Event) {
	switch ev.Kind {
	case b2bua.EventBegan:
		w.claim(&ev)
	case b2bua.EventEnded:
		w.with(ev.Call, w.finish)
	default: // the log keeps it
	}
}

// name gives a call the id that it had: scripts see it.
func (w *rerun) name(req *message.Message) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.byKey[keyOf(req.CallID(), req.FromTag())]
	if r == nil || r.named || r.engine != "" {
		return ""
	}
	r.named = true
	id := r.was.Record.ID
	if w.runs[id] != nil { // the same call stands in the log twice
		return ""
	}
	return id
}

// claim gives an engine's call to the one that is played, and lets it draw the
// random numbers that it drew.
func (w *rerun) claim(ev *b2bua.Event) {
	w.mu.Lock()
	r := w.byKey[keyOf(ev.Message.CallID(), ev.Message.FromTag())]
	if r == nil || r.engine != "" {
		w.mu.Unlock()
		return
	}
	r.engine, w.runs[ev.Call] = ev.Call, r
	w.mu.Unlock()
	seed := r.was.Seed
	if seed == nil {
		made := sha256.Sum256([]byte(r.was.Record.ID))
		seed = made[:16]
	}
	w.log.Seeded(ev.Call, seed)
}

// with lets f change a call that is played.
func (w *rerun) with(call string, f func(*run)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runs[call]; r != nil {
		f(r)
	}
}

// keep hears from the log what became of a call, before Observe hears that it
// is over.
func (w *rerun) keep(e *journal.Entry) {
	w.with(e.Record.ID, func(r *run) { r.again.Is = e })
}

// finish lets go of a call; w.mu is held.
func (w *rerun) finish(r *run) {
	if r.closed {
		return
	}
	r.closed = true
	delete(w.runs, r.engine)
	delete(w.byKey, r.key)
	delete(w.playing, r)
	for _, p := range r.parts {
		p.leave(w)
	}
	if r.again.Call.Asked {
		w.order.Ran(r.again)
	}
	if len(w.playing) == 0 {
		select {
		case w.idle <- struct{}{}:
		default:
		}
	}
}

// wait lets the last calls end.
func (w *rerun) wait() {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		w.mu.Lock()
		left := len(w.playing)
		w.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-w.idle:
		case <-limit.C:
			return
		}
	}
}
