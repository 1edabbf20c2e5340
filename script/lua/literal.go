package lua

import (
	"slices"

	glua "github.com/yuin/gopher-lua"
)

// A Literal is a call of a function of b2b with one text as it stands, as in
// b2b.redis("cache").
type Literal struct {
	Function, Text string
	File           string
	Line           int
}

// Literals finds the calls of these functions of b2b whose only argument is a
// text as it stands. b2b is the global, or a local or an upvalue of that name.
func Literals(proto *glua.FunctionProto, functions []string) []Literal {
	var found []Literal
	for pc := range proto.Code {
		l, ok := literalBefore(proto, pc)
		if ok && slices.Contains(functions, l.Function) {
			found = append(found, l)
		}
	}
	for _, child := range proto.FunctionPrototypes {
		found = append(found, Literals(child, functions)...)
	}
	return found
}

// literalBefore reads what leads to the call at pc: the function from the
// table, the text behind it.
func literalBefore(proto *glua.FunctionProto, pc int) (l Literal, ok bool) {
	if pc < 2 {
		return l, false
	}
	get, load, call := proto.Code[pc-2], proto.Code[pc-1], proto.Code[pc]
	if opcode(call) != glua.OP_CALL || argB(call) != 2 || opcode(load) != glua.OP_LOADK || opcode(get) != glua.OP_GETTABLEKS ||
		argA(get) != argA(call) || argA(load) != argA(call)+1 || argC(get) < rk || !isB2B(proto, pc-2) {
		return l, false
	}
	text, ok := constantOf(proto, argBx(load)).(glua.LString)
	name, named := constantOf(proto, argC(get)-rk).(glua.LString)
	return Literal{string(name), string(text), proto.SourceName, proto.DbgSourcePositions[pc]}, ok && named
}

// isB2B tells whether the instruction at pc takes a field of b2b.
func isB2B(proto *glua.FunctionProto, pc int) bool {
	table := argB(proto.Code[pc])
	live := 0
	for _, local := range proto.DbgLocals {
		if local.StartPc > pc || local.EndPc <= pc {
			continue
		}
		if live == table {
			return local.Name == "b2b"
		}
		live++
	}
	if pc == 0 || argA(proto.Code[pc-1]) != table {
		return false
	}
	before := proto.Code[pc-1]
	switch opcode(before) {
	case glua.OP_GETGLOBAL:
		return constantOf(proto, argBx(before)) == glua.LString("b2b")
	case glua.OP_GETUPVAL:
		i := argB(before)
		return i < len(proto.DbgUpvalues) && proto.DbgUpvalues[i] == "b2b"
	}
	return false
}

func constantOf(proto *glua.FunctionProto, i int) glua.LValue {
	if i >= len(proto.Constants) {
		return glua.LNil
	}
	return proto.Constants[i]
}
