package script

import (
	"context"
	"slices"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// txnDef is txn, a request outside any dialog: what a call is, as far as there
// is only that request. Its data lives as long as it, from a challenge to the
// hook being asked again.
func txnDef() lua.ClassDef[*callView] {
	call := callDef()
	def := lua.ClassDef[*callView]{
		Get:     map[string]getter[*callView]{"req": getOutsideRequest},
		Set:     map[string]setter[*callView]{"data": call.Set["data"]},
		Methods: map[string]glua.LGFunction{"note": noteCall},
		Meta:    toString(func(v *callView) string { return "txn " + v.id() }),
	}
	for _, name := range [...]string{"id", "params", "source", "data", "elapsed", "script"} {
		def.Get[name] = call.Get[name]
	}
	return def
}

// getOutsideRequest is the request as it came.
func getOutsideRequest(L *glua.LState, v *callView) glua.LValue {
	if v.now.Request == nil {
		lua.RaiseAt(L, "this request belonged to a hook that is over; keep what you need of it in txn.data")
	}
	return getRequest(L, v)
}

// become makes the object what its hooks are given: a profile may have asked for
// it before it was known to be no call.
func (v *callView) become(L *glua.LState, hook b2bua.Hook) {
	if hook == b2bua.HookOutside && !v.outside {
		v.outside = true
		v.obj = v.m.classes.txn.New(L, v)
	}
}

// Outside asks the hook that is named after the method, or on_other.
//
// An error is the default; but for REGISTER, which may be stored by default: a
// check of the script that has failed must not let it in, so that gets 500.
func (r *router) Outside(ctx context.Context, v b2bua.View) b2bua.Decided {
	d, err := r.ask(ctx, question{hook: b2bua.HookOutside, view: v})
	switch {
	case err == nil:
	case v.Request.Method == "REGISTER":
		d = b2bua.Decided{Decision: b2bua.Reject{Code: 500}, Where: placeOf(err)}
	default:
		d = b2bua.Decided{}
	}
	d.Hook = r.gen.asked(v.Request.Method)
	return d
}

// asked is the hook that is asked about requests with a method; "": none.
func (g *generation) asked(method string) string {
	for _, name := range [...]string{outsideName(method), onOther} {
		if slices.Contains(g.outside, name) {
			return name
		}
	}
	return ""
}

// Refer asks on_refer; an error is the route's policy.
func (r *router) Refer(ctx context.Context, v b2bua.View, leg b2bua.Leg, req *message.Message) b2bua.Decided {
	d, err := r.ask(ctx, question{hook: b2bua.HookRefer, view: v, leg: &leg, msg: req, from: leg})
	if err != nil {
		return b2bua.Decided{}
	}
	return d
}
