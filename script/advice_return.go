package script

import (
	"reflect"
	"slices"

	"github.com/yuin/gopher-lua/ast"

	"legwork/b2bua"
)

// returns checks what a hook returns: constants, and decisions that are another
// hook's. Functions within it return to the script.
func (a *adviser) returns(name string, fn *ast.FunctionExpr) {
	hook := b2bua.HookOutside
	if i := slices.Index(hookNames(), name); i >= 0 {
		hook = b2bua.Hook(i)
	}
	within := map[*ast.ReturnStmt]bool{}
	stmts := reflect.ValueOf(fn.Stmts)
	eachNode(stmts, func(n any) {
		if inner, ok := n.(*ast.FunctionExpr); ok {
			eachNode(reflect.ValueOf(inner.Stmts), func(n any) {
				if r, ok := n.(*ast.ReturnStmt); ok {
					within[r] = true
				}
			})
		}
	})
	eachNode(stmts, func(n any) {
		if r, ok := n.(*ast.ReturnStmt); ok && !within[r] && len(r.Exprs) > 0 {
			a.returned(name, hook, r.Exprs[0])
		}
	})
}

func (a *adviser) returned(name string, hook b2bua.Hook, e ast.Expr) {
	kind := ""
	switch e := e.(type) {
	case *ast.StringExpr:
		kind = "a string"
	case *ast.NumberExpr:
		kind = e.Value
	case *ast.TableExpr:
		kind = "a table"
	case *ast.TrueExpr, *ast.FalseExpr:
		kind = "a boolean"
	case *ast.FuncCallExpr:
		object, made, ok := fieldOf(e.Func)
		d := namedDecision(made)
		if !ok || !isName(object, "b2b") || d == nil || allowed(hook, d) {
			return
		}
		kind = "b2b." + made
	default:
		return
	}
	a.warn(e, []string{kind, "return"}, "%s returns %s; it may return %s", name, kind, mayReturn(hook))
}

// namedDecision is what b2b.name makes; nil: no decision.
func namedDecision(name string) b2bua.Decision {
	switch name {
	case "route":
		return b2bua.Route{}
	case "reject":
		return b2bua.Reject{}
	case "redirect":
		return b2bua.Redirect{}
	case "challenge":
		return challenge{}
	case "drop":
		return b2bua.Drop{}
	case "reply":
		return b2bua.Reply{}
	case "next":
		return b2bua.Next{}
	case "fail":
		return b2bua.Fail{}
	case "skip":
		return b2bua.Skip{}
	case "suppress":
		return b2bua.Suppress{}
	case "hangup":
		return b2bua.HangUp{}
	case "pass":
		return b2bua.Pass{}
	case "transfer":
		return b2bua.Transfer{}
	case "accept":
		return b2bua.Accept{}
	}
	return nil
}
