package script

import (
	"context"
	"fmt"
	"time"
)

// shade begins a shadow; p.load is held.
func (p *Policy) shade(ctx context.Context, plan Plan, snap *Snapshot) error {
	if _, err := p.approved(ctx, snap); err != nil {
		return err
	}
	s, g, err := p.startShadow(ctx, snap)
	if err != nil {
		return err
	}
	g.stamp, g.loaded, g.state = snap.stamp+p.surroundings(), time.Now(), Shadow
	t := &trial{plan: plan, gen: g, live: p.live, began: time.Now(), shadow: s}
	p.mu.Lock()
	p.last = nil
	p.trial.Store(t)
	if plan.For > 0 {
		t.clock = time.AfterFunc(plan.For, func() { p.rollBack(t, "it has run for "+plan.For.String()) })
	}
	p.mu.Unlock()
	text := g.name + " is asked beside the live version"
	p.cfg.Log.Info("script deployed as a shadow", "generation", g.name, "reason", text)
	p.cfg.Changed(ChangeDeployed, text)
	return nil
}

// lift ends a shadow; false when it has ended already.
func (p *Policy) lift(t *trial, why string) bool {
	if !p.end(t, ChangeCompared, why) {
		return false
	}
	told := t.shadow.told().String()
	p.cfg.Log.Info("shadow ended", "generation", t.gen.name, "reason", why, "text", told)
	p.cfg.Changed(ChangeCompared, fmt.Sprintf("the shadow %s has ended: %s; %s", t.gen.name, why, told))
	return true
}
