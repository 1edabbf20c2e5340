package script

import (
	"context"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// Inbound runs the profile of a leg's trunk on a message that came.
func (r *router) Inbound(leg b2bua.Leg, msg *message.Message) {
	if r.gen.foreign != nil && r.foreignInbound(leg, msg) {
		return
	}
	r.profile(leg, msg, "inbound", leg, func(p profile) []entry { return p.inbound })
}

// Outbound runs it on a message that is about to leave.
func (r *router) Outbound(leg b2bua.Leg, msg *message.Message) {
	if r.gen.foreign != nil && r.foreignOutbound(leg, msg) {
		return
	}
	r.profile(leg, msg, "outbound", b2bua.Leg{}, func(p profile) []entry { return p.outbound })
}

func (r *router) profile(leg b2bua.Leg, msg *message.Message, side string, from b2bua.Leg, of func(profile) []entry) {
	m, err := r.shard.machine(context.Background())
	if err != nil {
		r.report(side, "", err)
		return
	}
	e := pick(of(m.profile(leg.Trunk)), msg)
	if e == nil {
		return
	}
	a := &asking{Context: context.Background(), r: r, hook: side + " " + e.key}
	run := lua.Run{Ctx: a, Hook: a.hook, Limits: r.gen.cfg.Limits.run(false)}
	r.begin()
	err = m.vm.Call(&run, e.fn,
		func(L *glua.LState) int {
			view, object := m.message(L, msg)
			view.from(sourceOf(from))
			view.watched = r.watched
			a.msg = view
			L.Push(object)
			L.Push(r.sit(L, m).context(L, leg.Index))
			return 2
		},
		func(_ *glua.LState, v glua.LValue) error {
			if d, ok := m.classes.decision.Is(v); ok {
				return misplaced(e.fn, d, a.hook+" returned "+d.name+"; a profile edits the message and decides nothing")
			}
			a.told(&leg)
			a.over()
			return nil
		})
	if err != nil {
		m.vm.Do(func(*glua.LState) { a.undo() })
		r.report(side, r.id(), err)
	}
}

func (r *router) id() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seat == nil {
		return ""
	}
	return r.seat.now.ID
}

// context is the ctx of a leg, 0 for A: a table for the scripts' own use, with
// peer, the other leg's. A's peer is the callee that was last heard of.
func (v *callView) context(L *glua.LState, leg int) *glua.LTable {
	for len(v.legs) <= max(leg, 0) {
		v.legs = append(v.legs, nil)
	}
	for _, i := range [...]int{0, leg} {
		if v.legs[i] == nil {
			v.legs[i] = L.NewTable()
		}
	}
	own := v.legs[leg]
	if leg > 0 {
		own.RawSetString("peer", v.legs[0])
		v.legs[0].RawSetString("peer", own)
	}
	return own
}
