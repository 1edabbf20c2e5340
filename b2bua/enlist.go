package b2bua

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// upstream is our registration with one trunk, as its client (RFC 3261 section
// 10.2): one REGISTER at a time, the next target when one is dead, a refresh
// before the binding ends, and a longer and longer rest behind failures. Its
// mailbox owns it; router and source stay empty.
type upstream struct {
	owner
	name, listen string // the trunk's
	account      trunk.Register
	registrar    string // URI of the domain
	user, line   string // of our Contact; the line tells it from all others
	met          map[netip.Addr]bool

	trunk   *trunk.Trunk // as configured last
	state   trunk.Registration
	callID  string
	tag     string
	cseq    uint32
	expires time.Duration    // asked for: as configured, or more since a 423
	digest  *digest.Client   // nil: before the first challenge of a round
	left    []trunk.Endpoint // targets of this round that were not asked yet
	others  []transport.Flow // further addresses of the one that is
	now     *enlisting       // nil: at rest
	clock   clock            // patience with an answer, else the rest until the next REGISTER
	told    string           // what was logged last
	leaving bool
	uplink  uplink
}

// enlisting is one REGISTER at one target.
type enlisting struct {
	upstream *upstream
	target   string
	flow     transport.Flow
	req      *message.Message
	client   *transaction.Client
	tries    int
}

// Response posts an answer; see transaction.User.
func (q *enlisting) Response(_ *transaction.Client, res *message.Message) {
	q.upstream.post(response{q, res})
}

// Failed posts that there was none.
func (q *enlisting) Failed(_ *transaction.Client, err error) { q.upstream.post(failed{q, err}) }

type (
	// enlisted says what trunk to register with.
	enlisted struct{ trunk *trunk.Trunk }
	// resigned ends a registration.
	resigned struct{}
)

func (enlisted) event() {}
func (resigned) event() {}

// enlistPatience is how long a target may take to answer before the next is
// asked. enlistFor is what is asked for where nothing is configured.
const (
	enlistPatience = 10 * time.Second
	enlistFor      = time.Hour
)

var (
	errSilent  = errors.New("no answer")
	errUnbound = errors.New("the answer does not keep our contact")
)

func (s *Server) newUpstream(t *trunk.Trunk) *upstream {
	r := *t.Register
	u := &upstream{
		name: t.Name, listen: t.Listen, account: r, registrar: registrarOf(r.AOR), user: r.ContactUser,
		line: randomHex(8), met: make(map[netip.Addr]bool), callID: s.newCallID(), tag: s.newTag(),
	}
	if u.user == "" {
		u.user = userOf(r.AOR)
	}
	u.id, u.server, u.serves, u.crew = t.Name, s, u, &s.crew
	u.state.AOR = r.AOR
	return u
}

// handle is the whole life of a registration.
func (u *upstream) handle(ev event) {
	defer func() {
		if r := recover(); r != nil {
			u.fault(r)
		}
	}()
	switch e := ev.(type) {
	case enlisted:
		u.follow(e.trunk)
	case resigned:
		u.resign()
	case reached:
		e.then(e.flow, e.err)
	case severed:
		u.cutOff(e)
	case elapsed:
		if e.set == u.clock.set && u.server.ctx.Err() == nil {
			u.due()
		}
	case response:
		if q, ok := e.to.(*enlisting); ok && q == u.now && e.res.Status >= 200 {
			u.answered(q, e.res)
		}
	case failed:
		if q, ok := e.to.(*enlisting); ok && q == u.now {
			u.lost(nil, e.err)
		}
	}
}

// follow takes the trunk as it is configured now, and registers when that is
// news.
func (u *upstream) follow(t *trunk.Trunk) {
	before := u.trunk
	u.trunk = t
	if before != nil && sameAccount(before, t) {
		return
	}
	u.expires = orDefault(t.Register.Expires, enlistFor)
	u.state.Failures = 0
	u.begin()
}

// due is what the clock was set for.
func (u *upstream) due() {
	switch {
	case u.now != nil:
		u.lost(nil, errSilent)
	case time.Now().Before(u.state.Next):
		u.tell(slog.LevelError, RegistrationDown, "registration has run out")
		u.rest()
	default:
		u.begin()
	}
}

// begin is a round through the targets: the one that has us comes first, those
// that are down last.
func (u *upstream) begin() {
	u.stop()
	u.digest = nil
	u.left = u.trunk.Pick(u.server.cfg.Rand, u.server.trunks.Of(u.name).Down)
	if i := slices.IndexFunc(u.left, func(e trunk.Endpoint) bool { return e.URI == u.state.Target }); i > 0 && u.state.Bound() {
		at := u.left[i]
		u.left = slices.Insert(slices.Delete(u.left, i, i+1), 0, at)
	}
	u.state.Next = time.Time{}
	u.publish()
	u.next()
}

// next asks the next target.
func (u *upstream) next() {
	if len(u.left) == 0 {
		u.failed()
		return
	}
	at := u.left[0].URI
	u.left, u.others = u.left[1:], nil
	u.ask(at, u.expires)
}

// ask finds the way to a target and sends it a REGISTER.
func (u *upstream) ask(target string, expires time.Duration) {
	q := &enlisting{upstream: u, target: target}
	u.now = q
	u.wait(enlistPatience)
	u.reach(target, u.listen, func(flows []transport.Flow, err error) {
		switch {
		case u.now != q:
		case err != nil:
			u.lost(nil, err)
		default:
			u.others = flows[1:]
			u.askAt(q, flows[0], expires)
		}
	})
}

// askAt sends a target the REGISTER at one of its addresses.
func (u *upstream) askAt(q *enlisting, f transport.Flow, expires time.Duration) {
	q.flow = f
	u.meet(f.Remote.Addr())
	u.send(q, u.request(q, expires))
}

// request is the REGISTER, with what saves it a challenge.
func (u *upstream) request(q *enlisting, expires time.Duration) *message.Message {
	m := &message.Message{Method: "REGISTER", URI: u.registrar, Headers: make([]message.Header, 0, 12)}
	aor := "<" + u.account.AOR + ">"
	m.Add("Max-Forwards", strconv.Itoa(maxForwards))
	m.Add("From", message.WithTag(aor, u.tag))
	m.Add("To", aor)
	m.Add("Call-ID", u.callID)
	m.Add("Contact", u.contact(q.flow))
	m.Add("Expires", strconv.Itoa(int(expires/time.Second)))
	m.Add("Supported", "path")
	m.Add("Allow", allow)
	u.sign(m)
	u.number(m)
	if u.digest != nil {
		m.Headers = append(m.Headers, u.digest.Authorize(m)...)
	}
	return m
}

func (u *upstream) contact(f transport.Flow) string {
	uri := "<sip:" + u.user + "@" + f.Listener.SentBy()
	if param := f.Param(); param != "" {
		uri += ";transport=" + param
	}
	return uri + ";line=" + u.line + ">"
}

// number gives a request the CSeq that follows (RFC 3261 section 10.2).
func (u *upstream) number(m *message.Message) {
	u.cseq++
	setSeq(m, u.cseq)
}

func (u *upstream) send(q *enlisting, m *message.Message) {
	q.tries++
	q.req = m
	q.client = u.server.layer.Request(m, q.flow, q)
	u.server.watchOwn(q.flow.Remote.Addr(), u.name, m, q.client.Sent())
}

// answered takes a final answer.
func (u *upstream) answered(q *enlisting, res *message.Message) {
	u.server.dead.revive(q.flow)
	if u.digest != nil {
		u.digest.Learn(res)
	}
	switch code := res.Status; {
	case code < 300:
		u.accepted(q, res)
	case code == 401 || code == 407:
		again, err := u.prove(q, res)
		if err != nil {
			u.refused(res, err)
			return
		}
		u.send(q, again)
	case code == 423 && u.longer(q, res):
		again := u.request(q, u.expires)
		u.send(q, again)
	case code == 408 || code/100 == 5:
		u.lost(res, nil)
	default:
		u.refused(res, nil)
	}
}

// prove is a REGISTER once more with what its challenge asks for.
func (u *upstream) prove(q *enlisting, res *message.Message) (*message.Message, error) {
	auth := u.trunk.Auth
	if auth == nil {
		return nil, digest.ErrNoCredentials
	}
	if u.digest == nil {
		u.digest = &digest.Client{}
	}
	headers, err := u.digest.Answer(res, q.req, func(string) (digest.Credentials, bool) {
		return digest.Credentials{User: auth.User, Password: auth.Password}, true
	})
	if err == nil && q.tries >= maxTries {
		err = digest.ErrRejected
	}
	if err != nil {
		return nil, err
	}
	again := q.req.Clone()
	again.Del("Authorization")
	again.Del("Proxy-Authorization")
	again.Headers = append(again.Headers, headers...)
	u.number(again)
	return again, nil
}

// longer takes the least time that a registrar keeps anybody; false: it asks for
// nothing that is more.
func (u *upstream) longer(q *enlisting, res *message.Message) bool {
	least, err := strconv.ParseUint(strings.TrimSpace(res.Get("Min-Expires")), 10, 32)
	asked := time.Duration(least) * time.Second
	if err != nil || asked <= u.expires || asked > mostEnlisted || u.leaving || q.tries >= maxTries {
		return false
	}
	u.expires = asked
	return true
}

// mostEnlisted caps what a registrar may make of our time.
const mostEnlisted = 7 * 24 * time.Hour

// accepted takes a 2xx: the registrar keeps our contact, for so long.
func (u *upstream) accepted(q *enlisting, res *message.Message) {
	u.state.Code, u.state.Reason = res.Status, res.Reason
	if u.leaving {
		u.gone()
		return
	}
	granted := u.granted(res)
	if granted <= 0 {
		u.refused(res, errUnbound)
		return
	}
	u.now = nil
	u.state.Target, u.state.Until, u.state.Failures = q.target, time.Now().Add(granted), 0
	u.state.Routes = serviceRoutes(res)
	u.state.Next = time.Now().Add(u.refreshAfter(granted))
	u.tell(slog.LevelInfo, RegistrationUp, "registered")
	u.hold(q.flow)
	u.publish()
	u.rest()
}

// granted is the time that an answer gives to our contact (RFC 3261 section
// 10.2.4).
func (u *upstream) granted(res *message.Message) time.Duration {
	seconds := strconv.Itoa(int(u.expires / time.Second))
	if all := res.Get("Expires"); all != "" {
		seconds = all
	}
	for _, text := range res.List("Contact") {
		a, err := message.ParseAddr(text)
		if err != nil {
			continue
		}
		uri, _ := message.ParseURI(a.URI)
		if line, _ := uri.Params.Get("line"); line != u.line {
			continue
		}
		if own, ok := a.Params.Get("expires"); ok {
			seconds = own
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(seconds), 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, mostEnlisted)
}

// refreshAfter is between three quarters and nine tenths of a binding's time,
// so that many are not refreshed at once.
func (u *upstream) refreshAfter(granted time.Duration) time.Duration {
	part := 0.75 + 0.15*u.server.cfg.Rand()
	return max(time.Duration(float64(granted)*part), time.Second)
}

// serviceRoutes reads the way that a registrar wants requests of ours to take
// (RFC 3608).
func serviceRoutes(res *message.Message) []string {
	var routes []string
	for _, text := range res.List("Service-Route") {
		if len(routes) < maxServiceRoutes && dialable(message.URIOf(text)) {
			routes = append(routes, strings.Clone(text))
		}
	}
	return routes
}

const maxServiceRoutes = 8

// lost gives an address up that is dead, and asks the next of the target, then
// the next target.
func (u *upstream) lost(res *message.Message, err error) {
	u.blame(res, err)
	q := u.now
	if q.client != nil {
		q.client.Abandon()
	}
	if res == nil {
		u.server.dead.bury(q.flow, deadFor)
	}
	if len(u.others) == 0 || u.leaving {
		u.next()
		return
	}
	u.now = &enlisting{upstream: u, target: q.target}
	f := u.others[0]
	u.others = u.others[1:]
	u.wait(enlistPatience)
	u.askAt(u.now, f, u.expires)
}

// refused ends the round: another target would say the same.
func (u *upstream) refused(res *message.Message, err error) {
	u.blame(res, err)
	u.failed()
}

// blame keeps why.
func (u *upstream) blame(res *message.Message, err error) {
	u.state.Code, u.state.Reason = 0, ""
	if res != nil {
		u.state.Code, u.state.Reason = res.Status, res.Reason
	}
	if err != nil {
		u.state.Reason = err.Error()
	}
	if pause := retryAfter(res); pause > 0 {
		u.state.Next = time.Now().Add(pause)
	}
}

// retryAfter is how long an answer asks for a rest, up to the longest of ours.
func retryAfter(res *message.Message) time.Duration {
	if res == nil {
		return 0
	}
	return min(time.Duration(res.RetryAfter())*time.Second, longestRest)
}

// A rest behind failures doubles from the shortest to the longest (RFC 5626
// section 4.5).
const (
	shortestRest = 30 * time.Second
	longestRest  = 30 * time.Minute
)

// failed ends a round in vain.
func (u *upstream) failed() {
	if u.leaving {
		u.gone()
		return
	}
	u.now = nil
	u.state.Failures++
	u.state.Next = time.Now().Add(u.pause(time.Until(u.state.Next)))
	u.tell(slog.LevelWarn, RegistrationFailed, fmt.Sprintf("registration failed: %d %s", u.state.Code, u.state.Reason))
	u.publish()
	u.rest()
}

// pause is the rest behind failures, or what a registrar has asked for: who asks
// for a short one again and again is believed less each time.
func (u *upstream) pause(asked time.Duration) time.Duration {
	if asked > 0 {
		return max(asked, min(time.Second<<min(u.state.Failures, 10), shortestRest))
	}
	pause := min(shortestRest<<min(u.state.Failures, 10), longestRest)
	return pause - time.Duration(float64(pause)/2*u.server.cfg.Rand())
}

// rest waits for the next REGISTER, or for the moment the binding ends, which is
// worth telling.
func (u *upstream) rest() {
	next := u.state.Next
	if u.state.Bound() && u.state.Until.Before(next) {
		next = u.state.Until
	}
	u.wait(max(time.Until(next), time.Millisecond))
}

func (u *upstream) wait(d time.Duration) { u.clock.start(&u.mailbox, elapsed{}, d) }

func (u *upstream) stop() { u.wait(0) }
