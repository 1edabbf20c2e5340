package script

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
	"legwork/script/lua"
)

// profile is the message profiles of one file: entries by side, the most
// specific first, of which one runs.
type profile struct{ inbound, outbound []entry }

// entry is one key "[STATUS ]METHOD" and its function.
type entry struct {
	key       string // in one form: single spaces
	low, high int    // statuses; 0 to 0 is a request
	any       bool   // status "*": requests too
	rank      int    // of the status, the most specific first
	method    string // or "*"
	fn        *glua.LFunction
}

// profileKey reads "INVITE", "180 INVITE", "18x INVITE", "1xx *", "4xx-6xx
// INVITE", "400-499 INVITE" or "* *".
func profileKey(key string) (entry, error) {
	words := strings.Fields(key)
	e := entry{key: strings.Join(words, " ")}
	switch len(words) {
	case 1:
		e.method = words[0]
	case 2:
		e.method = words[1]
		if err := e.statuses(words[0]); err != nil {
			return entry{}, fmt.Errorf("%q: %w", key, err)
		}
	default:
		return entry{}, fmt.Errorf("%q is not \"METHOD\" or \"STATUS METHOD\"", key)
	}
	if e.method != "" && digit(e.method[0]) {
		return entry{}, fmt.Errorf("%q: a status and a method have a space between them; \"180 *\" is for any method", key)
	}
	if e.method != "*" && (!message.IsToken(e.method) || e.method != strings.ToUpper(e.method)) {
		return entry{}, fmt.Errorf("%q: %q is not a method; they are written in capitals", key, e.method)
	}
	return e, nil
}

func (e *entry) statuses(s string) error {
	if s == "*" {
		e.any, e.low, e.high, e.rank = true, 100, 699, 3000
		return nil
	}
	from, to, ranged := strings.Cut(s, "-")
	if !ranged {
		to = from
	}
	low, _, okFrom := message.StatusSpan(from)
	_, high, okTo := message.StatusSpan(to)
	if !okFrom || !okTo || low > high {
		return fmt.Errorf("%q is not a status such as 180, 18x, 1xx, 4xx-6xx or *", s)
	}
	e.low, e.high, e.rank = low, high, high-low
	if ranged {
		e.rank += 1000
	}
	return nil
}

// compare puts the more specific first: exact status, 18x, 1xx, ranges from
// the narrowest, "*"; then the exact method. A key without a status is a
// request's.
func (e entry) compare(other entry) int {
	wild := func(e entry) int {
		if e.method == "*" {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(e.rank, other.rank), cmp.Compare(wild(e), wild(other)))
}

func (e entry) meets(m *message.Message) bool {
	return (e.any || m.Status >= e.low && m.Status <= e.high) && (e.method == "*" || e.method == m.Method)
}

// pick is the one entry that runs, or nil.
func pick(entries []entry, m *message.Message) *entry {
	for i := range entries {
		if entries[i].meets(m) {
			return &entries[i]
		}
	}
	return nil
}

// entriesOf reads M.inbound or M.outbound.
func entriesOf(what string, v glua.LValue) ([]entry, error) {
	if v == glua.LNil {
		return nil, nil
	}
	t, ok := v.(*glua.LTable)
	if !ok {
		return nil, fmt.Errorf("%s is %s; want a table of functions", what, kindOf(v))
	}
	var entries []entry
	var problem error
	t.ForEach(func(k, v glua.LValue) {
		e, err := profileKey(k.String())
		fn, ok := v.(*glua.LFunction)
		switch {
		case problem != nil:
		case err != nil:
			problem = fmt.Errorf("%s: %w", what, err)
		case !ok || fn.IsG:
			problem = fmt.Errorf("%s[%q] is %s; want a function(msg, ctx)", what, k.String(), kindOf(v))
		case slices.ContainsFunc(entries, func(o entry) bool {
			return o.low == e.low && o.high == e.high && o.any == e.any && o.method == e.method
		}):
			problem = fmt.Errorf("%s[%q] stands twice", what, e.key)
		default:
			e.fn = fn
			entries = append(entries, e)
		}
	})
	slices.SortStableFunc(entries, entry.compare)
	return entries, problem
}

// takeProfile reads what a file named by a trunk's profile returned.
func (m *machine) takeProfile(file string, v glua.LValue) error {
	t, ok := v.(*glua.LTable)
	if !ok {
		return &lua.Error{File: file, Line: 1, Msg: "a profile returns a table {inbound = ..., outbound = ...}, not " + kindOf(v)}
	}
	f := &faults{file: file, src: m.gen.snap.Files[file]}
	m.profiles[file] = profileOf(t, "", f)
	sides := []string{"inbound", "outbound"}
	t.ForEach(func(k, v glua.LValue) {
		if name := k.String(); !slices.Contains(sides, name) {
			f.add(name, v, "unknown key %q of a profile%s", name, meant(name, sides))
		}
	})
	if len(f.all) > 0 {
		return f.all
	}
	return nil
}

func profileOf(t *glua.LTable, prefix string, f *faults) profile {
	side := func(name string) []entry {
		entries, err := entriesOf(prefix+name, t.RawGetString(name))
		if err != nil {
			f.add(name, glua.LNil, "%v", err)
		}
		return entries
	}
	return profile{inbound: side("inbound"), outbound: side("outbound")}
}
