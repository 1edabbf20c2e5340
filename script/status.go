package script

import "time"

// Status is what runs now.
type Status struct {
	Name    string    `json:"name"` // main.lua@1a2b3c4d
	Hash    string    `json:"hash"`
	Loaded  time.Time `json:"loaded"`
	Hooks   []string  `json:"hooks"`
	Calls   int       `json:"calls"`             // on the live generation
	Failure string    `json:"failure,omitempty"` // why the last load did not succeed
	Failed  time.Time `json:"failed,omitzero"`
	// Trial is the canary's or the shadow's, or else how the last one ended.
	Trial *Trial `json:"trial,omitempty"`
	// Generations are those that are loaded: the live one, the canary or shadow, then the
	// older ones that calls still use.
	Generations []Generation `json:"generations"`
}

// State is what a generation is there for.
type State string

// The states of a generation.
const (
	Live State = "live" // new calls are its
	Old  State = "old"  // only the calls that began with it

	Canary  State = "canary"  // a share of the new calls
	Shadow  State = "shadow"  // asked beside the live one, and not obeyed
	Benched State = "benched" // as old; it erred too often
)

// Generation is one set of scripts that is loaded.
type Generation struct {
	Name   string    `json:"name"` // main.lua@1a2b3c4d
	Hash   string    `json:"hash"`
	State  State     `json:"state"`
	Loaded time.Time `json:"loaded"`
	Begun  uint64    `json:"begun"`  // calls that were ever its
	Calls  int       `json:"calls"`  // in progress
	Errors uint64    `json:"errors"` // of its hooks
}

// describe tells of a generation; Policy.mu is held.
func (g *generation) describe() Generation {
	return Generation{
		Name: g.name, Hash: g.snap.Hash, State: g.state, Loaded: g.loaded, Begun: g.begun, Calls: g.calls, Errors: g.errors.Load(),
	}
}

// freed keeps what is told of a benched generation that no call uses any more,
// until the next reload; p.mu is held.
func (p *Policy) freed(g *generation) {
	if g.state == Benched {
		d := g.describe()
		p.benched = &d
	}
}

// erred counts an error of a hook.
func (g *generation) erred(hook string) {
	g.errors.Add(1)
	g.cfg.Errors(hook)
	if g.policy != nil {
		g.policy.suspect(g)
	}
}

// Status tells what runs now.
func (p *Policy) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.live
	s := Status{Name: g.name, Hash: g.snap.Hash, Loaded: g.loaded, Calls: g.calls, Failed: p.failed}
	for hook, name := range hookNames() {
		if g.shards[0].gen.wants&(1<<hook) != 0 {
			s.Hooks = append(s.Hooks, name)
		}
	}
	s.Hooks = append(s.Hooks, g.outside...)
	s.Generations = append(s.Generations, g.describe())
	if t := p.trial.Load(); t != nil {
		one, g := t.describe(t.tallies()), t.gen.describe()
		if one.Shadow != nil {
			g.Begun = uint64(one.Shadow.Calls)
		}
		s.Generations, s.Trial = append(s.Generations, g), &one
	} else {
		s.Trial = p.last
	}
	for _, old := range p.old {
		s.Generations = append(s.Generations, old.describe())
	}
	if p.benched != nil {
		s.Generations = append(s.Generations, *p.benched)
	}
	if p.failure != nil {
		s.Failure = p.failure.Error()
	}
	return s
}
