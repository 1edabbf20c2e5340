package script

import (
	"context"
	"fmt"
	"math"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/script/lua"
)

// End copies call.data to the record and asks on_end, which may edit it.
func (r *router) End(ctx context.Context, v b2bua.View, rec *b2bua.Record) {
	if r.hasData.Load() {
		r.keepData(rec)
	}
	if r.gen.wants&(1<<b2bua.HookEnd) != 0 {
		_, _ = r.ask(ctx, question{hook: b2bua.HookEnd, view: v, record: &recordView{rec: rec}}) // reported by ask
	}
}

// maxFields bounds what a script adds to one record.
const maxFields = 200

func (r *router) keepData(rec *b2bua.Record) {
	r.mu.Lock()
	seat := r.seat
	r.mu.Unlock()
	if seat == nil {
		return
	}
	seat.m.vm.Do(func(*glua.LState) {
		if seat.data == nil {
			return
		}
		seat.data.ForEach(func(k, v glua.LValue) {
			if s, ok := textOf(v); ok && v.Type() == glua.LTUserData {
				v = glua.LString(s)
			}
			plain, err := lua.ToGo(v)
			if err != nil {
				r.gen.cfg.Log.Warn("call.data holds what is not plain", "call", rec.ID, "script", r.gen.name, "key", k.String(), "reason", err.Error())
				return
			}
			setField(rec, k.String(), plain)
		})
	})
}

func setField(rec *b2bua.Record, name string, value any) {
	if rec.Fields == nil {
		rec.Fields = map[string]any{}
	}
	if _, ok := rec.Fields[name]; ok || len(rec.Fields) < maxFields {
		rec.Fields[name] = value
	}
}

// recordView is the table that on_end edits: a copy, taken back when the hook
// has returned without an error.
type recordView struct {
	rec *b2bua.Record
	t   *glua.LTable
}

// scalars are the fields that on_end may change, by their name in the CDR.
func scalars(r *b2bua.Record) map[string]any {
	return map[string]any{
		"from": &r.From, "to": &r.To, "call_id": &r.CallID, "source": &r.Source, "transport": &r.Transport,
		"trunk": &r.Trunk, "target": &r.Target, "target_trunk": &r.TargetTrunk, "code": &r.Code, "reason": &r.Reason,
		"hung_up_by": &r.HungUpBy, "duration_seconds": &r.Duration, "ringing_seconds": &r.Ringing, "script": &r.Script,
	}
}

// fixedFields are what happened: on_end reads them.
func fixedFields(r *b2bua.Record) map[string]any {
	fixed := map[string]any{
		"id": r.ID, "started": seconds(r.Started), "answered": seconds(r.Answered), "ended": seconds(r.Ended),
		"attempts": attemptsOf(r), "notes": r.Notes,
	}
	if r.Answered.IsZero() {
		delete(fixed, "answered")
	}
	return fixed
}

// seconds since 1970, as os.time has it, with fractions.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func attemptsOf(r *b2bua.Record) []any {
	all := make([]any, 0, len(r.Attempts))
	for _, a := range r.Attempts {
		cdr := map[string]any{}
		for k, v := range a.CDR {
			cdr[k] = v
		}
		all = append(all, map[string]any{
			"target": a.Target, "trunk": a.Trunk, "code": a.Code, "reason": a.Reason, "origin": string(a.Origin),
			"rang": a.Rang, "started": seconds(a.Started), "duration_seconds": a.Duration, "cdr": cdr,
		})
	}
	return all
}

// table shows the record: its own fields and, beside them, those that the
// script has added.
func (v *recordView) table(L *glua.LState) *glua.LTable {
	v.t = L.NewTable()
	for name, value := range v.rec.Fields {
		v.t.RawSetString(name, lua.FromGo(L, value))
	}
	for name, value := range fixedFields(v.rec) {
		v.t.RawSetString(name, lua.FromGo(L, value))
	}
	for name, at := range scalars(v.rec) {
		switch at := at.(type) {
		case *string:
			v.t.RawSetString(name, lua.FromGo(L, *at))
		case *int:
			v.t.RawSetString(name, lua.FromGo(L, *at))
		case *float64:
			v.t.RawSetString(name, lua.FromGo(L, *at))
		}
	}
	return v.t
}

// take reads the edits back, all or none.
func (v *recordView) take() error {
	if v == nil {
		return nil
	}
	edited := *v.rec
	edited.Fields = nil
	own, fixed := scalars(&edited), fixedFields(v.rec)
	var problem error
	v.t.ForEach(func(k, value glua.LValue) {
		name := k.String()
		if was, ok := fixed[name]; ok || problem != nil {
			if plain, err := lua.ToGo(value); ok && (err != nil || changed(was, plain)) {
				problem = fmt.Errorf("record.%s is what happened: it can't be changed", name)
			}
			return
		}
		if at, ok := own[name]; ok {
			problem = assign(name, at, value)
			return
		}
		plain, err := lua.ToGo(value)
		if err != nil {
			problem = fmt.Errorf("record.%s: %w", name, err)
			return
		}
		setField(&edited, name, plain)
	})
	if problem != nil {
		return problem
	}
	for name, at := range own {
		if s, ok := at.(*string); ok && v.t.RawGetString(name) == glua.LNil {
			*s = ""
		}
	}
	*v.rec = edited
	return nil
}

// changed looks at single values; changes inside of a list are not taken over.
func changed(was, now any) bool {
	switch now.(type) {
	case string, float64, bool:
		return was != now
	}
	return false
}

func assign(name string, at any, value glua.LValue) error {
	switch at := at.(type) {
	case *string:
		s, ok := textOf(value)
		if !ok {
			return fmt.Errorf("record.%s is %s; want a string", name, kindOf(value))
		}
		*at = s
	case *int:
		n, ok := value.(glua.LNumber)
		if !ok || float64(n) != math.Trunc(float64(n)) || n < 0 || n > 1<<31 {
			return fmt.Errorf("record.%s is %s; want a whole number", name, kindOf(value))
		}
		*at = int(n)
	case *float64:
		n, ok := value.(glua.LNumber)
		if !ok || math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
			return fmt.Errorf("record.%s is %s; want a number", name, kindOf(value))
		}
		*at = float64(n)
	}
	return nil
}
