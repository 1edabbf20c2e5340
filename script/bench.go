package script

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Bench says when the live generation errs too often: so many errors of its
// hooks within a window. Errors of 0: never.
type Bench struct {
	Errors int
	Window time.Duration
}

// misfits are the last errors of one generation.
type misfits struct {
	mu   sync.Mutex // guards all below
	at   []time.Time
	next int
	told bool
}

// over notes an error, and tells whether that made them too many; once.
func (m *misfits) over(rule Bench) bool {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.at) != rule.Errors { // the first one, or the rule has changed
		m.at, m.next = make([]time.Time, rule.Errors), 0
	}
	m.at[m.next] = now
	m.next = (m.next + 1) % len(m.at)
	oldest := m.at[m.next]
	if m.told || oldest.IsZero() || now.Sub(oldest) > rule.Window {
		return false
	}
	m.told = true
	return true
}

// suspect counts an error of a generation, and has it benched if it is live and
// has too many.
func (p *Policy) suspect(g *generation) {
	if rule := p.cfg.Bench(); rule.Errors > 0 && g.misfits.over(rule) {
		p.unload.Go(func() { p.bench(g, rule) })
	}
}

// proven tells whether a generation that others follow is worth coming back to:
// it had calls, and an error in one of a hundred at most. p.mu is held.
func (g *generation) proven() bool { return g.begun > 0 && g.errors.Load() <= g.begun/100 }

// remember keeps what a generation was made of that another one takes over
// from; p.mu is held.
func (p *Policy) remember(g *generation) {
	if g.state != Benched && (g.proven() || p.good == nil && g.begun == 0) {
		p.good = &origin{g.snap, g.stamp}
	}
}

// origin is what a generation can be made of again.
type origin struct {
	snap  *Snapshot
	stamp string
}

var errNoneGood = errors.New("there is no earlier version that was good")

// bench makes the last good generation live again in the place of g, until
// somebody reloads. Its tables are read again: only Lua is kept.
func (p *Policy) bench(g *generation, rule Bench) {
	why := fmt.Sprintf("%s has errors: %d within %s", g.name, rule.Errors, rule.Window)
	if t := p.trial.Load(); t != nil && t.gen == g {
		p.rollBack(t, why)
		return
	}
	p.load.Lock()
	defer p.load.Unlock()
	p.mu.Lock()
	good, over := p.good, p.live != g || g.retired
	p.mu.Unlock()
	if over {
		return
	}
	next, err := p.again(good)
	if err != nil {
		p.cfg.Log.Error("the script errs too often and stays", "generation", g.name, "reason", why, "err", err)
		return
	}
	if t := p.trial.Load(); t != nil {
		p.rollBack(t, "the live version was benched meanwhile")
	}
	p.swap(next, Benched)
	p.mu.Lock()
	p.good, p.rejected, p.failed = nil, g.stamp, time.Now()
	p.failure = fmt.Errorf("%s; %s is live until a reload", why, next.name)
	p.mu.Unlock()
	p.cfg.Log.Error("the script errs too often: the last good one is live until a reload", "generation", next.name, "reason", why)
	p.cfg.Changed(ChangeBenched, fmt.Sprintf("%s: %s is live until a reload", why, next.name))
}

// again makes a generation of what one was made of; p.load is held.
func (p *Policy) again(o *origin) (*generation, error) {
	if o == nil {
		return nil, errNoneGood
	}
	ctx, cancel := context.WithTimeout(context.Background(), loading.Deadline)
	defer cancel()
	g, err := p.raise(ctx, o.snap)
	if err != nil {
		return nil, err
	}
	g.stamp, g.loaded = o.stamp, time.Now()
	return g, nil
}

// Change is what became of a generation, but for reloads.
type Change string

// ChangeBenched: it erred too often, and another one is live in its place.
const ChangeBenched Change = "script.benched"
