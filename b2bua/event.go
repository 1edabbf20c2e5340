package b2bua

import (
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// event is one thing that can happen to a call; each type below is one.
type event interface{ event() }

type (
	// invited starts the call: the caller's INVITE, 100 is already out.
	invited struct{ posted time.Time }
	// decided is the router's answer to the question with that number.
	decided struct {
		asked int
		Decided
	}
	// response belongs to an INVITE or another request of ours.
	response struct {
		to  user
		res *message.Message
	}
	// failed says that a request of ours got no answer.
	failed struct {
		to  user
		err error
	}
	// request came in a dialog of the call.
	request struct {
		leg *leg
		tx  *transaction.Server
		req *message.Message
		// tag is our To tag in it: which early dialog is meant.
		tag string
	}
	// cancelled is a CANCEL for the INVITE of that transaction.
	cancelled struct {
		tx     *transaction.Server
		cancel *message.Message
	}
	// acked is an ACK to a 2xx of ours.
	acked struct {
		leg  *leg
		ack  *message.Message
		from transport.Flow
	}
	// elapsed is a timer; an older set of the same timer is not run.
	elapsed struct {
		timer timer
		leg   *leg // of a leg's timer
		set   int
	}
	// reached is the answer of a look-up that had to wait.
	reached struct {
		then func(transport.Flow, error)
		flow transport.Flow
		err  error
	}
	// hangUp comes from outside the call: an operator, a script, shutdown.
	hangUp struct {
		code int
		by   string
	}
	// witnessed is an ACK to a failure or an answer to a CANCEL, which a transaction
	// of the leg's took for itself.
	witnessed struct {
		leg *leg
		m   *message.Message
	}
	// derived is a CANCEL or ACK that a transaction of the leg's sent itself.
	derived struct {
		leg   *leg
		bytes []byte
	}
	// concluded says that on_end has returned.
	concluded struct{}
	// whenOver runs f once the call is over.
	whenOver struct{ f func() }
	// asked wants a snapshot of the call.
	asked struct{ to chan<- State }
	// noted is a line of a script.
	noted struct{ text, where string }
)

func (invited) event()   {}
func (decided) event()   {}
func (response) event()  {}
func (failed) event()    {}
func (request) event()   {}
func (cancelled) event() {}
func (acked) event()     {}
func (elapsed) event()   {}
func (reached) event()   {}
func (hangUp) event()    {}
func (noted) event()     {}
func (derived) event()   {}
func (witnessed) event() {}
func (concluded) event() {}
func (whenOver) event()  {}
func (asked) event()     {}

// user is what waits for a response: an INVITE of ours, a request that
// crosses, or a BYE.
type user interface{ transaction.User }

// timer names the timers of a call and of each leg; each runs at most once at a
// time.
type timer uint8

const (
	timerBudget   timer = iota // all attempts together
	timerRepeat                // 2xx once more
	timerDuration              // max_duration
	callTimers

	timerTry      timer = iota - 1 // no 1xx from this target
	timerRing                      // rang, nobody answered
	timerReliable                  // a reliable 1xx once more
	timerSession                   // the session is to be refreshed, or has expired
	timerRetry                     // a request of ours once more
	timerLeave                     // a referrer has not hung up itself
	timers
)

// clock is one timer.
type clock struct {
	timer *time.Timer
	set   int
}

// clock is the timer of the call, or of the leg.
func (c *Call) clock(l *leg, t timer) *clock {
	if l == nil {
		return &c.clocks[t]
	}
	return &l.clocks[t-callTimers]
}

// after sets a timer of the call; what it was set to before no longer counts. A
// zero or negative duration only stops it.
func (c *Call) after(t timer, d time.Duration) { c.set(nil, t, d) }

// after sets a timer of the leg.
func (l *leg) after(t timer, d time.Duration) { l.call.set(l, t, d) }

func (c *Call) set(l *leg, t timer, d time.Duration) {
	c.clock(l, t).start(&c.mailbox, elapsed{timer: t, leg: l}, d)
}

// start posts ev after d, marked with how often the clock was set till now.
func (k *clock) start(to *mailbox, ev elapsed, d time.Duration) {
	k.set++
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	if d > 0 {
		due := elapsed{timer: ev.timer, leg: ev.leg, set: k.set}
		k.timer = time.AfterFunc(d, func() { to.post(due) })
	}
}

// stop stops a timer of the call.
func (c *Call) stop(t timer) { c.set(nil, t, 0) }

// stopAll stops the timers of the leg.
func (l *leg) stopAll() {
	for t := callTimers; t < timers; t++ {
		l.stop(t)
	}
}

// stop stops a timer of the leg.
func (l *leg) stop(t timer) { l.call.set(l, t, 0) }
