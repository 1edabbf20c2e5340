package lua

import (
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

func (w *rewriter) exprs(in []ast.Expr) {
	for i, e := range in {
		in[i] = w.expr(e)
	}
}

func (w *rewriter) expr(e ast.Expr) ast.Expr {
	defer func() { w.depth-- }()
	if !w.enter(e) {
		return e
	}
	switch e := e.(type) {
	case *ast.StringExpr:
		if counted(e.Value) != nil {
			w.fail(e, "this string is reserved")
		}
	case *ast.NumberExpr:
		w.number(e)
	case *ast.FunctionExpr:
		w.function(e)
	case *ast.TableExpr:
		return w.table(e)
	case *ast.StringConcatOpExpr:
		return w.concat(e)
	case *ast.AttrGetExpr:
		e.Object, e.Key = w.expr(e.Object), w.expr(e.Key)
	case *ast.FuncCallExpr:
		if e.Func != nil {
			e.Func = w.expr(e.Func)
		} else {
			e.Receiver = w.expr(e.Receiver)
		}
		w.exprs(e.Args)
	case *ast.LogicalOpExpr:
		return w.logical(e)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = w.expr(e.Lhs), w.expr(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = w.expr(e.Lhs), w.expr(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = w.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = w.expr(e.Expr)
		if truth, known := constant(e.Expr); known {
			return truthExpr(e, !truth)
		}
	case *ast.UnaryLenOpExpr:
		e.Expr = w.expr(e.Expr)
	}
	return e
}

// logical folds an operator whose left side is a literal: the compiler jumps
// past registers that it then takes for set.
func (w *rewriter) logical(e *ast.LogicalOpExpr) ast.Expr {
	e.Lhs, e.Rhs = w.expr(e.Lhs), w.expr(e.Rhs)
	truth, known := constant(e.Lhs)
	switch {
	case !known:
		return e
	case truth == (e.Operator == "and"):
		return single(e.Rhs)
	}
	return e.Lhs
}

// constant says whether e is a literal, and if so, whether it counts as true.
func constant(e ast.Expr) (truth, known bool) {
	switch e.(type) {
	case *ast.FalseExpr, *ast.NilExpr:
		return false, true
	case *ast.TrueExpr, *ast.NumberExpr, *ast.StringExpr:
		return true, true
	}
	return false, false
}

func truthExpr(at ast.PositionHolder, truth bool) ast.Expr {
	if truth {
		return position(&ast.TrueExpr{}, at)
	}
	return position(&ast.FalseExpr{}, at)
}

// number keeps the compiler from reading 010 as eight.
func (w *rewriter) number(e *ast.NumberExpr) {
	f, ok := parseNumber(e.Value)
	if !ok {
		w.fail(e, "malformed number near '%s'", e.Value)
		return
	}
	e.Value = strconv.FormatFloat(f, 'g', -1, 64)
}

// concat makes `a .. b .. c` one call. The operator is right associative, so
// the parts hang down the right side.
func (w *rewriter) concat(e *ast.StringConcatOpExpr) ast.Expr {
	var parts []ast.Expr
	for {
		parts = append(parts, single(w.expr(e.Lhs)))
		right, ok := e.Rhs.(*ast.StringConcatOpExpr)
		if !ok {
			return call(e, markConcat, append(parts, single(w.expr(e.Rhs)))...)
		}
		e = right
	}
}

// table counts a constructor: what its shape costs is known here, the number
// of values that `...` or a call adds at its end only when it runs.
func (w *rewriter) table(e *ast.TableExpr) ast.Expr {
	cost, highest := costTable, 0
	for _, f := range e.Fields {
		if f.Value = w.expr(f.Value); f.Key == nil {
			continue
		}
		cost += costEntry
		switch k := f.Key.(type) {
		case *ast.StringExpr:
			f.Key = w.expr(k)
		case *ast.NumberExpr:
			w.number(k)
			if n, err := strconv.Atoi(k.Value); err == nil && n < maxArrayIndex {
				highest = max(highest, n)
			}
		default:
			f.Key = call(k, markKey, single(w.expr(k)))
		}
	}
	cost += highest * costSlot
	return call(e, markTable, e, position(&ast.NumberExpr{Value: strconv.Itoa(cost)}, e))
}

// single cuts a call or `...` to one value, as parentheses do.
func single(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}

func call(at ast.PositionHolder, mark string, args ...ast.Expr) *ast.FuncCallExpr {
	fn := position(&ast.StringExpr{Value: mark}, at)
	return position(&ast.FuncCallExpr{Func: fn, Args: args, AdjustRet: true}, at)
}

// counted is the function that a mark stands for. They hold nothing, so one
// serves all VMs.
func counted(mark string) *glua.LFunction {
	if !strings.HasPrefix(mark, "\x00legwork") {
		return nil
	}
	switch mark {
	case markConcat:
		return &glua.LFunction{IsG: true, GFunction: concat}
	case markTable:
		return &glua.LFunction{IsG: true, GFunction: newTable}
	case markKey:
		return &glua.LFunction{IsG: true, GFunction: newKey}
	case markSet:
		return &glua.LFunction{IsG: true, GFunction: setIndex}
	}
	return nil
}
