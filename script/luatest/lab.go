package luatest

import (
	"fmt"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/capture"
	"legwork/b2bua/simnet"
	"legwork/script/canned"
	"legwork/script/lua"
)

// Misbehaviour is one thing that callers, callees or networks do wrong.
type Misbehaviour struct {
	Name string
	Says string // what it is, in a line

	callee func(*player) // what a phone does that is called; required
	caller func(*player) // what the caller does behind its INVITE; required
	// hear takes a message instead of the phone; false: it is left to that. nil:
	// all are.
	hear    func(*player, *simnet.Incoming) bool
	invite  content // of the caller's INVITE
	refuses bool    // the callee's port is closed
	faults  simnet.Faults
	// onPath sees all datagrams; false takes one off the path. It is made for each
	// call.
	onPath func() func(simnet.Packet) bool
}

// Met is what a caller met and what was left of the call.
type Met struct {
	Misbehaviour string
	Says         string
	Trunk        string        // that the call came from; "": none
	Code         int           // of the final response that the caller got; 0: none
	Reason       string        // of that
	After        time.Duration // from the INVITE to the final response
	Tries        int           // targets that were called
	Attempts     []b2bua.Attempt
	Lookups      []string      // that no stub answered, as the lines that would
	Open         bool          // the call had not ended when the patience with it did
	Lasted       time.Duration // from the INVITE to the end of the call
	Cleared      time.Duration // from the end of the call until nothing was left of it
	Left         []string      // what was left when the patience with it ended
	Errors       []string      // of the scripts, with tracebacks
	Story        *capture.Story
}

// Patience in a lab, in virtual time.
const (
	callPatience  = 6 * time.Hour    // with a call
	clearPatience = 10 * time.Minute // with what is left of it
	clearStep     = 100 * time.Millisecond
	endStep       = time.Second
	wireDelay     = 10 * time.Millisecond // of every datagram: what is sent at once crosses
)

// Lab plays each misbehaviour with a call from each trunk that calls may come
// from, or from a stranger when there is no trunk.
type Lab struct {
	Config Config
	To     string   // the Request-URI
	From   []string // trunks; none: all
	Stubs  []canned.Stub
	Play   []Misbehaviour
	Ran    func(Met) // hears of each call; required
}

// Run plays the calls. The error is that of scripts that can't be loaded, or of a
// trunk that is not there.
func (l Lab) Run() error {
	l.Config.style = canned.JSON
	sources, err := l.sources()
	if err != nil {
		return err
	}
	var compiled lua.Compiled
	for i := range l.Play {
		cfg := l.Config
		cfg.faults = l.Play[i].faults
		cfg.faults.Delay = wireDelay
		for _, from := range sources {
			var met Met
			inBubble(&cfg, func() { met, err = l.call(&cfg, &compiled, &l.Play[i], from) })
			if err != nil {
				return err
			}
			l.Ran(met)
		}
	}
	return nil
}

// inBubble outlives a goroutine that never ends, for which a bubble panics: what
// is left of the call tells of it.
func inBubble(cfg *Config, f func()) {
	defer func() {
		if r := recover(); r != nil && !strings.HasPrefix(fmt.Sprint(r), "deadlock: main bubble goroutine has exited") {
			panic(r)
		}
	}()
	cfg.Bubble(f)
}

// sources are the trunks that call.
func (l Lab) sources() ([]string, error) {
	near, err := meet(l.Config.Trunks)
	if err != nil {
		return nil, err
	}
	all := slices.Sorted(maps.Keys(near.sources))
	for _, name := range l.From {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("no call comes from a trunk %q; from: %s", name, strings.Join(all, ", "))
		}
	}
	switch {
	case len(l.From) > 0:
		return l.From, nil
	case len(all) == 0:
		return []string{""}, nil
	}
	return all, nil
}

func (l Lab) call(cfg *Config, compiled *lua.Compiled, m *Misbehaviour, from string) (Met, error) {
	s, err := build(cfg, compiled, 1)
	if err != nil {
		return Met{}, err
	}
	defer s.close()
	if err := s.stubs.Add(l.Stubs...); err != nil {
		return Met{}, err
	}
	return newLab(s, m).play(from, l.To)
}

// lab is one call among bad neighbours.
type lab struct {
	stage   *stage
	deed    *Misbehaviour
	players map[*leg]*player // guarded by the stage
}

func newLab(s *stage, m *Misbehaviour) *lab {
	l := &lab{stage: s, deed: m, players: map[*leg]*player{}}
	s.plays = l.take
	if m.refuses {
		s.network.Refuse(func(simnet.Packet) bool { return true })
	}
	if m.onPath != nil {
		s.network.OnPath(m.onPath())
	}
	return l
}

// take gives a message to its player. stage.mu is held.
func (l *lab) take(one *leg) func(*simnet.Incoming) func() {
	p := l.player(one)
	return func(in *simnet.Incoming) func() {
		return func() {
			p.notice(in)
			switch {
			case l.deed.hear != nil && l.deed.hear(p, in):
				return
			case in.IsRequest():
				p.hear(in)
				return
			}
			p.told(in)
			l.stage.mu.Lock()
			then := one.take(in) // acknowledges
			l.stage.mu.Unlock()
			if then != nil {
				then()
			}
		}
	}
}

func (l *lab) player(one *leg) *player {
	p := l.players[one]
	if p == nil {
		p = &player{lab: l, leg: one, final: make(chan struct{})}
		l.players[one] = p
	}
	return p
}

// play plays the call.
func (l *lab) play(from, to string) (Met, error) {
	s := l.stage
	s.settle()
	before, began := goroutines(), time.Now()
	c, err := s.invite(invitation{method: "INVITE", to: to, trunk: from, content: l.deed.invite})
	if err != nil {
		return Met{}, err
	}
	s.mu.Lock()
	p := l.player(c.a)
	s.mu.Unlock()
	go l.deed.caller(p)
	s.pass(3 * wireDelay) // the INVITE is there
	s.mu.Lock()
	id := c.engine
	s.mu.Unlock()
	left, followed := s.server.Follow(id)
	met := Met{Misbehaviour: l.deed.Name, Says: l.deed.Says, Trunk: from}
	for met.Open = true; met.Open && time.Since(began) < callPatience; {
		if met.Open = !s.ended(c); met.Open {
			s.pass(endStep)
		}
	}
	met.end(s, id, began)
	if !met.Open {
		met.clear(s, began)
		if followed {
			met.Left = append(met.Left, left()...)
		}
		s.settle()
		met.Left = append(met.Left, since(before)...)
	}
	met.tell(p, id, began)
	return met, nil
}

// end says how the call ended.
func (m *Met) end(s *stage, id string, began time.Time) {
	m.Lasted = time.Since(began)
	if r, over := s.ring.Record(id); over {
		m.Tries, m.Attempts, m.Lasted = len(r.Attempts), r.Attempts, r.Ended.Sub(began)
		return
	}
	if state, ok := s.server.Call(id); ok {
		m.Tries = state.Attempts
	}
}

// clear waits until nothing is left of the call, but not for ever.
func (m *Met) clear(s *stage, began time.Time) {
	end := began.Add(m.Lasted)
	for {
		m.Left = left(s)
		if m.Cleared = time.Since(end); len(m.Left) == 0 || m.Cleared >= clearPatience {
			return
		}
		s.pass(clearStep)
	}
}

// left counts what the engine and its scripts still have of calls.
func left(s *stage) []string {
	now := s.server.Leftover()
	var list []string
	for _, one := range []struct {
		n    int
		what string
	}{
		{now.Calls, "call"},
		{now.Known, "call in the index"},
		{now.Dialogs, "dialog"},
		{now.Transactions, "transaction"},
		{held(s), "call of a trunk"},
		{running(s), "call of the scripts"},
		{s.shared.Holding(), "call in a limit"},
	} {
		if one.n > 0 {
			list = append(list, fmt.Sprintf("%d × %s", one.n, one.what))
		}
	}
	return list
}

// held counts places in trunks.
func held(s *stage) (n int) {
	for _, t := range s.server.Trunks().Stats() {
		n += t.Calls
	}
	return n
}

func running(s *stage) (n int) {
	for _, g := range s.policy.Status().Generations {
		n += g.Calls
	}
	return n
}

// tell fills in what the caller met.
func (m *Met) tell(p *player, id string, began time.Time) {
	s := p.lab.stage
	s.mu.Lock()
	final := p.leg.final()
	s.mu.Unlock()
	if final != nil {
		m.Code, m.Reason = final.Status, final.Reason
		p.mu.Lock()
		m.After = p.finalAt.Sub(began)
		p.mu.Unlock()
	}
	m.Story, _ = s.ring.Story(id, capture.Mask{})
	var said Result
	s.log.tell(&said)
	m.Errors, m.Lookups = said.Errors, s.stubs.Unanswered()
}

// goroutines lists those of this bubble that are the engine's or the scripts',
// by number, with the function that each is in. Those that wait for work are none.
func goroutines() map[string]string {
	dump := make([]byte, 1<<20)
	dump = dump[:runtime.Stack(dump, true)]
	all := strings.Split(string(dump), "\n\n")
	bubble := bubbleOf(all[0]) // the one that asks stands first
	found := map[string]string{}
	for _, text := range all[1:] {
		head, rest, _ := strings.Cut(text, "\n")
		where, _, _ := strings.Cut(rest, "\n")
		where, _, _ = strings.Cut(where, "(0x")
		waits := strings.HasPrefix(where, "legwork/b2bua.(*crew).work")
		if bubbleOf(text) != bubble || waits || strings.Contains(rest, "luatest.(*player)") || strings.Contains(rest, "/simnet.") {
			continue
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(head, "goroutine "), " ")
		found[id] = where
	}
	return found
}

// since lists goroutines that were not there before.
func since(before map[string]string) []string {
	var list []string
	for id, at := range goroutines() {
		if _, known := before[id]; !known {
			list = append(list, "goroutine in "+at)
		}
	}
	slices.Sort(list)
	return list
}

// bubbleOf reads which bubble a goroutine belongs to.
func bubbleOf(stack string) string {
	head, _, _ := strings.Cut(stack, "\n")
	_, after, _ := strings.Cut(head, "synctest bubble ")
	return strings.TrimRight(after, "]:")
}

// engineAddrs are the engine's sockets.
func engineAddrs() []netip.AddrPort {
	var list []netip.AddrPort
	for _, a := range []string{engine4, engine6, engineLoop} {
		list = append(list, netip.MustParseAddrPort(a))
	}
	return list
}
