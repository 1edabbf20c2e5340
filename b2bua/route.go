package b2bua

import (
	"context"
	"fmt"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// Defaults of contract/lua-api.md section 4.
const (
	defaultTry    = 5 * time.Second
	defaultRing   = 60 * time.Second
	defaultBudget = 90 * time.Second
)

// routing is the first phase: the router has been asked where the call goes.
func (c *Call) routing(ev event) phase {
	switch e := ev.(type) {
	case invited:
		c.server.delay.saw(time.Since(e.posted))
		return c.begin()
	case decided:
		if e.asked == c.asked {
			return c.obey(e.Decided)
		}
	case examined:
		if e.asked == c.asked {
			return c.judged(e.verdict)
		}
	default:
		return c.beforeAnswer(ev, (*Call).routing)
	}
	return (*Call).routing
}

// begin asks the router, outside the mailbox: it may wait.
func (c *Call) begin() phase {
	c.tell(Event{Kind: EventBegan, Leg: c.a.view(), Message: c.invite, Record: c.record})
	c.watch(c.a)
	c.heard(c.a, c.invite)
	c.sent(c.a, c.invite.Respond(100, "", ""), c.a.tx.Sent())
	if c.wants(HookInbound) {
		c.invite = c.invite.Clone()
		c.router.Inbound(c.a.view(), c.invite)
	}
	if _, replaces := c.invite.Lookup("Replaces"); replaces {
		return c.beginReplacing()
	}
	return c.consult()
}

// consult asks the router where the call goes.
func (c *Call) consult() phase {
	lent := lentTo(c.invite.URI)
	if !c.wants(HookInvite) && lent == nil {
		return c.obey(Decided{})
	}
	v, asked := c.view(), c.wants(HookInvite)
	c.ask(func(ctx context.Context) (d Decided) {
		if asked {
			d = c.router.Invite(ctx, v)
		}
		if d.Decision == nil {
			d.Decision = lent
		}
		return d
	})
	return (*Call).routing
}

// obey does what on_invite decided.
func (c *Call) obey(d Decided) phase {
	c.decidedBy("on_invite", d)
	switch e := d.Decision.(type) {
	case nil:
		return c.defaultRoute()
	case Route:
		return c.follow(e)
	case Reject:
		return c.reject(e)
	case Redirect:
		return c.redirect(e)
	case Challenge:
		return c.challenge(e)
	case Drop:
		if c.onBehalf != nil { // nobody to be dropped is waiting
			return c.reject(Reject{Code: 603})
		}
		c.a.tx.Drop()
		return c.clear(goodbye{by: "script"})
	case Failed:
		return c.reject(Reject{Code: 500})
	default:
		c.log().Error("decision is not one of on_invite", "hook", "on_invite", "err", fmt.Sprintf("%T", e))
		return c.reject(Reject{Code: 500})
	}
}

func (c *Call) defaultRoute() phase {
	if c.succeeds != nil {
		return c.succeed()
	}
	if name := c.server.settings().DefaultRoute; name != "" {
		return c.follow(Route{Targets: []Target{{Trunk: name}}})
	}
	return c.reject(Reject{Code: 404})
}

// reject answers the caller with a failure made here.
func (c *Call) reject(r Reject) phase {
	res := c.failureOf(r.Code, r.Reason)
	res.Replace(r.Headers)
	return c.refuse(res, OriginLocal, "script")
}

func (c *Call) redirect(r Redirect) phase {
	res := c.failureOf(r.Code, "")
	for _, contact := range r.Contacts {
		res.Add("Contact", contact)
	}
	return c.refuse(res, OriginLocal, "script")
}

// follow takes a route and tries its first target.
func (c *Call) follow(r Route) phase {
	r.Try, r.Ring, r.Budget = orDefault(r.Try, defaultTry), orDefault(r.Ring, defaultRing), orDefault(r.Budget, defaultBudget)
	c.route = r
	if c.succeeds != nil {
		return c.succeed()
	}
	c.a.timing = c.newTimer(c.a)
	if code, header := c.a.timing.Refuse(c.invite); code != 0 {
		return c.reject(Reject{Code: code, Headers: []message.Header{header}})
	}
	if c.a.peer.requires && c.prack(c.a) == trunk.NoPRACK {
		return c.reject(Reject{Code: 420, Headers: []message.Header{{Name: "Unsupported", Value: "100rel"}}})
	}
	c.stages = c.expand(c.server.order(&r, c.invite, c.dice()), r.Strategy == Parallel)
	if len(c.stages) == 0 {
		return c.reject(Reject{Code: 404})
	}
	c.after(timerBudget, r.Budget)
	return c.next()
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// hop is one place to send an INVITE to: a target's URI, or one of the
// endpoints of its trunk.
type hop struct {
	target Target
	uri    string // Request-URI
	next   string // URI of the next hop
	trunk  *trunk.Trunk
	then   []hop            // further places of the same target, when it is tried beside others
	at     *located         // of a registered contact; nil: anything else
	flow   transport.Flow   // one of the addresses of next; the zero value: they are not known yet
	others []transport.Flow // the others, not tried yet
	sips   bool             // only TLS may lead there
	listed bool             // in a 3xx
	sent   bool             // by a 3xx to a host that is not its trunk's: it gets no credentials
}

// expand turns targets into stages that are tried one after the other. A target
// of its own gives one for each of its places; those that are tried together
// share one, and each keeps its further places to itself.
func (c *Call) expand(targets []Target, together bool) [][]hop {
	var stages [][]hop
	grouped := false // the last stage is that of the target's group
	for i, t := range targets {
		hops := c.server.places(t, c.invite.URI, c.dice())
		beside := i > 0 && (together || t.Beside)
		grouped = grouped && beside
		shared := beside || i+1 < len(targets) && (together || targets[i+1].Beside)
		switch {
		case len(hops) == 0:
		case !shared:
			for _, h := range hops {
				stages = append(stages, []hop{h})
			}
		default:
			hops[0].then = hops[1:]
			if !grouped {
				stages = append(stages, nil)
			}
			last := &stages[len(stages)-1]
			*last = append(*last, hops[0])
			grouped = true
		}
	}
	return stages
}

// places are where a target is: its URI, or the endpoints of its trunk. asked is
// the Request-URI of the request that goes there.
func (s *Server) places(t Target, asked string, drawn func() float64) []hop {
	table := s.settings().Trunks
	if t.URI != "" {
		h := hop{target: t, uri: t.requestURI(t.URI, ""), next: t.URI, trunk: table.Get(t.Trunk), at: t.located, sips: isSIPS(t.URI) || isSIPS(asked)}
		if h.at != nil && len(h.at.routes) > 0 {
			h.next = message.URIOf(h.at.routes[0])
		}
		return []hop{h}
	}
	tr := table.Get(t.Trunk)
	if tr == nil {
		s.log.Warn("route names a trunk that does not exist", "trunk", t.Trunk)
		return nil
	}
	var hops []hop
	state := s.trunks.Of(tr.Name)
	routes := state.Routes()
	for _, e := range tr.Pick(drawn, state.Down) {
		h := hop{target: t, uri: t.requestURI(e.URI, asked), next: e.URI, trunk: tr, sips: isSIPS(e.URI) || isSIPS(asked)}
		if len(routes) > 0 { // one way, whatever the targets
			h.next, h.at = message.URIOf(routes[0]), &located{routes: routes}
			return []hop{h}
		}
		hops = append(hops, h)
	}
	return hops
}

// requestURI is a target's URI with the user and host that its decision asks
// for. Where it has no user, that of asked stays.
func (t *Target) requestURI(text, asked string) string {
	u, err := message.ParseURI(text)
	if err != nil {
		return text
	}
	switch {
	case t.User != "":
		u.User = t.User
	case asked != "" && u.User == "":
		if asked, err := message.ParseURI(asked); err == nil {
			u.User = asked.User
		}
	}
	if t.Host != "" {
		if host, err := message.ParseURI("sip:" + t.Host); err == nil {
			u.Host, u.Port = host.Host, host.Port
		}
	}
	return u.String()
}

// describe is a decision in one line, for the ladder.
func describe(d Decision) string {
	switch e := d.(type) {
	case nil:
		return "default"
	case Route:
		text := "route"
		for _, t := range e.Targets {
			text += " " + t.name()
		}
		return text
	case Reject:
		return fmt.Sprintf("reject %d %s", e.Code, e.Reason)
	case Redirect:
		return fmt.Sprintf("redirect %d", e.Code)
	case Challenge:
		return "challenge"
	case Drop:
		return "drop"
	case Next:
		return "next"
	case Fail:
		return "fail"
	case Reply:
		return fmt.Sprintf("reply %d", e.Code)
	case Skip:
		return "skip"
	case Pass:
		return "pass"
	case Transfer:
		text := "transfer"
		for _, t := range e.Targets {
			text += " " + t.name()
		}
		return text
	case Suppress:
		return "suppress"
	case HangUp:
		return fmt.Sprintf("hang up %d", e.Code)
	case Accept:
		return "accept"
	case Failed:
		return "error: " + e.Err.Error()
	}
	return fmt.Sprintf("%T", d)
}

func (t Target) name() string {
	if t.AOR != "" {
		return t.AOR
	}
	if t.Trunk != "" {
		return t.Trunk
	}
	return t.URI
}
