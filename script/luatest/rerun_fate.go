package luatest

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/transport"
	"legwork/script/journal"
	"legwork/script/lib"
)

// identityOf is the same for the same question.
func identityOf(kind, key string, values json.RawMessage) string {
	if key = journal.Hidden(key); kind == "fate" {
		return kind + " " + key
	}
	return kind + " " + key + " " + string(values)
}

// takes is the next of what a call met under this identity. Of look-ups the
// last one stays.
func (w *rerun) takes(call, id string, stays bool) *journal.Met {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.runs[call]
	if r == nil || len(r.met[id]) == 0 {
		return nil
	}
	list := r.met[id]
	if len(list) > 1 || !stays {
		r.met[id] = list[1:]
	}
	return list[0]
}

// Look implements lib.Lookups: as the log has it, or as a stub says.
func (w *rerun) Look(ctx context.Context, q *lib.Question, live func(ctx context.Context) (lib.Answer, error)) (lib.Answer, error) {
	began := time.Now()
	values, err := json.Marshal(q.Values)
	if err != nil || len(q.Values) == 0 {
		values = nil
	}
	if m := w.takes(q.Call, identityOf(q.Kind, q.Key, values), true); m != nil {
		return w.remembered(ctx, q, m)
	}
	if !w.stubs.Answers(q) {
		w.with(q.Call, func(r *run) {
			if need := q.Kind + " " + q.Key; !slices.Contains(r.again.Needs, need) {
				r.again.Needs = append(r.again.Needs, need)
			}
		})
		return lib.Answer{}, lib.Refusal("neither the log nor a stub answers this look-up")
	}
	a, err := w.stubs.Look(ctx, q, live)
	w.log.Met(q, a, err, time.Since(began))
	return a, err
}

// remembered is what the log has, as late as it came.
func (w *rerun) remembered(ctx context.Context, q *lib.Question, m *journal.Met) (lib.Answer, error) {
	if m.Took > 0 {
		wait := time.NewTimer(m.Took)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return lib.Answer{}, ctx.Err()
		}
	}
	a := lib.Answer{Status: m.Status, Body: m.Body, Cached: m.Cached}
	var err error
	if m.Err != "" {
		a, err = lib.Answer{}, lib.Refusal(m.Err)
	} else if m.Value != nil {
		err = json.Unmarshal(m.Value, &a.Value)
	}
	w.log.Met(q, a, err, m.Took)
	return a, err
}

// maxLate bounds by how much the clock that a call read then differs from ours: a
// hook may have waited for its turn.
const maxLate = 2 * time.Second

// clock is the time of day that a call read then about when we have v, in
// seconds; nil: it read none.
func (w *rerun) clock(call string, v any) *journal.Met {
	now, is := v.(float64)
	w.mu.Lock()
	defer w.mu.Unlock()
	r, id := w.runs[call], identityOf("fate", lib.Clock, nil)
	if r == nil || !is {
		return nil
	}
	for list := r.met[id]; len(list) > 0; list = list[1:] {
		var then float64
		if json.Unmarshal(list[0].Value, &then) != nil || then < now-maxLate.Seconds() {
			continue
		}
		if then > now+maxLate.Seconds() {
			r.met[id] = list
			return nil
		}
		r.met[id] = list[1:]
		return list[0]
	}
	delete(r.met, id)
	return nil
}

// Draws implements lib.Fate.
func (w *rerun) Draws(call string) rand.Source { return w.log.Draws(call) }

// Meet implements lib.Fate: what the log has wins, the rest is as it comes.
func (w *rerun) Meet(call, what string, v any, err error) (any, error) {
	var m *journal.Met
	if what == lib.Clock {
		m = w.clock(call, v)
	} else {
		m = w.takes(call, identityOf("fate", what, nil), what == lib.Stopwatch)
	}
	if m != nil {
		v, err = nil, nil
		if m.Err != "" {
			err = lib.Refusal(m.Err)
		} else if m.Value != nil {
			err = json.Unmarshal(m.Value, &v)
		}
	}
	return w.log.Meet(call, what, v, err)
}

// again is the policy of a world in which calls come from where they came from.
type again struct{ *rerun }

func (a again) Router(h b2bua.Handle) b2bua.Router {
	return &againRouter{a.policy.Router(h), a.rerun}
}

// againRouter tells the scripts of a call what they were told then.
type againRouter struct {
	b2bua.Router
	w *rerun
}

// Wants adds on_branch: there we learn who is called.
func (r *againRouter) Wants(h b2bua.Hook) bool { return h == b2bua.HookBranch || r.Router.Wants(h) }

// as is the view with the call's source, and our addresses as they were. Its
// trunk is that of the present configuration.
func (r *againRouter) as(v b2bua.View) b2bua.View {
	r.w.with(v.ID, func(one *run) {
		s := &one.was.Source
		v.Source.IP, v.Source.Port, v.Source.Transport = s.IP, s.Port, s.Transport
		v.Source.TLSName, v.Source.Account, v.Source.Listener = s.TLSName, s.Account, s.Listener
		v.Request = one.shown(v.Request)
		v.A = one.seen(v.A)
		v.Legs = slices.Clone(v.Legs)
		for i := range v.Legs {
			v.Legs[i] = one.seen(v.Legs[i])
		}
	})
	return v
}

// shown is the caller's INVITE, with what belongs to the way it came as it was: its
// Via, and its bytes. It is the same one as long as m is.
func (r *run) shown(m *message.Message) *message.Message {
	if m == nil || m.Method != "INVITE" || m == r.shows.of {
		return r.shows.as(m)
	}
	was, err := parseText(r.was.Invite())
	if err != nil {
		return m
	}
	at, err := netip.ParseAddr(r.was.Source.IP)
	if err != nil {
		return m
	}
	transport.Arrive(was, netip.AddrPortFrom(at, uint16(r.was.Source.Port)))
	made := m.Clone()
	made.Del("Via")
	for i, via := range was.All("Via") {
		made.Headers = slices.Insert(made.Headers, i, message.Header{Name: "Via", Value: via})
	}
	made.Raw = []byte(r.was.Invite())
	r.shows = showing{m, made}
	return made
}

// showing is what scripts see in the place of a message.
type showing struct{ of, made *message.Message }

func (s showing) as(m *message.Message) *message.Message {
	if m != nil && m == s.of {
		return s.made
	}
	return m
}

// leg is a leg with our address as it was.
func (r *againRouter) leg(call string, l b2bua.Leg) b2bua.Leg {
	r.w.with(call, func(one *run) { l = one.seen(l) })
	return l
}

// seen is a leg as scripts saw it: with the caller's address, and with ours towards
// the same trunk.
func (r *run) seen(l b2bua.Leg) b2bua.Leg {
	for i := range r.was.Steps {
		s := &r.was.Steps[i]
		switch {
		case s.Local == "" || (s.Leg == 0) != (l.Index == 0) || l.Index > 0 && s.Trunk != l.Trunk:
			continue
		case l.Index == 0:
			l.Remote = s.Remote
		}
		l.Local = s.Local
		break
	}
	return l
}

// located puts the contacts that users had then into the places of their
// addresses of record.
func (r *againRouter) located(call string, d b2bua.Decided) b2bua.Decided {
	r.w.with(call, func(one *run) {
		switch e := d.Decision.(type) {
		case b2bua.Route:
			e.Targets = contacts(one.was, e.Targets)
			d.Decision = e
		case b2bua.Next:
			e.Targets = contacts(one.was, e.Targets)
			d.Decision = e
		case b2bua.Challenge:
			if one.was.Source.Account != "" {
				d.Decision = nil
			}
		}
	})
	return d
}

func contacts(e *journal.Entry, targets []b2bua.Target) []b2bua.Target {
	if !slices.ContainsFunc(targets, func(t b2bua.Target) bool { return len(e.Located[t.AOR]) > 0 && t.URI == "" }) {
		return targets
	}
	var all []b2bua.Target
	for _, t := range targets {
		uris := e.Located[t.AOR]
		if t.URI != "" || len(uris) == 0 || uris[0] == t.AOR {
			all = append(all, t)
			continue
		}
		for i, uri := range uris {
			one := t
			one.URI, one.Beside = uri, t.Beside && i == 0
			all = append(all, one)
		}
	}
	return all
}

// The hooks of b2bua.Router that see where the call came from.

func (r *againRouter) Invite(ctx context.Context, v b2bua.View) b2bua.Decided {
	v = r.as(v)
	r.w.log.From(v.ID, v.Source)
	return r.located(v.ID, r.Router.Invite(ctx, v))
}

func (r *againRouter) Branch(v b2bua.View, leg b2bua.Leg, req *message.Message) b2bua.Decided {
	var d b2bua.Decided
	if r.Router.Wants(b2bua.HookBranch) {
		d = r.Router.Branch(r.as(v), r.leg(v.ID, leg), req)
	}
	if _, skip := d.Decision.(b2bua.Skip); !skip {
		r.w.calls(v.ID, leg, req)
	}
	return d
}

func (r *againRouter) Progress(v b2bua.View, leg b2bua.Leg, res *message.Message) b2bua.Decided {
	return r.Router.Progress(r.as(v), r.leg(v.ID, leg), res)
}

func (r *againRouter) Answer(v b2bua.View, leg b2bua.Leg, res *message.Message) b2bua.Decided {
	return r.Router.Answer(r.as(v), r.leg(v.ID, leg), res)
}

// Failure gives a failure the origin it had: those that were ours come from
// callees here.
func (r *againRouter) Failure(ctx context.Context, v b2bua.View, leg b2bua.Leg, res *message.Message, origin b2bua.Origin) b2bua.Decided {
	r.w.with(v.ID, func(one *run) {
		for _, p := range one.parts {
			if p.taken && p.known && p.trunk == leg.Trunk && p.target == message.MaskURI(leg.Target) && p.origin == b2bua.OriginLocal {
				origin = p.origin
			}
		}
	})
	return r.located(v.ID, r.Router.Failure(ctx, r.as(v), r.leg(v.ID, leg), res, origin))
}

func (r *againRouter) Final(v b2bua.View, res *message.Message, origin b2bua.Origin) {
	r.Router.Final(r.as(v), res, origin)
}

func (r *againRouter) Request(v b2bua.View, leg b2bua.Leg, req *message.Message) b2bua.Decided {
	return r.Router.Request(r.as(v), r.leg(v.ID, leg), req)
}

func (r *againRouter) Response(v b2bua.View, leg b2bua.Leg, res *message.Message) {
	r.Router.Response(r.as(v), r.leg(v.ID, leg), res)
}

func (r *againRouter) Bye(v b2bua.View, leg b2bua.Leg, req *message.Message) {
	r.Router.Bye(r.as(v), r.leg(v.ID, leg), req)
}

func (r *againRouter) End(ctx context.Context, v b2bua.View, record *b2bua.Record) {
	r.Router.End(ctx, r.as(v), record)
}
