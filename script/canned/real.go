package canned

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"legwork/script/lib"
)

// Outside lets what runs on virtual time ask the real network. A bubble of
// testing/synctest ends only with all that was started within, and a pool or a
// connection that is kept alive never does: so all that touches the network is
// run by a goroutine that was started before. Virtual time goes on at the speed
// of real time meanwhile, so that every deadline holds.
//
// Make it outside of the bubble with NewOutside; Close it there.
type Outside struct {
	transport http.RoundTripper
	mu        sync.Mutex // one asks for an errand at a time
	wanted    chan func(context.Context)
	begun     chan *errand
}

// errand is one function that runs outside. Its channels belong there: a bubble
// may wait for them, and is not idle while it does.
type errand struct {
	done chan struct{} // closed when the function has returned
	beat chan struct{} // every tick of real time
	stop chan struct{} // ends the function's context
}

// tick is how finely virtual time follows.
const tick = time.Millisecond

// NewOutside begins to wait for errands.
func NewOutside(transport http.RoundTripper) *Outside {
	o := &Outside{transport: transport, wanted: make(chan func(context.Context)), begun: make(chan *errand)}
	go o.serve()
	return o
}

// Close ends it, when nothing runs any more.
func (o *Outside) Close() { close(o.wanted) }

func (o *Outside) serve() {
	for f := range o.wanted {
		e := &errand{done: make(chan struct{}), beat: make(chan struct{}), stop: make(chan struct{}, 1)}
		go e.run(f)
		o.begun <- e
	}
}

func (e *errand) run(f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer close(e.done)
		f(ctx)
	}()
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-e.stop:
			cancel()
		case <-clock.C:
			select {
			case e.beat <- struct{}{}:
			case <-e.done:
				return
			case <-e.stop:
				cancel()
			}
		}
	}
}

// do runs f outside and returns with it. f must end with its context, which ends
// with ctx.
func (o *Outside) do(ctx context.Context, f func(context.Context)) {
	o.mu.Lock()
	o.wanted <- f
	e := <-o.begun
	o.mu.Unlock()
	gone := ctx.Done()
	for {
		select {
		case <-e.done:
			return
		case <-e.beat:
		}
		wait := time.NewTimer(tick)
		select {
		case <-wait.C:
		case <-gone:
			wait.Stop()
			gone = nil
			e.stop <- struct{}{}
		}
	}
}

// look is live, run outside.
func (o *Outside) look(ctx context.Context, live func(context.Context) (lib.Answer, error)) (a lib.Answer, err error) {
	o.do(ctx, func(ctx context.Context) { a, err = live(ctx) })
	return a, ended(ctx, err)
}

// RoundTrip implements http.RoundTripper: the whole of the answer is read
// outside.
func (o *Outside) RoundTrip(r *http.Request) (res *http.Response, err error) {
	o.do(r.Context(), func(ctx context.Context) {
		if res, err = o.transport.RoundTrip(r.Clone(ctx)); err != nil {
			return
		}
		var body []byte
		body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		_ = res.Body.Close() // all that is wanted was read
		if err != nil {
			res = nil
			return
		}
		res.Body = io.NopCloser(bytes.NewReader(body))
	})
	return res, ended(r.Context(), err)
}

// maxAnswer is more than scripts are given of an answer.
const maxAnswer = 2 << 20

// ended is the reason of who asked when that ended the errand.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
