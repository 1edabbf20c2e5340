package b2bua

import (
	"log/slog"
	"strconv"
	"sync"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// probes ask the targets of trunks by OPTIONS whether they are alive.
type probes struct {
	mu       sync.Mutex // guards all below
	running  bool       // since Attend, until Drain
	byTarget map[place]*probe
}

// place is a target of a trunk.
type place struct{ trunk, uri string }

// probe asks one target again and again. Its mailbox owns it; router and source
// stay empty.
type probe struct {
	owner
	place
	listen  string
	health  trunk.Health
	waiting *asking // nil: at rest
	clock   clock   // patience with an answer, else the rest until the next OPTIONS
	ended   bool
}

// asking is one OPTIONS.
type asking struct {
	probe  *probe
	client *transaction.Client
}

// Response posts an answer; see transaction.User.
func (a *asking) Response(_ *transaction.Client, res *message.Message) {
	a.probe.post(response{a, res})
}

// Failed posts that there was none.
func (a *asking) Failed(_ *transaction.Client, err error) { a.probe.post(failed{a, err}) }

type (
	// probed says how to ask from now on.
	probed struct {
		listen string
		health trunk.Health
	}
	// unprobed says that nobody wants to know any more.
	unprobed struct{}
)

func (probed) event()   {}
func (unprobed) event() {}

// probe makes the probes be those that a table wants.
func (s *Server) probe(table *trunk.Table) {
	wanted := map[place]probed{}
	for _, name := range table.Names() {
		t := table.Get(name)
		if t.Health == nil || t.Health.Options <= 0 {
			continue
		}
		for _, e := range t.Targets {
			wanted[place{name, e.URI}] = probed{t.Listen, *t.Health}
		}
	}
	all := &s.probes
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byTarget == nil {
		all.byTarget = make(map[place]*probe)
	}
	for at, p := range all.byTarget {
		if _, stays := wanted[at]; !stays || !all.running {
			delete(all.byTarget, at)
			p.post(unprobed{})
		}
	}
	for at, how := range wanted {
		if !all.running {
			break
		}
		p := all.byTarget[at]
		if p == nil {
			p = &probe{place: at}
			p.id, p.server, p.serves, p.crew = at.trunk, s, p, &s.crew
			all.byTarget[at] = p
		}
		p.post(how)
	}
}

// handle is the whole life of a probe.
func (p *probe) handle(ev event) {
	defer func() {
		if r := recover(); r != nil {
			p.fault(r)
		}
	}()
	switch e := ev.(type) {
	case probed:
		p.follow(e)
	case unprobed:
		p.ended = true
		p.stop()
	case reached:
		e.then(e.flow, e.err)
	case elapsed:
		if e.set == p.clock.set && p.server.ctx.Err() == nil {
			p.due()
		}
	case response:
		if a, ok := e.to.(*asking); ok && a == p.waiting && e.res.Status >= 200 {
			p.answered(e.res)
		}
	case failed:
		if a, ok := e.to.(*asking); ok && a == p.waiting {
			p.missed(e.err.Error())
		}
	}
}

// follow takes how to ask. The first OPTIONS of many probes are spread over one
// interval.
func (p *probe) follow(how probed) {
	changed := p.listen != how.listen || p.health != how.health
	p.listen, p.health = how.listen, how.health
	if changed {
		p.stop()
		p.wait(time.Duration(float64(p.health.Options) * p.server.cfg.Rand()))
	}
}

// due is what the clock was set for.
func (p *probe) due() {
	if p.waiting != nil {
		p.missed(errSilent.Error())
		return
	}
	a := &asking{probe: p}
	p.waiting = a
	p.wait(p.health.Timeout)
	p.reach(p.uri, p.listen, func(flows []transport.Flow, err error) {
		switch {
		case p.waiting != a:
		case err != nil:
			p.missed(err.Error())
		default:
			req := p.options(flows[0])
			a.client = p.server.layer.Request(req, flows[0], a)
			p.server.watchOwn(flows[0].Remote.Addr(), p.place.trunk, req, a.client.Sent())
		}
	})
}

// options is the request; it concerns the target itself (RFC 3261 section 11).
func (p *probe) options(f transport.Flow) *message.Message {
	m := &message.Message{Method: "OPTIONS", URI: p.uri, Headers: make([]message.Header, 0, 10)}
	us := "<sip:" + f.Listener.SentBy() + ">"
	m.Add("Max-Forwards", strconv.Itoa(maxForwards))
	m.Add("From", message.WithTag(us, p.server.newTag()))
	m.Add("To", "<"+p.uri+">")
	m.Add("Call-ID", p.server.newCallID())
	m.Add("CSeq", "1 OPTIONS")
	l := leg{flow: f}
	m.Add("Contact", l.contact())
	m.Add("Accept", accept)
	p.sign(m)
	return m
}

// answered takes any answer for a sign of life but those that say that nobody
// can serve: 503, and 408 of a proxy before a dead end.
func (p *probe) answered(res *message.Message) {
	if unserved(res.Status) {
		p.missed(strconv.Itoa(res.Status) + " " + res.Reason)
		return
	}
	p.server.heardTarget(p.trunk, p.uri)
	p.rest()
}

func unserved(code int) bool { return code == 503 || code == 408 }

func (p *probe) missed(why string) {
	p.server.missedTarget(p.trunk, p.uri, why)
	p.rest()
}

// rest waits for the next OPTIONS, a tenth more or less.
func (p *probe) rest() {
	p.stop()
	p.wait(time.Duration(float64(p.health.Options) * (0.9 + 0.2*p.server.cfg.Rand())))
}

func (p *probe) wait(d time.Duration) {
	p.clock.start(&p.mailbox, elapsed{}, max(d, time.Millisecond))
}

// stop ends what is under way.
func (p *probe) stop() {
	p.clock.start(&p.mailbox, elapsed{}, 0)
	if p.waiting != nil && p.waiting.client != nil {
		p.waiting.client.Abandon()
	}
	p.waiting = nil
}

// heardTarget and missedTarget count what a target has done, and tell when it
// comes up or goes down.
func (s *Server) heardTarget(name, uri string) {
	if s.trunks.Of(name).Heard(uri) {
		s.log.Log(s.ctx, slog.LevelInfo, "target is up", "trunk", name, "target", uri)
		s.report(TargetUp, name, uri, "target is up: "+uri)
		s.turned(name)
	}
}

func (s *Server) missedTarget(name, uri, why string) {
	if s.trunks.Of(name).Missed(uri, why) {
		s.log.Log(s.ctx, slog.LevelWarn, "target is down", "trunk", name, "target", uri, "reason", why)
		s.report(TargetDown, name, uri, "target is down: "+uri)
		s.turned(name)
	}
}

// restTarget leaves a target alone for as long as it has asked for.
func (s *Server) restTarget(name, uri string, rest time.Duration) {
	if s.trunks.Of(name).PenalizeTarget(uri, time.Now().Add(rest)) {
		s.log.Log(s.ctx, slog.LevelWarn, "target rests", "trunk", name, "target", uri, "dur", rest)
		s.report(TargetDown, name, uri, "target rests for "+rest.String()+": "+uri)
	}
	s.rests(name)
}

// rests watches over a trunk that is penalized, or of which a target is, until that
// is over. One timer does for all its penalties.
func (s *Server) rests(name string) {
	s.turned(name)
	if s.trunks.Of(name).Watch() {
		s.awaitRest(name)
	}
}

func (s *Server) awaitRest(name string) {
	up, next := s.trunks.Of(name).Rested()
	for _, uri := range up {
		s.report(TargetUp, name, uri, "target has rested: "+uri)
	}
	s.turned(name)
	if next.IsZero() {
		return
	}
	time.AfterFunc(max(time.Until(next), time.Millisecond), func() {
		if s.ctx.Err() == nil {
			s.awaitRest(name)
		}
	})
}

// turned tells when the whole trunk comes up or goes down, with a target or by a penalty.
func (s *Server) turned(name string) {
	switch alive, news := s.trunks.Of(name).Turned(); {
	case news && alive:
		s.report(TrunkUp, name, "", "trunk is up")
	case news:
		s.report(TrunkDown, name, "", "trunk is down")
	}
}

// fared counts how an attempt of a call at its target has ended. Whatever came
// from there shows that somebody is.
func (o *owner) fared(l *leg, code int, origin Origin) {
	if l.trunk == nil || l.client == nil && origin != OriginDNS && origin != OriginTransport {
		return
	}
	switch {
	case origin == OriginPeer && !unserved(code) || l.spoke && origin != OriginPeer:
		o.server.heardTarget(l.trunk.Name, l.place().next)
	case origin != OriginLocal:
		o.server.missedTarget(l.trunk.Name, l.place().next, strconv.Itoa(code)+" of a call: "+string(origin))
	}
}

// EnableTrunk lets a trunk take calls again, or no new ones: those to it go to
// the next target, those from it get 503. It lasts until the process ends; false:
// there is no such trunk.
func (s *Server) EnableTrunk(name string, on bool) bool {
	if s.settings().Trunks.Get(name) == nil {
		return false
	}
	if s.trunks.Of(name).Enable(on) {
		change, text := TrunkDisabled, "trunk is disabled"
		if on {
			change, text = TrunkEnabled, "trunk is enabled"
		}
		s.log.Info(text, "trunk", name)
		s.report(change, name, "", text)
	}
	return true
}
