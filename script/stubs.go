package script

import (
	"fmt"
	"slices"
	"strings"
)

// Stubs are files for editors, by name relative to the scripts' folder:
// annotations and settings for LuaLS, and a standard for luacheck. The
// annotations lie in a folder that begins with a dot, so that they are no
// module of the script.
func Stubs() map[string][]byte {
	return map[string][]byte{
		".legwork/b2b.lua": []byte(annotations()),
		".luarc.json": []byte(`{
  "runtime.version": "Lua 5.1",
  "workspace.library": [".legwork"],
  "runtime.builtin": {"io": "disable", "debug": "disable", "package": "disable", "coroutine": "disable"}
}
`),
		".luacheckrc": []byte(luacheck()),
	}
}

// owners are the Of of items that are no hook, in the order of the table.
func owners(items []Item) []string {
	var all []string
	for _, one := range items {
		if one.Of != "hook" && !slices.Contains(all, one.Of) {
			all = append(all, one.Of)
		}
	}
	return all
}

// annotations is LuaLS's description of everything.
func annotations() string {
	items := API()
	names := owners(items)
	var b strings.Builder
	b.WriteString("---@meta\n-- Made by \"legwork stubs\"; it is for editors, nothing runs it.\n\n---@class decision\n\n")
	for _, of := range names {
		fmt.Fprintf(&b, "---@class %s\n", className(of))
		for _, one := range items {
			if one.Of == of && !one.Function {
				fmt.Fprintf(&b, "---@field %s%s %s %s\n", one.Name, optional(of), one.Type, one.Doc)
			}
		}
		if of == "h" || of == "params" {
			b.WriteString("---@field [string] any\n")
		}
		fmt.Fprintf(&b, "%s = {}\n\n", variable(of))
		for _, one := range items {
			if one.Of == of && one.Function {
				writeFunction(&b, one)
			}
		}
	}
	b.WriteString("---@class hooks\n")
	for _, one := range items {
		if one.Of == "hook" {
			fmt.Fprintf(&b, "---@field %s? fun(%s)%s %s\n", one.Name, one.Args, returning(one.Type), one.Doc)
		}
	}
	return b.String() + tables + "\nreturn b2b\n"
}

// tables are what a script returns beside its hooks, for LuaLS.
const tables = `---@field params? table<string, { type?: "string"|"number"|"boolean"|"list"|"trunk", default?: any, doc?: string }> what trunks may set; call.params has the values
---@field inbound? table<string, fun(msg: message, ctx: table<string, any>)> "[STATUS ]METHOD" to what is done to a message that comes; ctx.peer is the other leg's
---@field outbound? table<string, fun(msg: message, ctx: table<string, any>)> the same for a message that leaves
---@field responses? response_map|table<integer|string, any> applied to every failure that goes to the caller
`

// className makes a library's table a class of LuaLS.
func className(of string) string { return strings.ReplaceAll(of, ".", "_") }

// variable is the table that functions are written into.
func variable(of string) string {
	if of == "b2b" || strings.HasPrefix(of, "b2b.") {
		return of
	}
	return "local " + className(of)
}

// optional: the keys of a route and a target may be left out.
func optional(of string) string {
	if of == "route" || of == "target" {
		return "?"
	}
	return ""
}

func returning(kind string) string {
	if kind == "" {
		return ""
	}
	return ": " + kind
}

func writeFunction(b *strings.Builder, one Item) {
	fmt.Fprintf(b, "--- %s\n", one.Doc)
	var names []string
	for _, arg := range split(one.Args) {
		name, kind, _ := strings.Cut(arg, ": ")
		names = append(names, strings.TrimSuffix(name, "?"))
		fmt.Fprintf(b, "---@param %s %s\n", name, kind)
	}
	for _, kind := range split(one.Type) {
		fmt.Fprintf(b, "---@return %s\n", kind)
	}
	sign := "."
	if one.Method {
		sign = ":"
	}
	fmt.Fprintf(b, "function %s%s%s(%s) end\n\n", strings.TrimPrefix(variable(one.Of), "local "), sign, one.Name, strings.Join(names, ", "))
}

// split cuts at the commas outside of brackets; a function type is one word.
func split(s string) []string {
	if s == "" {
		return nil
	}
	if strings.HasPrefix(s, "fun(") {
		return []string{s}
	}
	var parts []string
	depth, start := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(', '{', '<':
			depth++
		case ')', '}', '>':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		}
	}
	return append(parts, strings.TrimSpace(s[start:]))
}

// luacheck declares the global b2b and takes away what the sandbox has not.
func luacheck() string {
	items := API()
	var b strings.Builder
	b.WriteString("-- Made by \"legwork stubs\".\nstds.legwork = {\n  read_globals = {\n    b2b = {\n      fields = {\n")
	for _, of := range owners(items) {
		library, ok := strings.CutPrefix(of, "b2b")
		if !ok {
			continue
		}
		var names []string
		for _, one := range items {
			if one.Of == of {
				names = append(names, one.Name)
			}
		}
		if library == "" {
			for _, name := range names {
				fmt.Fprintf(&b, "        [%q] = {},\n", name)
			}
			continue
		}
		fmt.Fprintf(&b, "        [%q] = {fields = {%s}},\n", library[1:], quotedList(names))
	}
	b.WriteString("      },\n    },\n  },\n}\nstd = \"lua51+legwork\"\n")
	fmt.Fprintf(&b, "not_globals = {%s}\n", quotedList(closedGlobals()))
	b.WriteString("unused_args = false\nmax_line_length = false\nexclude_files = {\".legwork\"}\n")
	return b.String()
}

// closedGlobals are what Lua 5.1 has and a script has not.
func closedGlobals() []string {
	return []string{
		"collectgarbage", "coroutine", "debug", "dofile", "getfenv", "io", "load", "loadfile", "loadstring", "module", "newproxy",
		"package", "setfenv",
	}
}

func quotedList(names []string) string {
	list := make([]string, 0, len(names))
	for _, name := range names {
		list = append(list, fmt.Sprintf("%q", name))
	}
	return strings.Join(list, ", ")
}

// Reference is the API as a section of a Markdown document.
func Reference() string {
	items := API()
	var b strings.Builder
	b.WriteString("### Hooks\n\n| hook | asked when |\n|---|---|\n")
	for _, one := range items {
		if one.Of == "hook" {
			waits := ""
			if one.Waits {
				waits = " (w)"
			}
			fmt.Fprintf(&b, "| `%s(%s)`%s | %s |\n", one.Name, argNames(one.Args), waits, cell(one.Doc))
		}
	}
	for _, of := range owners(items) {
		fmt.Fprintf(&b, "\n### %s\n\n| name | type | what |\n|---|---|---|\n", of)
		for _, one := range items {
			if one.Of == of {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", one.shown(), cell(one.kind()), cell(one.Doc))
			}
		}
	}
	return b.String()
}

// shown is how it is written in a script.
func (i Item) shown() string {
	name := i.Name
	switch {
	case i.Method:
		name = ":" + name
	case i.Of == "b2b" || strings.HasPrefix(i.Of, "b2b."):
		name = i.Of + "." + name
	}
	if i.Function {
		name += "(" + argNames(i.Args) + ")"
	}
	return name
}

func (i Item) kind() string {
	if i.Writable {
		return i.Type + ", writable"
	}
	return i.Type
}

// argNames is "code[, text]" of "code: integer, text?: string".
func argNames(args string) string {
	var b strings.Builder
	for n, arg := range split(args) {
		name, _, _ := strings.Cut(arg, ": ")
		if bare, ok := strings.CutSuffix(name, "?"); ok {
			name = "[" + bare + "]"
		}
		if n > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name)
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
