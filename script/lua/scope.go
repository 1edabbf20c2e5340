package lua

import (
	"fmt"

	"github.com/yuin/gopher-lua/ast"
)

// A jump is one goto: its line, and how many locals of its function are still
// alive where it lands. Closures over the others must be closed; gopher-lua
// closes all of the function's, which cuts closures off from living locals.
type jump struct {
	line, keep int
}

// A scoper finds the jumps of a rewritten tree. It counts locals exactly as
// the compiler gives them registers.
type scoper struct {
	file  string
	at    *scope // of the function at hand
	gotos []jump
	err   error
}

// A scope is one block. locals counts those of the enclosing blocks too.
type scope struct {
	outer  *scope
	locals int
	labels map[string]int // locals alive at the label
}

func (s *scoper) fail(line int, format string, args ...any) {
	if s.err == nil {
		s.err = &Error{File: s.file, Line: line, Msg: fmt.Sprintf(format, args...)}
	}
}

// function opens the scope of a function; params is nil for the main chunk.
func (s *scoper) function(params *ast.ParList, method bool, body []ast.Stmt) {
	outer := s.at
	s.at = nil
	locals := 0
	if params != nil {
		locals = len(params.Names)
	}
	if method {
		locals++
	}
	s.block(locals, body, false)
	s.at = outer
}

// block walks a block that begins with some locals of its own. open says that
// an until still sees its locals, so its last label is not outside of them.
func (s *scoper) block(own int, body []ast.Stmt, open bool) {
	before := 0
	if s.at != nil {
		before = s.at.locals
	}
	b := &scope{outer: s.at, locals: before + own}
	s.at = b
	s.label(b, before, body, open)
	for _, stmt := range body {
		s.stmt(stmt)
		if l, ok := stmt.(*ast.LocalAssignStmt); ok {
			b.locals += len(l.Names)
		}
	}
	s.at = b.outer
}

func (s *scoper) label(b *scope, before int, body []ast.Stmt, open bool) {
	locals, last := b.locals, len(body)
	for last > 0 && isLabel(body[last-1]) {
		last--
	}
	for i, stmt := range body {
		switch stmt := stmt.(type) {
		case *ast.LocalAssignStmt:
			locals += len(stmt.Names)
		case *ast.LabelStmt:
			if _, ok := b.labels[stmt.Name]; ok {
				s.fail(stmt.Line(), "label '%s' already defined", stmt.Name)
			}
			if b.labels == nil {
				b.labels = map[string]int{}
			}
			b.labels[stmt.Name] = locals
			if i >= last && !open {
				b.labels[stmt.Name] = before
			}
		}
	}
}

func isLabel(s ast.Stmt) bool {
	_, ok := s.(*ast.LabelStmt)
	return ok
}

func (s *scoper) stmt(stmt ast.Stmt) {
	switch stmt := stmt.(type) {
	case *ast.GotoStmt:
		s.jump(stmt)
	case *ast.DoBlockStmt:
		s.block(0, stmt.Stmts, false)
	case *ast.IfStmt:
		s.block(0, stmt.Then, false)
		s.block(0, stmt.Else, false)
	case *ast.WhileStmt:
		s.block(0, stmt.Stmts, false)
	case *ast.RepeatStmt:
		s.block(0, stmt.Stmts, true)
	case *ast.NumberForStmt:
		s.block(4, stmt.Stmts, false)
	case *ast.GenericForStmt:
		s.block(3+len(stmt.Names), stmt.Stmts, false)
	case *ast.FuncDefStmt:
		s.function(stmt.Func.ParList, stmt.Name.Func == nil, stmt.Func.Stmts)
		return
	}
	walk(stmt, func(f *ast.FunctionExpr) { s.function(f.ParList, false, f.Stmts) })
}

func (s *scoper) jump(g *ast.GotoStmt) {
	line := g.Line()
	for b := s.at; b != nil; b = b.outer {
		keep, ok := b.labels[g.Label]
		if !ok {
			continue
		}
		if keep > b.locals {
			s.fail(line, "<goto %s> jumps into the scope of a local", g.Label)
		}
		g.SetLine(markedLine + len(s.gotos))
		g.SetLastLine(line)
		s.gotos = append(s.gotos, jump{line: line, keep: min(keep, b.locals)})
		return
	}
	s.fail(line, "no visible label '%s' for <goto>", g.Label)
}

// walk finds the functions written in the expressions of one statement, not
// those in its blocks.
func walk(stmt ast.Stmt, found func(*ast.FunctionExpr)) {
	var exprs []ast.Expr
	switch s := stmt.(type) {
	case *ast.AssignStmt:
		exprs = append(append(exprs, s.Lhs...), s.Rhs...)
	case *ast.LocalAssignStmt:
		exprs = s.Exprs
	case *ast.FuncCallStmt:
		exprs = []ast.Expr{s.Expr}
	case *ast.IfStmt:
		exprs = []ast.Expr{s.Condition}
	case *ast.WhileStmt:
		exprs = []ast.Expr{s.Condition}
	case *ast.RepeatStmt:
		exprs = []ast.Expr{s.Condition}
	case *ast.NumberForStmt:
		exprs = []ast.Expr{s.Init, s.Limit, s.Step}
	case *ast.GenericForStmt:
		exprs = s.Exprs
	case *ast.ReturnStmt:
		exprs = s.Exprs
	}
	for _, e := range exprs {
		inside(e, found)
	}
}

func inside(e ast.Expr, found func(*ast.FunctionExpr)) {
	switch e := e.(type) {
	case *ast.FunctionExpr:
		found(e)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			inside(f.Key, found)
			inside(f.Value, found)
		}
	case *ast.AttrGetExpr:
		inside(e.Object, found)
		inside(e.Key, found)
	case *ast.FuncCallExpr:
		inside(e.Func, found)
		inside(e.Receiver, found)
		for _, a := range e.Args {
			inside(a, found)
		}
	case *ast.LogicalOpExpr:
		inside(e.Lhs, found)
		inside(e.Rhs, found)
	case *ast.RelationalOpExpr:
		inside(e.Lhs, found)
		inside(e.Rhs, found)
	case *ast.ArithmeticOpExpr:
		inside(e.Lhs, found)
		inside(e.Rhs, found)
	case *ast.UnaryMinusOpExpr:
		inside(e.Expr, found)
	case *ast.UnaryNotOpExpr:
		inside(e.Expr, found)
	case *ast.UnaryLenOpExpr:
		inside(e.Expr, found)
	}
}
