package script

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Report is what came of a reload.
type Report struct {
	Name    string        `json:"name"`    // what runs now
	Changed bool          `json:"changed"` // a new generation went live
	Took    time.Duration `json:"took"`
	Err     error         `json:"-"` // why it did not
}

// Reload reads the folder and makes what is there live, if it is new and good
// (contract/lua-api.md section 7). On an error the old generation stays; the
// error is Problems when the scripts are to blame.
func (p *Policy) Reload(ctx context.Context) (Report, error) {
	p.load.Lock()
	defer p.load.Unlock()
	return p.reload(ctx, true)
}

// reload tries a rejected folder again only when somebody asks for it. p.load
// is held.
func (p *Policy) reload(ctx context.Context, asked bool) (Report, error) {
	began := time.Now()
	snap, err := p.cfg.Source.read(p.profiles())
	if err != nil {
		return p.refuse(began, "", err)
	}
	stamp := snap.stamp + p.surroundings()
	p.mu.Lock()
	live, rejected := p.live, p.rejected
	p.mu.Unlock()
	switch {
	case live != nil && live.stamp == stamp:
		p.mend()
		return Report{Name: live.name}, nil
	case !asked && rejected == stamp:
		return Report{Name: live.name}, nil
	}
	g, err := p.tested(ctx, snap)
	if err != nil {
		return p.refuse(began, stamp, err)
	}
	g.stamp, g.loaded = stamp, time.Now()
	if t := p.trial.Load(); t != nil {
		p.rollBack(t, "the scripts' folder or the configuration has changed meanwhile, and "+g.name+" is live")
	}
	p.swap(g, Old)
	p.mend()
	r := Report{Name: g.name, Changed: true, Took: time.Since(began)}
	p.cfg.Log.Info("script loaded", "generation", g.name, "dur", r.Took)
	p.cfg.Reloaded(r)
	return r, nil
}

// tested is everything before the swap.
func (p *Policy) tested(ctx context.Context, snap *Snapshot) (*generation, error) {
	g, err := p.approved(ctx, snap)
	if err != nil {
		return nil, err
	}
	return g, g.begin(ctx)
}

// approved is a generation that loads and whose tests pass, but that has not begun.
func (p *Policy) approved(ctx context.Context, snap *Snapshot) (*generation, error) {
	g, err := p.checked(ctx, snap)
	if err != nil {
		return nil, err
	}
	if p.cfg.Test != nil && len(snap.Tests()) > 0 {
		if err := p.cfg.Test(ctx, snap); err != nil {
			return nil, fmt.Errorf("tests: %w", err)
		}
	}
	return g, nil
}

// raise is that without the tests.
func (p *Policy) raise(ctx context.Context, snap *Snapshot) (*generation, error) {
	g, err := p.checked(ctx, snap)
	if err != nil {
		return nil, err
	}
	return g, g.begin(ctx)
}

// checked makes a generation, as far as that has no effect on anything. p.load is
// held.
func (p *Policy) checked(ctx context.Context, snap *Snapshot) (*generation, error) {
	g, problems := compile(&p.cfg, snap)
	if len(problems) > 0 {
		return nil, problems
	}
	if snap.deployed && p.live != nil && p.live.name == g.name { // only tables are others
		g.name += ".2"
	}
	problems = g.try(ctx)
	if bad := problems.errors(); len(bad) > 0 {
		return nil, bad
	}
	for _, warning := range problems {
		p.cfg.Log.Warn("script", "generation", g.name, "reason", warning.String())
	}
	g.policy = p
	return g, nil
}

// begin makes the other VMs and runs on_load.
func (g *generation) begin(ctx context.Context) error {
	if err := g.fill(ctx); err != nil {
		return Problems{problemOf(err)}
	}
	if err := g.settle(ctx); err != nil {
		return Problems{problemOf(err)}
	}
	return nil
}

// refuse keeps what runs and says why.
func (p *Policy) refuse(began time.Time, stamp string, err error) (Report, error) {
	p.mu.Lock()
	known := p.failure != nil && p.failure.Error() == err.Error()
	p.rejected, p.failure, p.failed = stamp, err, began
	r := Report{Took: time.Since(began), Err: err}
	if p.live != nil {
		r.Name = p.live.name
	}
	p.mu.Unlock()
	if r.Name == "" || known && stamp == "" {
		return r, err
	}
	var problems Problems
	if !errors.As(err, &problems) {
		problems = Problems{{Msg: err.Error()}}
	}
	for _, one := range problems {
		p.cfg.Log.Error("script not loaded; the old one stays", "generation", r.Name, "script", one.File, "line", one.Line,
			"err", one.Msg, "traceback", one.Traceback)
	}
	p.cfg.Reloaded(r)
	return r, err
}

// mend forgets the last failure: what is in the folder runs.
func (p *Policy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rejected, p.failure, p.failed, p.benched = "", nil, time.Time{}, nil
}

func (p *Policy) profiles() []string {
	var files []string
	table := p.cfg.Trunks()
	for _, name := range table.Names() {
		one := table.Get(name)
		if one.Profile != "" {
			files = append(files, one.Profile)
		}
		if one.CUCM != nil {
			files = append(files, one.CUCM.File)
		}
	}
	return files
}

// surroundings is what else a generation depends on: trunks, their profiles and
// params.
func (p *Policy) surroundings() string {
	s, table := "", p.cfg.Trunks()
	for _, name := range table.Names() {
		t := table.Get(name)
		s += fmt.Sprintf("%q %q %v\n", name, t.Profile, t.Params)
		if t.CUCM != nil {
			s += fmt.Sprintf("%q %v\n", t.CUCM.File, t.CUCM.Params)
		}
	}
	return s
}
