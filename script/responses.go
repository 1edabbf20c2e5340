package script

import (
	"slices"
	"strconv"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
	"legwork/script/lua"
)

// mapping is what b2b.response_map returns.
type mapping struct {
	rules *trunk.ResponseMap
	file  string // the line that made it
	line  int
}

func mappingDef() lua.ClassDef[mapping] {
	return lua.ClassDef[mapping]{
		Methods: map[string]glua.LGFunction{"apply": applyMapping},
		Meta:    toString(func(mapping) string { return "b2b.response_map" }),
	}
}

// newMapping is b2b.response_map{[503] = 480, ["6xx"] = {486, "Busy Here"},
// [{500, 502}] = false, {from = "4xx", origin = "timeout", to = 480}}.
func (m *machine) newMapping(L *glua.LState) int {
	t := wantForm(L, "b2b.response_map").t
	var rows []trunk.Row
	t.ForEach(func(k, v glua.LValue) {
		if n, ok := k.(glua.LNumber); ok && n < 300 {
			rows = append(rows, conditionalRow(L, n, v))
			return
		}
		row := mappedRow(form{L, t, "b2b.response_map"}, v)
		row.From = patternsOf(L, k)
		rows = append(rows, row)
	})
	rules, err := trunk.NewResponseMap(rows)
	must(L, err)
	file, line := lua.Where(L)
	L.Push(m.classes.mapping.New(L, mapping{rules, file, line}))
	return 1
}

// conditionalRow reads {from=, origin=, q850=, to=}.
func conditionalRow(L *glua.LState, n glua.LNumber, v glua.LValue) trunk.Row {
	t, ok := v.(*glua.LTable)
	if n >= 100 && (!ok || t.RawGetString("to") == glua.LNil) {
		lua.RaiseAt(L, "b2b.response_map: %s is not a failure; keys are codes from 300 to 699, classes, ranges or \"*\"", plain(float64(n)))
	}
	if !ok {
		lua.RaiseAt(L, "b2b.response_map: %s stands without a code; write [503] = %s", kindOf(v), v.String())
	}
	f := form{L, t, "b2b.response_map"}
	f.only("from", "origin", "q850", "to")
	if f.get("to") == glua.LNil {
		f.fail("a row without to; write {from=, origin=, q850=, to=}")
	}
	row := mappedRow(f, f.get("to"))
	if from := f.get("from"); from != glua.LNil {
		row.From = patternsOf(L, from)
	}
	row.Origin = f.choice("origin", "peer timeout transport dns local", "")
	row.Q850 = f.integer("q850", 1, 127)
	return row
}

func patternsOf(L *glua.LState, v glua.LValue) []string {
	patterns := wantNames(L, v)
	if len(patterns) == 0 {
		lua.RaiseAt(L, "b2b.response_map: an empty list of codes")
	}
	return patterns
}

// mappedRow reads a code, {code, text}, {code, text, q850=, headers=} or false.
func mappedRow(f form, v glua.LValue) trunk.Row {
	switch v := v.(type) {
	case glua.LBool:
		if v {
			f.fail("true maps to nothing; false passes a failure unchanged")
		}
		return trunk.Row{Pass: true}
	case glua.LNumber, glua.LString:
		return trunk.Row{To: trunk.Mapped{Code: wantInt(f.L, v)}}
	case *glua.LTable:
		to := form{f.L, v, f.what}
		v.ForEach(func(k, _ glua.LValue) {
			if n, ok := k.(glua.LNumber); ok && n > 2 {
				to.fail("a failure is written {code, text}, not with %s values", plain(float64(n)))
			}
			if name, ok := k.(glua.LString); ok && !slices.Contains([]string{"q850", "headers"}, string(name)) {
				to.fail("unknown key %q%s", string(name), meant(string(name), []string{"q850", "headers"}))
			}
		})
		mapped := trunk.Mapped{
			Code: wantInt(f.L, v.RawGetInt(1)), Q850: to.integer("q850", 1, 127),
			Headers: wantHeaders(f.L, to.get("headers"), f.what+": headers"),
		}
		if reason := v.RawGetInt(2); reason != glua.LNil {
			mapped.Reason = wantText(f.L, reason)
		}
		return trunk.Row{To: mapped}
	}
	f.fail("want a code, {code, text} or false, got %s", kindOf(v))
	return trunk.Row{}
}

// applyMapping is map:apply(res): true when the response was changed.
func applyMapping(L *glua.LState) int {
	rules := self[mapping](L, "b2b.response_map").rules
	ud, _ := L.Get(2).(*glua.LUserData)
	if ud == nil {
		lua.RaiseAt(L, "map:apply(res): want a response, got %s", kindOf(L.Get(2)))
	}
	res, ok := ud.Value.(*messageView)
	if !ok || res.read(L).IsRequest() {
		lua.RaiseAt(L, "map:apply(res): want a response, got %s", kindOf(L.Get(2)))
	}
	before := statusOf(res.edit(L))
	changed := applyRules(rules, res.msg, res.origin)
	if changed {
		res.wrote(L, b2bua.OpMap, "status", before[:3]+" → "+statusOf(res.msg))
	}
	L.Push(glua.LBool(changed))
	return 1
}

// applyRules tells the failure as the rules want it.
func applyRules(rules *trunk.ResponseMap, res *message.Message, origin b2bua.Origin) bool {
	to, ok := rules.Apply(res.Status, string(origin), res.Q850())
	if !ok {
		return false
	}
	res.Status, res.Reason = to.Code, to.Reason
	if to.Q850 != 0 {
		res.Set("Reason", "Q.850;cause="+strconv.Itoa(to.Q850))
	}
	res.Replace(to.Headers)
	return true
}
