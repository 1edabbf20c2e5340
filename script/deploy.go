package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"legwork/b2bua"
)

// Plan says how a set of scripts comes to be live.
type Plan struct {
	// Files is the folder to be: a main file of the configured name, all other
	// Lua and tables (*.csv). It is read again as long as the scripts run.
	Files fs.FS
	Share float64 // of new calls that begin with it, below 1; 0: all, at once
	By    By
	Min   int // calls of each version that are needed to judge; 0: 200
	// Shadow has no call begin with them: they are asked beside the live version,
	// what they say is compared and not used. For ends that; 0: nothing does by
	// itself.
	Shadow bool
	For    time.Duration
	After  time.Duration // a canary is promoted by itself when it is no worse for so long; 0: never
}

// By says what calls have in common that begin with the same version.
type By string

// Equal callers (the URI in From), or trunks that calls come from, meet the same
// version as long as a trial lasts.
const (
	ByCaller By = "caller"
	ByTrunk  By = "trunk"
)

// What became of a deployment.
const (
	ChangeDeployed   Change = "script.deployed" // it is tried by a share of the calls, or a shadow
	ChangePromoted   Change = "script.promoted"
	ChangeRolledBack Change = "script.rolled_back"
	ChangeCompared   Change = "script.compared" // the end of a shadow that was not promoted
)

// ErrNoTrial is what Promote and Rollback say when there is nothing to decide.
var ErrNoTrial = errors.New("nothing is being tried: legwork deploy DIR --canary 5%, or --shadow, begins it")

func (p *Plan) complete() error {
	if p.By == "" {
		p.By = ByCaller
	}
	if p.Min == 0 {
		p.Min = defaultMin
	}
	switch {
	case p.Files == nil:
		return errors.New("no scripts")
	case p.Shadow && p.Share > 0:
		return errors.New("a shadow or a canary, one of them")
	case p.For < 0 || p.For > maxTrial:
		return errors.New("a shadow lasts from 0, for as long as it takes, to 30 days")
	case math.IsNaN(p.Share) || p.Share < 0 || p.Share >= 1:
		return errors.New("the share of a canary is more than 0 and less than 100%")
	case p.By != ByCaller && p.By != ByTrunk:
		return fmt.Errorf("a canary is chosen by caller or trunk, not by %q", p.By)
	case p.Min < 1 || p.Min > 1_000_000:
		return errors.New("a canary needs from 1 to 1,000,000 calls to be judged")
	case p.After < 0 || p.After > maxTrial:
		return errors.New("a canary is promoted after 30 days at most")
	}
	return nil
}

// Deploy checks and tests scripts and makes them live, at once, as a canary or
// as a shadow; an error changes nothing. Reload, and a folder that is saved, end
// a canary or shadow.
func (p *Policy) Deploy(ctx context.Context, plan Plan) error {
	if err := plan.complete(); err != nil {
		return err
	}
	p.load.Lock()
	defer p.load.Unlock()
	if t := p.trial.Load(); t != nil {
		return fmt.Errorf("%s is being tried: promote it or roll it back before", t.gen.name)
	}
	snap, err := Source{Path: filepath.Base(p.cfg.Source.Path), FS: plan.Files}.readFor(p.cfg.Source, p.profiles())
	if err != nil {
		return err
	}
	snap.deployed = true
	if plan.Shadow {
		return p.shade(ctx, plan, snap)
	}
	g, err := p.tested(ctx, snap)
	if err != nil {
		return err
	}
	g.stamp, g.loaded = snap.stamp+p.surroundings(), time.Now()
	if plan.Share == 0 {
		p.mu.Lock()
		p.last = nil // it is told of no more
		p.mu.Unlock()
		p.promote(g, nil, "deployed")
		return nil
	}
	p.try(plan, g)
	return nil
}

// try begins a canary; p.load is held.
func (p *Policy) try(plan Plan, g *generation) {
	t := &trial{plan: plan, gen: g, live: p.live, began: time.Now(), calls: map[string]*outcome{}}
	p.mu.Lock()
	t.clock = time.AfterFunc(judgeEvery, func() { p.look(t) })
	g.state = Canary
	p.last = nil
	p.trial.Store(t)
	p.mu.Unlock()
	text := fmt.Sprintf("%s is tried by %s of the calls, by %s", g.name, percent(plan.Share), plan.By)
	p.cfg.Log.Info("script deployed as a canary", "generation", g.name, "reason", text)
	p.cfg.Changed(ChangeDeployed, text)
}

func percent(share float64) string { return fmt.Sprintf("%.4g%%", percentages*share) }

// look judges the trial now and then.
func (p *Policy) look(t *trial) {
	live, canary := t.tallies()
	switch verdict, why := judge(&t.plan, time.Since(t.began), live, canary); verdict {
	case promotes:
		p.load.Lock()
		defer p.load.Unlock()
		p.promote(t.gen, t, why)
	case rollsBack:
		p.rollBack(t, why)
	case goesOn:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.trial.Load() == t { // else its clock stays as it was stopped
			t.clock.Reset(judgeEvery)
		}
	}
}

// Promote makes the canary or the shadow live.
func (p *Policy) Promote(by string) error {
	p.load.Lock()
	defer p.load.Unlock()
	t := p.trial.Load()
	if t == nil {
		return ErrNoTrial
	}
	g := t.gen
	if t.shadow != nil {
		var err error
		if g, err = p.again(&origin{g.snap, g.stamp}); err != nil { // the shadow is apart from all that calls share
			return err
		}
	}
	if !p.promote(g, t, "asked for by "+by) {
		if g != t.gen {
			g.unload()
		}
		return ErrNoTrial
	}
	return nil
}

// Rollback ends the canary, whose calls end with it, or the shadow.
func (p *Policy) Rollback(by string) error {
	if t := p.trial.Load(); t == nil || !p.rollBack(t, "asked for by "+by) {
		return ErrNoTrial
	}
	return nil
}

// promote makes g live, whose trial t was, if any, and its files the folder's;
// false when the trial has ended already. p.load is held.
func (p *Policy) promote(g *generation, t *trial, why string) bool {
	if t != nil && !p.end(t, ChangePromoted, why) {
		return false
	}
	stamp, kept := p.keep(g)
	if kept == nil {
		g.stamp = stamp
	}
	p.swap(g, Old)
	p.mend()
	text := g.name + " is live: " + why
	if kept != nil {
		p.mu.Lock()
		p.rejected, p.failed = stamp, time.Now()
		p.failure = fmt.Errorf("%s is live until a restart or reload, and not in the scripts' folder: %w", g.name, kept)
		p.mu.Unlock()
		p.cfg.Log.Warn("the scripts' folder is not changed; a restart runs what it holds", "generation", g.name, "err", kept)
		text += " (not in the scripts' folder: " + kept.Error() + ")"
	}
	p.cfg.Log.Info("script promoted", "generation", g.name, "reason", why)
	p.cfg.Changed(ChangePromoted, text)
	return true
}

// keep makes the files of a generation the folder's, and tells what the folder's
// stamp is then.
func (p *Policy) keep(g *generation) (stamp string, err error) {
	if p.cfg.Keep == nil {
		return "", errors.New("there is none on disk")
	}
	err = p.cfg.Keep(g.snap.folder)
	snap, readErr := p.cfg.Source.read(p.profiles())
	if readErr == nil {
		stamp = snap.stamp + p.surroundings()
	}
	if err == nil {
		err = readErr
	}
	return stamp, err
}

// rollBack ends a trial; false when it has ended already.
func (p *Policy) rollBack(t *trial, why string) bool {
	if t.shadow != nil {
		return p.lift(t, why)
	}
	if !p.end(t, ChangeRolledBack, why) {
		return false
	}
	p.mu.Lock()
	g := t.gen
	g.retired, g.state = true, Old
	free := g.calls == 0
	if !free {
		p.old = append(p.old, g)
	}
	p.mu.Unlock()
	if free {
		p.unload.Go(g.unload)
	}
	p.cfg.Log.Warn("script rolled back", "generation", g.name, "reason", why)
	p.cfg.Changed(ChangeRolledBack, g.name+" is rolled back: "+why)
	return true
}

// end takes a trial away, once.
func (p *Policy) end(t *trial, as Change, why string) bool {
	live, canary := t.tallies()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.trial.CompareAndSwap(t, nil) {
		return false
	}
	if t.clock != nil {
		t.clock.Stop()
	}
	if t.shadow != nil {
		p.unload.Go(t.shadow.end)
	}
	told := t.describe(live, canary)
	told.Ended, told.Result, told.Why = time.Now(), string(as), why
	p.last = &told
	return true
}

// Observe follows the calls of a trial.
func (p *Policy) Observe(ev b2bua.Event) {
	if t := p.trial.Load(); t != nil && t.shadow == nil {
		t.observe(&ev)
	}
}

// Trial is how a canary or a shadow fares, or fared.
type Trial struct {
	Name   string       `json:"name"`
	Mode   State        `json:"mode"` // canary or shadow
	Shadow *ShadowTally `json:"shadow,omitempty"`
	For    float64      `json:"for_seconds,omitempty"` // of a shadow
	Share  float64      `json:"share,omitempty"`       // of a canary, as the next
	By     By           `json:"by,omitempty"`
	Began  time.Time    `json:"began"`
	Min    int          `json:"min_calls,omitempty"`
	After  float64      `json:"promote_after_seconds,omitempty"`
	Live   *Tally       `json:"live,omitempty"` // of a canary, as the next
	Canary *Tally       `json:"canary,omitempty"`
	Ended  time.Time    `json:"ended,omitzero"`
	Result string       `json:"result,omitempty"` // script.promoted, script.rolled_back or script.compared
	Why    string       `json:"why"`              // it ended, or still goes on
}

func (t *trial) describe(live, canary Tally) Trial {
	if t.shadow != nil {
		told := t.shadow.told()
		return Trial{Name: t.gen.name, Mode: Shadow, Shadow: told, For: t.plan.For.Seconds(), Began: t.began, Why: told.String()}
	}
	_, why := judge(&t.plan, time.Since(t.began), live, canary)
	return Trial{
		Name: t.gen.name, Mode: Canary, Share: t.plan.Share, By: t.plan.By, Began: t.began, Min: t.plan.Min, After: t.plan.After.Seconds(),
		Live: &live, Canary: &canary, Why: why,
	}
}
