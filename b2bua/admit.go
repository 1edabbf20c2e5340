package b2bua

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// admitted is a request outside any dialog that passes admit, or is about to.
type admitted struct {
	tx       *transaction.Server
	req      *message.Message
	flow     transport.Flow
	trunk    *trunk.Trunk // nil: unknown source, allowed
	tlsName  string       // that the source has proved
	load     *trunk.State // where an INVITE was counted in
	source   Source
	proof    proof
	mergeKey string
}

// admit finds out who has sent a request outside any dialog, and passes it on to
// enter: at once, unless its credentials have to wait.
func (s *Server) admit(tx *transaction.Server, req *message.Message, f transport.Flow) {
	set := s.settings()
	in := &admitted{tx: tx, req: req, flow: f, mergeKey: mergeKey(req)}
	in.trunk, in.tlsName = set.neighbour(f)
	in.trunk = s.registered(req, f.Remote.Addr(), in.trunk, set.Trunks)
	in.proof = s.prove(req, f, set)
	if own := set.Trunks.MatchUser(in.proof.user); own != nil { // who it is says more than where
		if in.trunk = own.Of(f.Remote.Addr()); in.trunk == nil {
			// The password is not to be used from there: nobody there shall learn that
			// it is the right one.
			in.proof.outcome, in.proof.user = digest.Wrong, ""
		}
	}
	if !s.leaveOutside(in, set) && !s.hold(in) {
		s.enter(in)
	}
}

// enter checks a request in the order of RFC 3261 section 8.2, and answers it if
// it fails.
func (s *Server) enter(in *admitted) {
	set, req := s.settings(), in.req
	if in.trunk == nil && set.UnknownSources != AllowUnknown && in.proof.outcome != digest.OK {
		s.turnAway(in, set)
		return
	}
	if code, headers := s.inspect(req); code != 0 {
		s.refuse(in.tx, req, reasonOf(code), code, headers...)
		return
	}
	if code, header := s.untimely(in.trunk, req); code != 0 {
		s.refuse(in.tx, req, refusedTimer, code, header)
		return
	}
	if why := s.overload(req, in.flow); why != noReason {
		s.log.Debug("request refused", "reason", why.String(), "source", in.flow.Remote.String())
		s.refuse(in.tx, req, why, 503, later())
		return
	}
	if !s.countIn(in) {
		return
	}
	in.source = sourceAt(in.flow)
	in.source.Account, in.source.TLSName = in.proof.user, in.tlsName
	if t := in.trunk; t != nil {
		in.source.Trunk, in.source.Params = t.Name, t.Params
	}
	if req.Method == "INVITE" {
		s.begin(in)
		return
	}
	s.outside(in)
}

// countIn counts an INVITE against the limits of its trunk; false: that takes no
// more.
func (s *Server) countIn(in *admitted) bool {
	if in.trunk == nil || in.req.Method != "INVITE" {
		return true
	}
	load := s.trunks.Of(in.trunk.Name)
	if err := load.Admit(); err != nil {
		s.log.Info("call refused", "trunk", in.trunk.Name, "err", err, "code", 503)
		s.refuse(in.tx, in.req, refusedTrunk, 503, later())
		return false
	}
	in.load = load
	return true
}

// inspect is what a request must be before anybody asks who sent it.
func (s *Server) inspect(req *message.Message) (code int, headers []message.Header) {
	switch {
	case !dialable(req.URI):
		return 416, nil
	case spent(req.Get("Max-Forwards")) && req.Method != "OPTIONS":
		return 483, nil
	}
	if tags := s.unsupported(req); tags != "" {
		return 420, []message.Header{{Name: "Unsupported", Value: tags}}
	}
	if s.index.party(req.CallID(), req.FromTag()) != nil {
		return 482, nil // our own request has come back to us
	}
	return 0, nil
}

// spent is true for a Max-Forwards of 0, also one written as 00.
func spent(hops string) bool { return hops != "" && strings.Trim(hops, "0") == "" }

// methods are those that mean something to us, in a dialog or outside.
var methods = map[string]bool{
	"INVITE": true, "ACK": true, "CANCEL": true, "BYE": true, "OPTIONS": true, "REGISTER": true,
	"INFO": true, "MESSAGE": true, "NOTIFY": true, "UPDATE": true, "PRACK": true, "REFER": true,
	"SUBSCRIBE": true, "PUBLISH": true, "SERVICE": true, "BENOTIFY": true,
}

// dialable are the schemes we can honour; see sips.go.
func dialable(uri string) bool {
	u, err := message.ParseURI(uri)
	return err == nil && (u.IsSIP() || u.Scheme == "tel")
}

// unsupported lists the required options that we can't do (RFC 3261 section
// 8.2.2.3).
func (s *Server) unsupported(req *message.Message) string {
	if req.Method == "CANCEL" || req.Method == "ACK" {
		return ""
	}
	var tags []string
	for t := range req.Tokens("Require") {
		if !strings.Contains(" "+extensions+",", " "+strings.ToLower(t)+",") {
			tags = append(tags, t)
		}
	}
	return strings.Join(tags, ", ")
}

// overload says why a request can't be taken now, if it can't. Other requests
// than INVITE are no calls: a source may send as many a second again.
func (s *Server) overload(req *message.Message, f transport.Flow) reason {
	limits := &s.settings().Limits
	switch {
	case s.draining.Load():
		return refusedDraining
	case req.Method != "INVITE":
		if !s.others.pass(f.Remote.Addr(), &Limits{PerSourceCPS: limits.PerSourceCPS}) {
			return refusedCPS
		}
		return noReason
	case limits.Calls > 0 && s.active.Load() >= int64(limits.Calls):
		return refusedCalls
	case limits.QueueDelay > 0 && s.delay.now() > limits.QueueDelay:
		return refusedDelay
	case !s.gate.pass(f.Remote.Addr(), limits):
		return refusedCPS
	}
	return noReason
}

// mergeKey is what merged requests share (RFC 3261 section 8.2.2.2).
func mergeKey(m *message.Message) string {
	n, _, _ := m.CSeq()
	return m.CallID() + "\x00" + m.FromTag() + "\x00" + strconv.FormatUint(uint64(n), 10)
}

// gate counts calls a second, in all and per source.
type gate struct {
	mu      sync.Mutex // guards the buckets
	all     *rate.Limiter
	sources map[netip.Addr]*bucket
}

type bucket struct {
	*rate.Limiter
	used time.Time
}

// maxSources bounds the memory that spoofed addresses can take.
const maxSources = 65536

func newGate() *gate {
	return &gate{all: rate.NewLimiter(rate.Inf, 1), sources: map[netip.Addr]*bucket{}}
}

// pass takes one call of a source, if its limits allow.
func (g *gate) pass(source netip.Addr, l *Limits) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if l.PerSourceCPS > 0 {
		b := g.sources[source]
		if b == nil {
			g.makeRoom(now)
			b = &bucket{Limiter: newBucket(l.PerSourceCPS)}
			g.sources[source] = b
		}
		b.used = now
		setRate(b.Limiter, l.PerSourceCPS)
		if !b.AllowN(now, 1) {
			return false
		}
	}
	if l.CPS <= 0 {
		return true
	}
	setRate(g.all, l.CPS)
	return g.all.AllowN(now, 1)
}

// newBucket allows a burst of one second.
func newBucket(perSecond float64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), max(int(perSecond), 1))
}

func setRate(l *rate.Limiter, perSecond float64) {
	if l.Limit() != rate.Limit(perSecond) {
		l.SetLimit(rate.Limit(perSecond))
		l.SetBurst(max(int(perSecond), 1))
	}
}

// makeRoom forgets sources that have been quiet, or all when most have not:
// looking for them takes time.
func (g *gate) makeRoom(now time.Time) {
	if len(g.sources) < maxSources {
		return
	}
	for source, b := range g.sources {
		if now.Sub(b.used) > time.Second {
			delete(g.sources, source)
		}
	}
	if len(g.sources) > maxSources*3/4 {
		clear(g.sources)
	}
}
