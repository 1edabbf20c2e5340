package lua

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// What a source may be at most. The compiler looks constants up in a list and
// walks the tree by recursion, so both need a bound.
const (
	maxSource = 1 << 20
	maxDepth  = 1000
)

// Compile makes a function of the text of one file, ready to be run by any
// number of VMs at once. The error is an *Error with the file and line.
//
// The code differs from gopher-lua's own in that its known bugs are worked
// around and what allocates is counted; see rewrite.go.
func Compile(name string, src []byte) (proto *glua.FunctionProto, err error) {
	settle()
	defer func() {
		if p := recover(); p != nil {
			proto, err = nil, &Error{File: name, Line: 1, Msg: fmt.Sprintf("cannot be compiled: %v", p)}
		}
	}()
	if len(src) > maxSource {
		return nil, &Error{File: name, Line: 1, Msg: fmt.Sprintf("the file has %d bytes, at most %d are allowed", len(src), maxSource)}
	}
	chunk, err := parse.Parse(bytes.NewReader(src), name)
	if err != nil {
		return nil, syntaxError(name, src, err)
	}
	w := &rewriter{file: name}
	chunk = w.block(chunk)
	jumps := &scoper{file: name}
	if w.err == nil {
		jumps.function(nil, false, chunk)
		w.err = jumps.err
	}
	if w.err != nil {
		return nil, w.err
	}
	proto, err = glua.Compile(chunk, name)
	if err != nil {
		return nil, compileError(name, err)
	}
	finish(proto, jumps.gotos)
	return proto, nil
}

func syntaxError(name string, src []byte, err error) *Error {
	var at *parse.Error
	if !errors.As(err, &at) {
		return &Error{File: name, Line: 1, Msg: err.Error()}
	}
	if at.Pos.Line == parse.EOF {
		line := bytes.Count(bytes.TrimRight(src, "\n"), []byte("\n")) + 1
		return &Error{File: name, Line: line, Msg: at.Message + " near <eof>"}
	}
	msg := at.Message
	if at.Token != "" {
		msg += fmt.Sprintf(" near '%s'", at.Token)
	}
	return &Error{File: name, Line: at.Pos.Line, Col: at.Pos.Column, Msg: msg}
}

func compileError(name string, err error) *Error {
	var at *glua.CompileError
	if errors.As(err, &at) {
		return &Error{File: name, Line: max(at.Line, 1), Msg: at.Message}
	}
	return &Error{File: name, Line: 1, Msg: err.Error()}
}

// finish puts our functions where rewrite left their marks, and gives the
// instruction before each goto the first register that the jump leaves.
func finish(p *glua.FunctionProto, gotos []jump) {
	for i, c := range p.Constants {
		if s, ok := c.(glua.LString); ok {
			if fn := counted(string(s)); fn != nil {
				p.Constants[i] = fn
			}
		}
	}
	for pc, line := range p.DbgSourcePositions {
		if line < markedLine {
			continue
		}
		j := gotos[line-markedLine]
		p.DbgSourcePositions[pc] = j.line
		if opcode(p.Code[pc]) == glua.OP_CLOSE {
			p.Code[pc] = p.Code[pc]&^(0xff<<18) | uint32(j.keep)<<18
		}
	}
	for _, child := range p.FunctionPrototypes {
		finish(child, gotos)
	}
}

// The layout of an instruction: 6 bits opcode, 8 bits A, 18 bits Bx, or 9 bits C
// and 9 bits B.
func opcode(inst uint32) int { return int(inst >> 26) }
func argA(inst uint32) int   { return int(inst>>18) & 0xff }
func argB(inst uint32) int   { return int(inst) & 0x1ff }
func argC(inst uint32) int   { return int(inst>>9) & 0x1ff }
func argBx(inst uint32) int  { return int(inst & 0x3ffff) }

// rk is added to the number of a constant where a register could stand.
const rk = 1 << 8

// markedLine is above any real line: a goto carries its number there through
// the compiler, which copies lines and nothing else.
const markedLine = math.MaxInt32 / 2

// position copies the place of one node to one that replaces it.
func position[N ast.PositionHolder](to N, from ast.PositionHolder) N {
	to.SetLine(from.Line())
	to.SetLastLine(from.LastLine())
	return to
}
