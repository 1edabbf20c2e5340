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
	Min   int           // calls of each version that are needed to judge; 0: 200
	After time.Duration // it is promoted by itself when it is no worse for so long; 0: never
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
	ChangeDeployed   Change = "script.deployed" // it is tried by a share of the calls
	ChangePromoted   Change = "script.promoted"
	ChangeRolledBack Change = "script.rolled_back"
)

// ErrNoTrial is what Promote and Rollback say when there is nothing to decide.
var ErrNoTrial = errors.New("nothing is being tried: legwork deploy DIR --canary 5% begins it")

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

// Deploy checks and tests scripts and makes them live, at once or as a canary;
// an error changes nothing. Reload, and a folder that is saved, end a canary.
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
	g, err := p.tested(ctx, snap)
	if err != nil {
		return err
	}
	g.stamp, g.loaded = snap.stamp+p.surroundings(), time.Now()
	if g.name == p.live.name { // other tables
		g.name += ".2"
	}
	if plan.Share == 0 {
		p.promote(g, nil, "deployed")
		return nil
	}
	p.try(plan, g)
	return nil
}

// try begins a trial; p.load is held.
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

// Promote makes the canary live.
func (p *Policy) Promote(by string) error {
	p.load.Lock()
	defer p.load.Unlock()
	t := p.trial.Load()
	if t == nil {
		return ErrNoTrial
	}
	p.promote(t.gen, t, "asked for by "+by)
	return nil
}

// Rollback ends the canary; its calls end with it.
func (p *Policy) Rollback(by string) error {
	if t := p.trial.Load(); t == nil || !p.rollBack(t, "asked for by "+by) {
		return ErrNoTrial
	}
	return nil
}

// promote makes g live, whose trial t was, if any, and its files the folder's;
// p.load is held.
func (p *Policy) promote(g *generation, t *trial, why string) {
	if t != nil && !p.end(t, ChangePromoted, why) {
		return
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
	t.clock.Stop()
	told := t.describe(live, canary)
	told.Ended, told.Result, told.Why = time.Now(), string(as), why
	p.last = &told
	return true
}

// Observe follows the calls of a trial.
func (p *Policy) Observe(ev b2bua.Event) {
	if t := p.trial.Load(); t != nil {
		t.observe(&ev)
	}
}

// Trial is how a canary fares, or fared.
type Trial struct {
	Name   string    `json:"name"`
	Share  float64   `json:"share"`
	By     By        `json:"by"`
	Began  time.Time `json:"began"`
	Min    int       `json:"min_calls"`
	After  float64   `json:"promote_after_seconds,omitempty"`
	Live   Tally     `json:"live"`
	Canary Tally     `json:"canary"`
	Ended  time.Time `json:"ended,omitzero"`
	Result string    `json:"result,omitempty"` // script.promoted or script.rolled_back
	Why    string    `json:"why"`              // it ended, or still goes on
}

func (t *trial) describe(live, canary Tally) Trial {
	_, why := judge(&t.plan, time.Since(t.began), live, canary)
	return Trial{
		Name: t.gen.name, Share: t.plan.Share, By: t.plan.By, Began: t.began, Min: t.plan.Min, After: t.plan.After.Seconds(),
		Live: live, Canary: canary, Why: why,
	}
}
