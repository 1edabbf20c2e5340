package script

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// router decides for one call, on the generation that was live when it began.
type router struct {
	policy  *Policy
	gen     *generation
	shard   *shard
	handle  b2bua.Handle
	watched bool // somebody hears what handle is told
	closed  atomic.Bool
	hasData atomic.Bool // call.data was used
	outcome *outcome    // counts, while a generation is tried; else nil
	memory  memory      // while a shadow listens, and in it; else nil
	carried *carried    // by CUCM scripts; the call's mailbox owns it

	mu    sync.Mutex // guards all below
	seat  *callView
	asked int // hooks that are running
}

func (r *router) Name() string { return r.gen.name }

// Wants adds End for a call whose data goes to its record.
func (r *router) Wants(h b2bua.Hook) bool {
	return r.gen.wants&(1<<h) != 0 || h == b2bua.HookEnd && r.hasData.Load()
}

func (r *router) Close() {
	if !r.closed.Swap(true) {
		r.outcome.closed()
		r.policy.leave(r.gen)
	}
}

func (r *router) Invite(ctx context.Context, v b2bua.View) b2bua.Decided {
	d, err := r.ask(ctx, question{hook: b2bua.HookInvite, view: v})
	if err != nil {
		return b2bua.Decided{Decision: b2bua.Failed{Err: err}, Where: placeOf(err)}
	}
	r.outcome.decided(d.Decision)
	return d
}

func (r *router) Branch(v b2bua.View, leg b2bua.Leg, req *message.Message) b2bua.Decided {
	return r.now(question{hook: b2bua.HookBranch, view: v, leg: &leg, msg: req})
}

func (r *router) Progress(v b2bua.View, leg b2bua.Leg, res *message.Message) b2bua.Decided {
	if where, ok := r.blocked(leg); ok {
		return b2bua.Decided{Decision: b2bua.Suppress{}, Where: where}
	}
	return r.now(question{hook: b2bua.HookProgress, view: v, leg: &leg, msg: res, from: leg})
}

func (r *router) Answer(v b2bua.View, leg b2bua.Leg, res *message.Message) b2bua.Decided {
	return r.now(question{hook: b2bua.HookAnswer, view: v, leg: &leg, msg: res, from: leg})
}

func (r *router) Failure(ctx context.Context, v b2bua.View, leg b2bua.Leg, res *message.Message, origin b2bua.Origin) b2bua.Decided {
	q := question{hook: b2bua.HookFailure, view: v, leg: &leg, msg: res, origin: origin}
	if origin == b2bua.OriginPeer {
		q.from = leg
	}
	d, err := r.ask(ctx, q)
	if err != nil {
		return b2bua.Decided{}
	}
	return d
}

// Final asks on_final and then applies M.responses, also when the hook failed.
func (r *router) Final(v b2bua.View, res *message.Message, origin b2bua.Origin) {
	r.now(question{hook: b2bua.HookFinal, view: v, msg: res, origin: origin})
	if m, err := r.shard.machine(context.Background()); err == nil {
		r.mapped(m, res, origin)
	}
}

func (r *router) Request(v b2bua.View, leg b2bua.Leg, req *message.Message) b2bua.Decided {
	return r.now(question{hook: b2bua.HookRequest, view: v, leg: &leg, msg: req, from: leg})
}

func (r *router) Response(v b2bua.View, leg b2bua.Leg, res *message.Message) {
	r.now(question{hook: b2bua.HookResponse, view: v, leg: &leg, msg: res})
}

func (r *router) Bye(v b2bua.View, leg b2bua.Leg, req *message.Message) {
	r.now(question{hook: b2bua.HookBye, view: v, leg: &leg, msg: req, from: leg})
}

// now asks a hook that does not wait; an error is the default.
func (r *router) now(q question) b2bua.Decided {
	d, err := r.ask(context.Background(), q)
	if err != nil {
		return b2bua.Decided{}
	}
	return d
}

// question is one hook and what it is given.
type question struct {
	hook   b2bua.Hook
	name   string // of the hook in the script; find says it
	view   b2bua.View
	leg    *b2bua.Leg
	msg    *message.Message
	origin b2bua.Origin
	from   b2bua.Leg // where msg came from; zero: from us
	record *recordView
}

// ask runs a hook. On an error the message is as it was before.
func (r *router) ask(ctx context.Context, q question) (d b2bua.Decided, err error) {
	a := &asking{Context: ctx, r: r}
	run := lua.Run{Ctx: a, MayWait: waits(q.hook), Limits: r.gen.cfg.Limits.run(waits(q.hook))}
	q.name = hookName(q.hook)
	for range 2 { // a machine may die between being chosen and being used
		var m *machine
		if m, err = r.shard.machine(context.Background()); err != nil {
			break
		}
		fn := m.find(&q)
		if fn == nil {
			return d, nil
		}
		a.hook, run.Hook = q.name, q.name
		r.begin()
		err = m.vm.Call(&run, fn,
			func(L *glua.LState) int { return r.push(L, m, a, &q) },
			func(L *glua.LState, v glua.LValue) (err error) {
				if d, err = m.decide(L, &q, fn, v); err == nil {
					a.told(q.leg)
					a.over()
					err = q.record.take()
				}
				return err
			})
		if err == nil {
			return d, nil
		}
		m.vm.Do(func(*glua.LState) { a.undo() })
		if !errors.Is(err, lua.ErrDead) {
			break
		}
	}
	r.report(q.name, q.view.ID, err)
	return b2bua.Decided{}, err
}

// push gives a hook its arguments.
func (r *router) push(L *glua.LState, m *machine, a *asking, q *question) int {
	call := r.sit(L, m)
	call.become(L, q.hook)
	call.now = q.view
	L.Push(call.obj)
	n := 1
	if q.leg != nil {
		L.Push(m.classes.leg.New(L, legView{m, *q.leg}))
		n++
	}
	if q.msg != nil {
		view, object := m.message(L, q.msg)
		view.origin, view.watched = q.origin, r.watched
		view.from(sourceOf(q.from))
		a.msg = view
		L.Push(object)
		n++
	}
	if q.record != nil {
		L.Push(q.record.table(L))
		n++
	}
	return n
}

// sit gives the call its place on a machine. When it comes from another one,
// which a hook has ruined, its data moves along.
func (r *router) sit(L *glua.LState, m *machine) *callView {
	r.mu.Lock()
	old := r.seat
	r.mu.Unlock()
	if old != nil && old.m == m {
		return old
	}
	v := &callView{r: r, m: m}
	v.obj = m.classes.call.New(L, v)
	if old != nil {
		v.now = old.now
		old.m.vm.Do(func(*glua.LState) { v.data = plainCopy(L, old.data) })
	}
	r.mu.Lock()
	r.seat = v
	r.mu.Unlock()
	return v
}

// plainCopy leaves out what is not plain: it belongs to the machine it is from.
func plainCopy(L *glua.LState, t *glua.LTable) *glua.LTable {
	if t == nil {
		return nil
	}
	to := L.NewTable()
	t.ForEach(func(k, v glua.LValue) {
		if plain, err := lua.ToGo(v); err == nil && (k.Type() == glua.LTString || k.Type() == glua.LTNumber) {
			to.RawSet(k, lua.FromGo(L, plain))
		}
	})
	return to
}

// over gives the message back to the engine.
func (a *asking) over() {
	if a.msg != nil {
		a.msg.release()
	}
	a.r.rest()
}

func (r *router) begin() {
	r.mu.Lock()
	r.asked++
	r.mu.Unlock()
}

// rest lets go of the caller's INVITE, which a held call keeps as text: behind
// the last of the hooks that run, under the lock of their VM.
func (r *router) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked--; r.asked == 0 && r.seat != nil {
		r.seat.req, r.seat.shown, r.seat.now.Request = nil, nil, nil
	}
}

// undo is over, with the message as it was.
func (a *asking) undo() {
	if a.msg != nil {
		a.msg.restore()
	}
	a.over()
}

// report tells whom it concerns; a call that is no longer there concerns nobody.
func (r *router) report(hook, call string, err error) {
	if errors.Is(err, lua.ErrCancelled) {
		return
	}
	p := problemOf(err)
	r.gen.cfg.Log.Error("hook failed", "call", call, "hook", hook, "script", p.File, "line", p.Line,
		"generation", r.gen.name, "err", p.Msg, "traceback", p.Traceback)
	r.gen.erred(hook)
	r.outcome.failed()
	r.failed(hook, p)
}

func placeOf(err error) string {
	return problemOf(err).place()
}
