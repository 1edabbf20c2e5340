package lua

import (
	"fmt"
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// Marks stand in the tree for functions of ours; finish replaces them in the
// compiled constants, so that a call of one costs no look-up. A script that
// contains one as a string is refused.
const (
	markConcat = "\x00legwork..\x00"
	markTable  = "\x00legwork{}\x00"
	markKey    = "\x00legwork[k]\x00"
	markSet    = "\x00legwork[]=\x00"
)

// hidden is the name of a local that no script can write.
const hidden = "(value)"

// A rewriter changes the tree between parser and compiler.
//
// Around bugs of the compiler:
//   - `if false`, `while nil` as conditions: the literal becomes `not true`;
//   - a local assigned a logical, relational or not expression, or a call in
//     parentheses, that uses the local: through a hidden local;
//   - an assignment to several names: the same;
//   - a break out of an inner block leaves closures open on registers that are
//     used again: it becomes a goto, which scope.go makes right.
//
// For the memory limit: concatenation, table constructors and assignment to a
// computed key become calls of functions that count (see count.go).
type rewriter struct {
	file  string
	depth int
	loops []loop // innermost last, of the function at hand
	next  int    // number of the next break label
	err   error
}

// A loop says where its breaks go: to a label, when it holds closures.
type loop struct {
	label string
	used  bool
}

func (w *rewriter) fail(at ast.PositionHolder, format string, args ...any) {
	if w.err == nil {
		w.err = &Error{File: w.file, Line: at.Line(), Msg: fmt.Sprintf(format, args...)}
	}
}

func (w *rewriter) enter(at ast.PositionHolder) bool {
	w.depth++
	if w.depth > maxDepth {
		w.fail(at, "nested deeper than %d", maxDepth)
	}
	return w.err == nil
}

func (w *rewriter) block(in []ast.Stmt) []ast.Stmt {
	for i, s := range in {
		in[i] = w.stmt(s)
	}
	return in
}

func (w *rewriter) stmt(s ast.Stmt) ast.Stmt {
	defer func() { w.depth-- }()
	if !w.enter(s) {
		return s
	}
	switch s := s.(type) {
	case *ast.AssignStmt:
		return w.assign(s)
	case *ast.LocalAssignStmt:
		w.exprs(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = w.expr(s.Expr)
	case *ast.DoBlockStmt:
		s.Stmts = w.block(s.Stmts)
	case *ast.IfStmt:
		s.Condition = w.condition(s.Condition)
		s.Then, s.Else = w.block(s.Then), w.block(s.Else)
	case *ast.FuncDefStmt:
		if s.Name.Func != nil {
			s.Name.Func = w.expr(s.Name.Func)
		} else {
			s.Name.Receiver = w.expr(s.Name.Receiver)
		}
		w.function(s.Func)
	case *ast.ReturnStmt:
		w.exprs(s.Exprs)
	case *ast.BreakStmt:
		return w.leave(s)
	default:
		return w.loop(s)
	}
	return s
}

func (w *rewriter) loop(s ast.Stmt) ast.Stmt {
	w.next++
	w.loops = append(w.loops, loop{label: "(break " + strconv.Itoa(w.next) + ")"})
	switch s := s.(type) {
	case *ast.WhileStmt:
		s.Condition = w.condition(s.Condition)
		s.Stmts = w.block(s.Stmts)
	case *ast.RepeatStmt:
		s.Stmts = w.block(s.Stmts)
		s.Condition = w.condition(s.Condition)
	case *ast.NumberForStmt:
		s.Init, s.Limit = w.expr(s.Init), w.expr(s.Limit)
		if s.Step != nil {
			s.Step = w.expr(s.Step)
		}
		s.Stmts = w.block(s.Stmts)
	case *ast.GenericForStmt:
		w.exprs(s.Exprs)
		s.Stmts = w.block(s.Stmts)
	}
	l := w.loops[len(w.loops)-1]
	w.loops = w.loops[:len(w.loops)-1]
	if !l.used {
		return s
	}
	end := position(&ast.LabelStmt{Name: l.label}, s)
	return position(&ast.DoBlockStmt{Stmts: []ast.Stmt{s, end}}, s)
}

func (w *rewriter) leave(s *ast.BreakStmt) ast.Stmt {
	if len(w.loops) == 0 {
		w.fail(s, "no loop to break")
		return s
	}
	l := &w.loops[len(w.loops)-1]
	l.used = true
	return position(&ast.GotoStmt{Label: l.label}, s)
}

func (w *rewriter) function(f *ast.FunctionExpr) {
	outer := w.loops
	w.loops = nil
	f.Stmts = w.block(f.Stmts)
	w.loops = outer
}

func (w *rewriter) assign(s *ast.AssignStmt) ast.Stmt {
	w.exprs(s.Rhs)
	for i := range s.Lhs {
		s.Lhs[i] = w.expr(s.Lhs[i])
	}
	if len(s.Lhs) > 1 || len(s.Rhs) > 1 {
		return w.assignMany(s)
	}
	switch to := s.Lhs[0].(type) {
	case *ast.IdentExpr:
		if clobbers(s.Rhs[0]) {
			return through(s)
		}
	case *ast.AttrGetExpr:
		return store(s, to.Object, to.Key, s.Rhs[0])
	}
	return s
}

// clobbers says whether the compiler may build e in the register of the local
// it is assigned to while it still reads it.
func clobbers(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.LogicalOpExpr, *ast.RelationalOpExpr, *ast.UnaryNotOpExpr:
		return true
	case *ast.FuncCallExpr:
		return e.AdjustRet
	}
	return false
}

// through makes `n = E` into `do local hidden = E; n = hidden end`.
func through(s *ast.AssignStmt) ast.Stmt {
	local := position(&ast.LocalAssignStmt{Names: []string{hidden}, Exprs: s.Rhs}, s)
	s.Rhs = []ast.Expr{position(&ast.IdentExpr{Value: hidden}, s)}
	return position(&ast.DoBlockStmt{Stmts: []ast.Stmt{local, s}}, s)
}

// store is `object[key] = value`. A key written out as a string can only make
// as many entries as the script has such strings, so it needs no counting.
func store(s ast.Stmt, object, key, value ast.Expr) ast.Stmt {
	if k, ok := key.(*ast.StringExpr); ok {
		to := position(&ast.AttrGetExpr{Object: object, Key: k}, s)
		return position(&ast.AssignStmt{Lhs: []ast.Expr{to}, Rhs: []ast.Expr{value}}, s)
	}
	return position(&ast.FuncCallStmt{Expr: call(s, markSet, object, key, single(value))}, s)
}

// assignMany evaluates prefixes and keys, then values, into hidden locals and
// stores them from right to left, as PUC Lua does.
func (w *rewriter) assignMany(s *ast.AssignStmt) ast.Stmt {
	local := position(&ast.LocalAssignStmt{}, s)
	keep := func(e ast.Expr) ast.Expr {
		name := hidden + strconv.Itoa(len(local.Names))
		local.Names = append(local.Names, name)
		if e != nil {
			local.Exprs = append(local.Exprs, single(e))
		}
		return position(&ast.IdentExpr{Value: name}, s)
	}
	for _, to := range s.Lhs {
		if to, ok := to.(*ast.AttrGetExpr); ok {
			to.Object = keep(to.Object)
			if _, ok := to.Key.(*ast.StringExpr); !ok {
				to.Key = keep(to.Key)
			}
		}
	}
	values := make([]ast.Expr, len(s.Lhs))
	for i := range values {
		values[i] = keep(nil)
	}
	local.Exprs = append(local.Exprs, s.Rhs...)
	out := []ast.Stmt{local}
	for i := len(s.Lhs) - 1; i >= 0; i-- {
		if to, ok := s.Lhs[i].(*ast.AttrGetExpr); ok {
			out = append(out, store(s, to.Object, to.Key, values[i]))
			continue
		}
		out = append(out, position(&ast.AssignStmt{Lhs: s.Lhs[i : i+1], Rhs: values[i : i+1]}, s))
	}
	return position(&ast.DoBlockStmt{Stmts: out}, s)
}

// condition is expr where only truth matters. A literal false becomes
// `not true`: the compiler jumps over an empty block wrongly otherwise.
func (w *rewriter) condition(e ast.Expr) ast.Expr { return w.literal(w.expr(e)) }

func (w *rewriter) literal(e ast.Expr) ast.Expr {
	switch c := e.(type) {
	case *ast.FalseExpr, *ast.NilExpr:
		return position(&ast.UnaryNotOpExpr{Expr: position(&ast.TrueExpr{}, e)}, e)
	case *ast.UnaryNotOpExpr:
		c.Expr = w.literal(c.Expr)
	case *ast.LogicalOpExpr:
		c.Lhs, c.Rhs = w.literal(c.Lhs), w.literal(c.Rhs)
	}
	return e
}
