package b2bua

import (
	"math"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/b2bua/refresh"
	"legwork/b2bua/trunk"
)

// Session timers (RFC 4028) end at each leg: what a leg agreed on is in its
// refresh.State, when it ends in its until, and timerSession is the one clock of
// both, for our own refresh and for the end.

// timerOf says what is wanted of session timers towards a trunk, before a route
// says more.
func (s *Server) timerOf(t *trunk.Trunk) *trunk.Timer {
	if t != nil && t.Timer != nil {
		return t.Timer
	}
	return &s.settings().Timer
}

// newTimer is a leg's session timer before its INVITE.
func (c *Call) newTimer(l *leg) refresh.State {
	if c.route.Timer != nil {
		return refresh.New(terms(c.route.Timer))
	}
	return refresh.New(terms(c.server.timerOf(l.trunk)))
}

// terms is a trunk.Timer in the seconds of the wire.
func terms(t *trunk.Timer) refresh.Terms {
	return refresh.Terms{Expires: seconds(t.Expires), Min: seconds(t.Min), Refresher: refresh.RoleOf(t.Refresher), Off: t.Off}
}

func seconds(d time.Duration) uint32 {
	return uint32(min(max(d/time.Second, 0), math.MaxUint32))
}

// untimely tells why an INVITE can't have the session timer that it asks for;
// code 0: it can, or asks for none.
func (s *Server) untimely(t *trunk.Trunk, req *message.Message) (code int, header message.Header) {
	if req.Method != "INVITE" {
		return 0, message.Header{}
	}
	state := refresh.New(terms(s.timerOf(t)))
	return state.Refuse(req)
}

// untimely tells why a request in a dialog can't have the session timer that it
// asks for.
func (c *Call) untimely(e request) (code int, header message.Header) {
	if !c.answered || !timed(e.req.Method) {
		return 0, message.Header{}
	}
	return e.leg.timing.Refuse(e.req)
}

// onlyRefreshes is true for an UPDATE that is there for the session timer and
// ends here: the timers end at each leg.
func (c *Call) onlyRefreshes(x *exchange) bool {
	return c.answered && x.req.Method == "UPDATE" && !x.modifies && refresh.Asks(x.req) && !x.from.timing.Off()
}

// timed is true for requests that refresh a session (RFC 4028 section 3).
func timed(method string) bool { return method == "INVITE" || method == "UPDATE" }

// askTimer writes into a request of ours what we want of the leg's timer.
func (c *Call) askTimer(l *leg, req *message.Message) {
	if c.answered && timed(req.Method) {
		l.timing.Ask(req)
	}
}

// grantTimer settles the leg's timer by our 2xx to a request of its peer.
func (c *Call) grantTimer(l *leg, req, res *message.Message) {
	if c.answered && timed(req.Method) && res.Status/100 == 2 {
		l.timing.Grant(req, res)
		c.restartTimer(l)
	}
}

// acceptTimer settles the leg's timer by the peer's 2xx to a request of ours.
func (c *Call) acceptTimer(l *leg, method string, res *message.Message) {
	if c.answered && timed(method) && res.Status/100 == 2 {
		l.timing.Accepted(res)
		c.restartTimer(l)
	}
}

// restartTimer counts from now: the session was refreshed.
func (c *Call) restartTimer(l *leg) {
	if !l.timing.Runs() {
		l.stop(timerSession)
		return
	}
	end := time.Duration(l.timing.End()) * time.Second
	l.until = time.Now().Add(end)
	if l.timing.Ours() {
		end = time.Duration(l.timing.Half()) * time.Second
	}
	l.after(timerSession, end)
}

// sessionDue refreshes the session of a leg, or ends the call when it is too
// late for that (RFC 4028 section 10).
func (c *Call) sessionDue(l *leg, stay phase) phase {
	left := time.Until(l.until)
	if left <= 0 {
		c.log().Info("session timer ran out", "leg", l.role.String())
		c.happened(EventTimer, l, "session: the %s has not refreshed it", l.who())
		return c.clear(goodbye{by: "timer", cause: sessionExpired})
	}
	l.after(timerSession, left)
	if l.timing.Ours() && !l.refreshing {
		c.refresh(l)
	}
	return stay
}

// sessionExpired is the Reason of a call whose session nobody refreshed.
const sessionExpired = `SIP;cause=408;text="Session timer expired"`

// refresh sends a refresh: an UPDATE without offer when the peer allows it, else
// a re-INVITE with the SDP that it has from us (RFC 4028 section 7.4).
func (c *Call) refresh(l *leg) {
	l.refreshing = true
	var before []byte
	method, edit := "INVITE", func(req *message.Message) {
		req.Set("Content-Type", accept)
		req.Body = l.ours
		before = l.theirs
	}
	if l.peer.update == allows || len(l.ours) == 0 {
		method, edit = "UPDATE", nil
	}
	c.errand(l, method, edit, func(res *message.Message) phase {
		l.refreshing = false
		if len(before) > 0 && !offer.Agree(before, l.theirs) {
			c.handOn(l)
		}
		return c.refreshed(l, method, res)
	})
}

// handOn offers to the other leg what the peer of this one has changed in its
// answer to a refresh. If that is refused, the call goes on as it was.
func (c *Call) handOn(l *leg) {
	to := l.other()
	c.errand(to, "INVITE", func(req *message.Message) {
		req.Set("Content-Type", accept)
		req.Body = offer.Continue(to.ours, l.theirs)
	}, func(res *message.Message) phase {
		if res.Status == 408 || res.Status == 481 {
			return c.clear(goodbye{by: to.who(), cause: reasonHeader(res.Status)})
		}
		return nil
	})
}

// refreshed takes the answer to a refresh of ours (RFC 4028 sections 7.2, 7.3
// and 10). A 2xx has restarted the timer already.
func (c *Call) refreshed(l *leg, method string, res *message.Message) phase {
	switch code := res.Status; {
	case code/100 == 2:
	case code == 408 || code == 481:
		return c.clear(goodbye{by: "timer", cause: reasonHeader(code)})
	case code == 422 && l.timing.TooSmall(res):
		c.refresh(l)
	case method == "UPDATE" && (code == 405 || code == 501) && len(l.ours) > 0:
		l.peer.update = refuses
		c.refresh(l)
	case l.timing.Alone() && code != 503:
		c.restartTimer(l)
	default:
		c.refreshLater(l, res)
	}
	return nil
}

// refreshLater tries a refresh again when the peer says, or half way to the end.
func (c *Call) refreshLater(l *leg, res *message.Message) {
	left := time.Until(l.until)
	pause := time.Duration(res.RetryAfter()) * time.Second
	if pause == 0 || pause >= left {
		pause = left / 2
	}
	if pause < time.Second {
		pause = left
	}
	l.after(timerSession, max(pause, time.Millisecond))
}
