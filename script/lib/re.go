package lib

import (
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// re is RE2 (Go's syntax) with the manners of Lua's string library: the text
// comes first, places count bytes from 1, a match without groups is its own only group,
// and a group that took no part is nil. Patterns are compiled once and kept.
func (x *library) re() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"match": function("b2b.re.match", x.match),
		"find":  function("b2b.re.find", x.find),
		"gsub":  function("b2b.re.gsub", x.gsub),
		"split": function("b2b.re.split", x.split),
	}
}

func (x *library) pattern(a args) (text string, re *pattern) {
	text = a.text(1, "the text")
	re, err := x.env.patterns.get(a.text(2, "the pattern"))
	if err != nil {
		a.fail("%v", err)
	}
	return text, re
}

func (x *library) first(a args, re *pattern, text string) []int {
	at, err := re.first(text)
	if err != nil {
		a.fail("%v", err)
	}
	return at
}

func (x *library) every(a args, re *pattern, text string, n int) [][]int {
	found, err := re.every(text, n)
	if err != nil {
		a.fail("%v", err)
	}
	return found
}

// groups pushes what a match caught, group 0 only when there is no other.
func groups(a args, text string, at []int) int {
	if len(at) > 2 {
		at = at[2:]
	}
	for i := 0; i < len(at); i += 2 {
		a.give(group(a, text, at, i/2))
	}
	return len(at) / 2
}

func group(a args, text string, at []int, n int) glua.LValue {
	if at[2*n] < 0 {
		return glua.LNil
	}
	return lua.FromGo(a.L, text[at[2*n]:at[2*n+1]])
}

// match(s, pattern) returns the groups, or nil.
func (x *library) match(a args) int {
	text, re := x.pattern(a)
	at := x.first(a, re, text)
	if at == nil {
		return a.give(glua.LNil)
	}
	return groups(a, text, at)
}

// find(s, pattern) returns first and last place, and the groups, or nil.
func (x *library) find(a args) int {
	text, re := x.pattern(a)
	at := x.first(a, re, text)
	if at == nil {
		return a.give(glua.LNil)
	}
	a.give(glua.LNumber(at[0]+1), glua.LNumber(at[1]))
	if len(at) == 2 {
		return 2
	}
	return 2 + groups(a, text, at)
}

// gsub(s, pattern, by[, n]) replaces matches by a string, in which $1 and
// ${name} are groups and $$ is a dollar; by what a table has under the first group; or by what a
// function makes of the groups. nil and false keep the match. It returns the text and
// how many were replaced.
func (x *library) gsub(a args) int {
	text, re := x.pattern(a)
	by := a.at(3)
	switch by.(type) {
	case glua.LString, *glua.LTable, *glua.LFunction:
	default:
		a.wrong("the replacement", "a string, a table or a function", by)
	}
	n := a.optWhole(4, "the number of replacements", 0, maxMatches, -1)
	var out strings.Builder
	last := 0
	found := x.every(a, re, text, n)
	for _, at := range found {
		with := text[last:at[0]] + replacement(a, re, text, at, by)
		lua.Charge(a.L, len(with))
		out.WriteString(with)
		last = at[1]
	}
	out.WriteString(text[last:])
	lua.Charge(a.L, out.Len())
	return a.give(glua.LString(out.String()), glua.LNumber(len(found)))
}

func replacement(a args, re *pattern, text string, at []int, by glua.LValue) string {
	var v glua.LValue
	switch by := by.(type) {
	case glua.LString:
		return string(re.ExpandString(nil, string(by), text, at))
	case *glua.LTable:
		v = a.L.GetTable(by, group(a, text, at, min(1, len(at)/2-1)))
	case *glua.LFunction:
		a.L.Push(by)
		a.L.Call(groups(a, text, at), 1)
		v = a.L.Get(-1)
		a.L.Pop(1)
	}
	switch v := v.(type) {
	case glua.LString:
		return string(v)
	case glua.LNumber:
		return v.String()
	}
	if glua.LVAsBool(v) {
		a.wrong("what replaces a match", "a string", v)
	}
	return text[at[0]:at[1]]
}

// split(s, pattern[, n]) returns a list of the texts between matches, at most
// n; an empty match splits nothing.
func (x *library) split(a args) int {
	text, re := x.pattern(a)
	n := a.optWhole(3, "the number of parts", 1, maxMatches, -1)
	found := x.every(a, re, text, -1)
	var parts []string
	last := 0
	for _, at := range found {
		if at[1] == at[0] {
			continue
		}
		if n > 0 && len(parts) == n-1 {
			break
		}
		parts = append(parts, text[last:at[0]])
		last = at[1]
	}
	return a.give(lua.FromGo(a.L, append(parts, text[last:])))
}
