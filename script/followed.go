package script

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lib"
)

// followed is a call of the live generation that a shadow follows. Its hooks
// write down here what they met; the shadow reads that once they have returned.
type followed struct {
	of   *shadow
	over atomic.Bool // nothing more of it is compared

	mu      sync.Mutex       // guards all below
	seen    *message.Message // the caller's INVITE as the engine has it
	req     *message.Message // a copy of it
	answers map[string][]answered
	kept    int // bytes of answers
	edits   map[string][]b2bua.Edit
}

// answered is what the call got for a question.
type answered struct {
	value any
	err   error
}

// memory is what a call remembers in a hook.
type memory interface{ within(hook string) lib.Memo }

func (f *followed) within(hook string) lib.Memo { return heard{f, hook} }

// heard writes down what a hook gets.
type heard struct {
	f    *followed
	hook string
}

// drawn is the key of random numbers.
const drawn = " random"

// Recall knows nothing: the live call asks.
func (h heard) Recall(string) (any, error, bool) { return nil, nil, false }

func (h heard) Refuse(string) error { return nil }

func (h heard) Keep(key string, value any, err error) { h.f.keep(h.hook+" "+key, answered{value, err}) }

func (h heard) Draws(live rand.Source) rand.Source { return drawing{h, live} }

type drawing struct {
	heard
	live rand.Source
}

// Uint64 implements rand.Source.
func (d drawing) Uint64() uint64 {
	n := d.live.Uint64()
	d.f.keep(d.hook+drawn, answered{n, nil})
	return n
}

// keep gives a call up that asks more than can be remembered.
func (f *followed) keep(key string, one answered) {
	if f.over.Load() {
		return
	}
	f.mu.Lock()
	if f.answers == nil {
		f.answers = map[string][]answered{}
	}
	f.kept += len(key) + weightOf(one.value)
	full := len(f.answers[key]) == maxAnswers || f.kept > maxHeard
	if !full {
		f.answers[key] = append(f.answers[key], one)
	}
	f.mu.Unlock()
	if full {
		f.giveUp()
	}
}

// weightOf is about how many bytes an answer takes.
func weightOf(value any) int {
	n := 16
	switch v := value.(type) {
	case lib.Answer:
		n += len(v.Body) + weightOf(v.Value)
	case string:
		n += len(v)
	case []any:
		for _, one := range v {
			n += weightOf(one)
		}
	case map[string]any:
		for key, one := range v {
			n += len(key) + weightOf(one)
		}
	}
	return n
}

func (f *followed) giveUp() {
	if !f.over.Swap(true) {
		f.part()
		f.of.count(func(t *ShadowTally) { t.Skipped++ })
	}
}

// post hands a hook over, and never waits: a call that the shadow has no time for
// is given up.
func (f *followed) post(j job) {
	if f.over.Load() || f.of.ended() {
		return
	}
	j.of, j.size = f, weigh(j.before)+weigh(j.after)
	if f.of.queued.Add(j.size) > maxQueued || !f.send(j) {
		f.of.queued.Add(-j.size)
		f.giveUp()
	}
}

func (f *followed) send(j job) bool {
	select {
	case f.of.jobs <- j:
		return true
	default:
		return false
	}
}

// close tells that the call is over, behind all that was handed over.
func (f *followed) close() {
	if f.over.Load() || f.of.ended() || !f.send(job{of: f, last: true}) {
		f.of.leave(f)
	}
}

// weigh is about how many bytes a message takes.
func weigh(m *message.Message) int64 {
	if m == nil {
		return 0
	}
	n := len(m.Raw) + len(m.Body)
	for i := range m.Headers {
		n += len(m.Headers[i].Name) + len(m.Headers[i].Value) + 32
	}
	return int64(n)
}

// shown is a view that the shadow may keep.
func (f *followed) shown(v b2bua.View) b2bua.View {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v.Request != nil && v.Request != f.seen {
		f.seen, f.req = v.Request, v.Request.Clone()
	}
	v.Request = f.req
	return v
}

// overhearing is the handle of a followed call: it notes edits.
type overhearing struct {
	b2bua.Handle
	f       *followed
	watched bool // by somebody else too
}

func (o *overhearing) Watched() bool { return true }

func (o *overhearing) Tell(ev b2bua.Event) {
	if ev.Kind == b2bua.EventEdited {
		o.f.edited(&ev)
	}
	if o.watched {
		o.Handle.Tell(ev)
	}
}

// responsesHook is what M.responses is called in events.
const responsesHook = "responses"

func (f *followed) edited(ev *b2bua.Event) {
	hook := ev.Hook
	if hook == responsesHook {
		hook = hookName(b2bua.HookFinal)
	}
	if f.over.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.edits == nil {
		f.edits = map[string][]b2bua.Edit{}
	}
	if len(f.edits[hook]) < 2*maxTold {
		f.edits[hook] = append(f.edits[hook], ev.Edits.List...)
	}
}

// written takes the edits of a hook that has returned.
func (f *followed) written(hook b2bua.Hook) []b2bua.Edit {
	f.mu.Lock()
	defer f.mu.Unlock()
	edits := f.edits[hookName(hook)]
	delete(f.edits, hookName(hook))
	return edits
}

// followedRouter is the router of such a call: the live one's, whose answers and
// edits are handed to the shadow.
type followedRouter struct {
	*router
	call *followed
}

// Wants adds the hooks of the shadow that are compared.
func (r *followedRouter) Wants(h b2bua.Hook) bool {
	return r.router.Wants(h) || compares(h) && r.call.of.wants&(1<<h) != 0 && !r.call.over.Load()
}

func compares(h b2bua.Hook) bool {
	switch h {
	case b2bua.HookInvite, b2bua.HookBranch, b2bua.HookProgress, b2bua.HookAnswer, b2bua.HookFailure, b2bua.HookFinal:
		return true
	default:
		return false
	}
}

// Invite is not compared when the caller has gone meanwhile, which stops it.
func (r *followedRouter) Invite(ctx context.Context, v b2bua.View) b2bua.Decided {
	j := job{hook: b2bua.HookInvite, view: r.call.shown(v), live: r.router.Invite(ctx, v)}
	if ctx.Err() == nil {
		r.call.post(j)
	}
	return j.live
}

func (r *followedRouter) Branch(v b2bua.View, leg b2bua.Leg, req *message.Message) b2bua.Decided {
	return r.met(context.Background(), job{hook: b2bua.HookBranch, view: v, leg: leg}, req, func() b2bua.Decided {
		return r.router.Branch(v, leg, req)
	})
}

// Progress leaves out what a CUCM script has blocked: no hook is asked about it.
func (r *followedRouter) Progress(v b2bua.View, leg b2bua.Leg, res *message.Message) b2bua.Decided {
	if where, ok := r.blocked(leg); ok {
		return b2bua.Decided{Decision: b2bua.Suppress{}, Where: where}
	}
	return r.met(context.Background(), job{hook: b2bua.HookProgress, view: v, leg: leg}, res, func() b2bua.Decided {
		return r.router.Progress(v, leg, res)
	})
}

func (r *followedRouter) Answer(v b2bua.View, leg b2bua.Leg, res *message.Message) b2bua.Decided {
	return r.met(context.Background(), job{hook: b2bua.HookAnswer, view: v, leg: leg}, res, func() b2bua.Decided {
		return r.router.Answer(v, leg, res)
	})
}

func (r *followedRouter) Failure(ctx context.Context, v b2bua.View, leg b2bua.Leg, res *message.Message, origin b2bua.Origin) b2bua.Decided {
	return r.met(ctx, job{hook: b2bua.HookFailure, view: v, leg: leg, origin: origin}, res, func() b2bua.Decided {
		return r.router.Failure(ctx, v, leg, res, origin)
	})
}

func (r *followedRouter) Final(v b2bua.View, res *message.Message, origin b2bua.Origin) {
	r.met(context.Background(), job{hook: b2bua.HookFinal, view: v, origin: origin}, res, func() b2bua.Decided {
		r.router.Final(v, res, origin)
		return b2bua.Decided{}
	})
}

// met asks a live hook, and hands over what it was asked and what it has made of
// its message. One that was stopped says nothing.
func (r *followedRouter) met(ctx context.Context, j job, m *message.Message, ask func() b2bua.Decided) b2bua.Decided {
	if r.call.over.Load() || r.call.of.ended() {
		return ask()
	}
	j.view, j.before = r.call.shown(j.view), m.Clone()
	j.live = ask()
	j.after, j.edits = m.Clone(), r.call.written(j.hook)
	if ctx.Err() == nil {
		r.call.post(j)
	}
	return j.live
}

func (r *followedRouter) Close() {
	if !r.closed.Load() {
		r.call.close()
	}
	r.router.Close()
}
