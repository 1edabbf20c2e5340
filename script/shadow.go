package script

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lib"
)

// shadow runs a generation beside the live one: on what the live one's calls
// were asked, behind their back. One goroutine asks it, so that it takes one
// core at most; what it has no time for is passed over. followed.go is the side
// of the live calls, compare.go what comes of it.
type shadow struct {
	wants  uint32   // hooks, as those of generation
	lib    *lib.Env // apart from the live ones
	jobs   chan job
	queued atomic.Int64    // bytes that jobs holds
	ctx    context.Context // until its end
	stop   context.CancelFunc
	over   sync.WaitGroup
	closed chan struct{} // a call that was not followed to its end is over

	gen   *generation              // its goroutine's; the scripts, until it ends
	calls map[*followed]*shadowing // likewise

	mu    sync.Mutex // guards all below
	tally ShadowTally
	which map[string]int // group by name
	gone  []*followed    // calls that are over
}

// Bounds: of what waits, by number and bytes; of what is remembered of one call,
// and of what is told.
const (
	maxJobs     = 4096
	maxQueued   = 64 << 20
	maxAnswers  = 200
	maxHeard    = 256 << 10 // bytes of answers
	maxGroups   = 200
	maxExamples = 3
	maxLines    = 20
)

// job is one hook of one call, as the live generation met it.
type job struct {
	of     *followed
	hook   b2bua.Hook
	view   b2bua.View
	leg    b2bua.Leg
	origin b2bua.Origin
	before *message.Message // the hook's message; nil: it has none
	after  *message.Message
	edits  []b2bua.Edit // that the live hook has made
	live   b2bua.Decided
	last   bool // the call is over; all else is empty
	size   int64
}

// startShadow makes a shadow of a snapshot. Its VM is one of its own.
func (p *Policy) startShadow(ctx context.Context, snap *Snapshot) (*shadow, *generation, error) {
	apart, err := p.cfg.Lib.Apart()
	if err != nil {
		return nil, nil, err
	}
	cfg := p.cfg
	cfg.Lib, cfg.Log, cfg.Machines, cfg.apart = apart, slog.New(slog.DiscardHandler), 1, true
	cfg.Errors = func(string) {} // counted by the generation
	of := &Policy{cfg: cfg, live: p.live}
	g, err := of.raise(ctx, snap)
	if err != nil {
		apart.Close()
		return nil, nil, err
	}
	g.policy = nil // nobody benches it
	s := &shadow{
		wants: g.wants, lib: apart, jobs: make(chan job, maxJobs), closed: make(chan struct{}, 1),
		gen: g, calls: map[*followed]*shadowing{}, which: map[string]int{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.over.Go(s.run)
	return s, g, nil
}

// end stops it, waits, and lets go of everything: calls that it has followed may
// last.
func (s *shadow) end() {
	s.stop()
	s.over.Wait()
	s.gen.unload()
	s.lib.Close()
	s.gen, s.calls = nil, nil
	s.mu.Lock()
	s.gone = nil
	s.mu.Unlock()
	for {
		select {
		case <-s.jobs:
		default:
			return
		}
	}
}

func (s *shadow) ended() bool { return s.ctx.Err() != nil }

func (s *shadow) run() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.closed:
		case j := <-s.jobs:
			s.queued.Add(-j.size)
			s.play(&j)
		}
		s.bury()
	}
}

// follow is the router of a new call that the shadow sees too.
func (s *shadow) follow(r *router) b2bua.Router {
	if s.ended() {
		return r
	}
	if len(s.jobs) > maxJobs/2 || s.queued.Load() > maxQueued/2 {
		s.count(func(t *ShadowTally) { t.Skipped++ })
		return r
	}
	one := &followed{of: s}
	r.memory, r.handle, r.watched = one, &overhearing{r.handle, one, r.watched}, true
	return &followedRouter{router: r, call: one}
}

// shadowing is a followed call as the shadow's scripts meet it. It belongs to the
// shadow's goroutine.
type shadowing struct {
	router  *router
	of      *followed
	used    map[string]int // answers, by question
	unknown []string       // look-ups that the live call did not make, of one hook
	edits   []b2bua.Edit   // of one hook
	failed  *b2bua.Event   // of one hook
	ends    []func()
}

// What a hook may do to its call is not done.

func (c *shadowing) Note(string, string) {}
func (c *shadowing) HangUp(int)          {}
func (c *shadowing) OnEnd(f func())      { c.ends = append(c.ends, f) }
func (c *shadowing) Watched() bool       { return true }
func (c *shadowing) Tell(ev b2bua.Event) {
	switch ev.Kind {
	case b2bua.EventEdited:
		c.edits = append(c.edits, ev.Edits.List...)
	case b2bua.EventFailed:
		c.failed = &ev
	default: // that the live call's story tells
	}
}

func (c *shadowing) within(hook string) lib.Memo { return replayed{c, hook} }

// replayed is what the live call has got in a hook of that name.
type replayed struct {
	c    *shadowing
	hook string
}

func (r replayed) Recall(key string) (any, error, bool) {
	one, ok := r.c.next(r.hook+" "+key, true)
	return one.value, one.err, ok
}

func (r replayed) Refuse(key string) error {
	r.c.unknown = append(r.c.unknown, key)
	return lib.Refusal("unknown: the live version has not asked that")
}

func (r replayed) Keep(string, any, error) {}

func (r replayed) Draws(live rand.Source) rand.Source { return redrawn{r, live} }

type redrawn struct {
	replayed
	live rand.Source
}

// Uint64 implements rand.Source.
func (r redrawn) Uint64() uint64 {
	if one, ok := r.c.next(r.hook+drawn, false); ok {
		n, _ := one.value.(uint64)
		return n
	}
	return r.live.Uint64()
}

// next is the answer that follows in the live call; again: the last one stands.
func (c *shadowing) next(key string, again bool) (one answered, ok bool) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	known, n := c.of.answers[key], c.used[key]
	switch {
	case n < len(known):
		c.used[key]++
		return known[n], true
	case again && n > 0:
		return known[n-1], true
	}
	return one, false
}

// play asks the shadow what the live generation was asked, and compares.
func (s *shadow) play(j *job) {
	switch {
	case j.last:
		s.forget(j.of)
		return
	case j.of.over.Load():
		return
	}
	c := s.calls[j.of]
	if c == nil {
		c = &shadowing{of: j.of, used: map[string]int{}}
		c.router = &router{gen: s.gen, handle: c, watched: true, memory: c, shard: s.gen.shards[0]}
		s.calls[j.of] = c
		s.count(func(t *ShadowTally) { t.Calls++ })
	}
	after := j.before
	if after != nil {
		after = after.Clone()
	}
	c.unknown, c.edits, c.failed = nil, nil, nil
	d := s.ask(c.router, j, after)
	if !s.ended() {
		s.compare(j, c, d, after)
	}
}

func (s *shadow) ask(r *router, j *job, m *message.Message) (d b2bua.Decided) {
	switch j.hook {
	case b2bua.HookInvite:
		return r.Invite(s.ctx, j.view)
	case b2bua.HookBranch:
		return r.Branch(j.view, j.leg, m)
	case b2bua.HookProgress:
		return r.Progress(j.view, j.leg, m)
	case b2bua.HookAnswer:
		return r.Answer(j.view, j.leg, m)
	case b2bua.HookFailure:
		return r.Failure(s.ctx, j.view, j.leg, m, j.origin)
	default:
		r.Final(j.view, m, j.origin)
		return d
	}
}

// forget ends a call in the shadow: it holds no limit any more.
func (s *shadow) forget(f *followed) {
	f.over.Store(true)
	c := s.calls[f]
	if c == nil {
		return
	}
	delete(s.calls, f)
	c.router.closed.Store(true)
	for _, end := range c.ends {
		end()
	}
}

// bury forgets the calls whose end is not among the jobs.
func (s *shadow) bury() {
	s.mu.Lock()
	gone := s.gone
	s.gone = nil
	s.mu.Unlock()
	for _, f := range gone {
		s.forget(f)
	}
}

// leave tells that a call is over.
func (s *shadow) leave(f *followed) {
	s.mu.Lock()
	if !s.ended() {
		s.gone = append(s.gone, f)
	}
	s.mu.Unlock()
	select {
	case s.closed <- struct{}{}:
	default:
	}
}

func (s *shadow) count(f func(t *ShadowTally)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.tally)
}
