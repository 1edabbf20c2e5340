package lua

import (
	"fmt"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// A Problem is something in a compiled file that will fail when it runs.
type Problem struct {
	File string
	Line int
	Msg  string
	Made string // the global that is assigned to; "": one is read
}

func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Msg) }

// Lint finds reads of globals that are not known and all assignments to
// globals, in the order of lines.
func Lint(proto *glua.FunctionProto, known []string) []Problem {
	problems := lint(proto, known, nil)
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	return slices.Compact(problems)
}

// Undefined finds reads of globals that are neither known nor assigned anywhere
// in the file: in a VM that is Open they are nil.
func Undefined(proto *glua.FunctionProto, known []string) []Problem {
	problems := Lint(proto, assigned(proto, known))
	return slices.DeleteFunc(problems, func(p Problem) bool { return !strings.HasPrefix(p.Msg, undefined) })
}

// assigned are the known names and those of the globals that the file makes.
func assigned(proto *glua.FunctionProto, known []string) []string {
	for pc := 0; pc < len(proto.Code); pc++ {
		switch inst := proto.Code[pc]; opcode(inst) {
		case glua.OP_SETGLOBAL:
			known = append(slices.Clip(known), proto.Constants[argBx(inst)].String())
		case glua.OP_CLOSURE:
			pc += int(proto.FunctionPrototypes[argBx(inst)].NumUpvalues)
		}
	}
	for _, child := range proto.FunctionPrototypes {
		known = assigned(child, known)
	}
	return known
}

const undefined = "undefined global"

func lint(proto *glua.FunctionProto, known []string, found []Problem) []Problem {
	for pc := 0; pc < len(proto.Code); pc++ {
		inst := proto.Code[pc]
		p := Problem{File: proto.SourceName, Line: proto.DbgSourcePositions[pc]}
		switch opcode(inst) {
		case glua.OP_GETGLOBAL:
			name := proto.Constants[argBx(inst)].String()
			if slices.Contains(known, name) {
				continue
			}
			p.Msg = fmt.Sprintf(undefined+" '%s'%s", name, near(name, known))
		case glua.OP_SETGLOBAL:
			name := proto.Constants[argBx(inst)].String()
			p.Made = name
			p.Msg = fmt.Sprintf("assignment to undeclared global '%s'%s; did you forget 'local'?", name, near(name, known))
		case glua.OP_CLOSURE:
			// The words after it say what to capture; they are no instructions.
			pc += int(proto.FunctionPrototypes[argBx(inst)].NumUpvalues)
			continue
		default:
			continue
		}
		found = append(found, p)
	}
	for _, child := range proto.FunctionPrototypes {
		found = lint(child, known, found)
	}
	return found
}

// Globals are the names a script may read without declaring them.
func (v *VM) Globals() []string {
	names := slices.Clone(v.names)
	slices.Sort(names)
	return names
}

// Nearest is the known name that is most like name, or "" when none is near:
// at most a third of its letters may differ, whatever their case.
func Nearest(name string, known []string) string {
	best, near := "", max(1, min(len(name), 24)/3)+1
	lower := strings.ToLower(name)
	for _, k := range slices.Sorted(slices.Values(known)) {
		if k == name {
			continue
		}
		if d := distance(lower, strings.ToLower(k)); d < near {
			best, near = k, d
		}
	}
	return best
}

// maxListed bounds the names that an error lists.
const maxListed = 40

// Listed is "; there are a, b, c" for an error about a name that is like none
// of these, or "" when they are too many to read.
func Listed(known []string) string {
	if len(known) == 0 || len(known) > maxListed {
		return ""
	}
	return "; there are " + strings.Join(slices.Compact(slices.Sorted(slices.Values(known))), ", ")
}

// distance is how many letters to insert, drop, change or swap with the next.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var before, last, row [65]int
	for j := range len(b) {
		last[j+1] = j + 1
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			d := last[j]
			if a[i] != b[j] {
				d++
			}
			d = min(d, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			row[j+1] = d
		}
		before, last = last, row
	}
	return last[len(b)]
}
