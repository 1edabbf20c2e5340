package script

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"legwork/script/lua"
)

// scope is one hook: what its parameters are, and which statuses its message
// may have.
type scope struct {
	*adviser
	of        map[string]string // object by parameter
	low, high int               // of the message; 0 to 0: a request; -1: unknown
	message   string            // the parameter that is its message
}

// named looks into a function that has the name of a hook or of a profile.
func (a *adviser) named(key, value ast.Expr) {
	name, _, ok := word(key)
	if !ok {
		return
	}
	if fn, ok := value.(*ast.FunctionExpr); ok && (slices.Contains(hookNames(), name) || slices.Contains(outsideHooks(), name)) {
		a.hook(name, fn)
	}
	if entries, ok := value.(*ast.TableExpr); ok && (name == "inbound" || name == "outbound") {
		for _, f := range entries.Fields {
			fn, isFunction := f.Value.(*ast.FunctionExpr)
			if isFunction {
				a.profileEntry(f.Key, fn)
			}
		}
	}
}

// hook gives the parameters of a hook their objects, as the API describes them.
func (a *adviser) hook(name string, fn *ast.FunctionExpr) {
	s := &scope{adviser: a, of: map[string]string{}, low: -1}
	for i, arg := range split(a.api["hook"][name].Args) {
		_, kind, _ := strings.Cut(arg, ": ")
		if i >= len(fn.ParList.Names) || a.api[kind] == nil {
			continue
		}
		s.of[fn.ParList.Names[i]] = kind
		if kind == "message" {
			s.message = fn.ParList.Names[i]
		}
	}
	switch name {
	case "on_branch", "on_request", "on_bye", "on_refer":
		s.low, s.high = 0, 0
	case "on_progress":
		s.low, s.high = 101, 199
	case "on_answer":
		s.low, s.high = 200, 299
	case "on_failure", "on_final":
		s.low, s.high = 300, 699
	}
	s.body(fn)
	a.returns(name, fn)
}

// profileMethods are those that a key of a profile is likely to mean.
func profileMethods() []string {
	methods := []string{"INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "REFER", "*"}
	for _, hook := range outsideHooks() {
		methods = append(methods, strings.ToUpper(hook[len("on_"):]))
	}
	return methods
}

func (a *adviser) profileEntry(at ast.Expr, fn *ast.FunctionExpr) {
	key, written, _ := word(at)
	e, err := profileKey(key)
	if err != nil {
		return
	}
	if known := profileMethods(); !slices.Contains(known, e.method) && lua.Nearest(e.method, known) != "" {
		a.warn(at, written, "%q is never asked: no method is called %s%s", key, e.method, near(e.method, known))
	}
	if len(fn.ParList.Names) == 0 {
		return
	}
	s := &scope{adviser: a, of: map[string]string{fn.ParList.Names[0]: "message"}, message: fn.ParList.Names[0], low: -1}
	switch {
	case e.any:
	case e.high < 200:
		s.low, s.high = e.low, 199
	case e.low >= 200 && e.high < 300:
		s.low, s.high = 200, 299
	case e.low >= 300:
		s.low, s.high = 300, 699
	}
	if e.low > 0 && e.high < 200 {
		s.low = 101
	}
	s.body(fn)
}

// body looks at what is done with the parameters. One whose name means something
// else somewhere in the function is left alone.
func (s *scope) body(fn *ast.FunctionExpr) {
	stmts := reflect.ValueOf(fn.Stmts)
	eachNode(stmts, func(n any) {
		switch n := n.(type) {
		case *ast.LocalAssignStmt:
			s.forget(n.Names...)
		case *ast.FunctionExpr:
			s.forget(n.ParList.Names...)
		case *ast.NumberForStmt:
			s.forget(n.Name)
		case *ast.GenericForStmt:
			s.forget(n.Names...)
		case *ast.AssignStmt:
			for _, to := range n.Lhs {
				if id, ok := to.(*ast.IdentExpr); ok {
					s.forget(id.Value)
				}
			}
		}
	})
	eachNode(stmts, func(n any) {
		switch n := n.(type) {
		case *ast.AttrGetExpr:
			s.known(n.Object, n.Key, false)
		case *ast.FuncCallExpr:
			s.method(n)
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				var value ast.Expr
				if i < len(n.Rhs) {
					value = n.Rhs[i]
				}
				s.written(to, value)
			}
		}
	})
}

func (s *scope) forget(names ...string) {
	for _, name := range names {
		delete(s.of, name)
	}
}

// kind is the object that an expression is, or "".
func (s *scope) kind(e ast.Expr) string {
	if id, ok := e.(*ast.IdentExpr); ok {
		return s.of[id.Value]
	}
	object, name, ok := fieldOf(e)
	if !ok {
		return ""
	}
	of := s.kind(object)
	if of == "" || isOpen(of) {
		return ""
	}
	if kind := strings.TrimSuffix(s.api[of][name].Type, "?"); s.api[kind] != nil {
		return kind
	}
	return ""
}

// isOpen are objects whose fields the message decides.
func isOpen(kind string) bool { return kind == "h" || kind == "params" }

// known checks that an object has the field, or the method.
func (s *scope) known(object, key ast.Expr, method bool) {
	of := s.kind(object)
	name, _, ok := word(key)
	if !ok || of == "" || isOpen(of) && !method {
		return
	}
	item, there := s.api[of][name]
	sign := "."
	if method {
		sign = ":"
	}
	switch {
	case !there:
		s.warn(key, []string{sign + name, name}, "%s has no field %q%s", of, name, meant(name, slices.Collect(maps.Keys(s.api[of]))))
	case item.Method && !method:
		s.warn(key, []string{sign + name, name}, "%s:%s is called with a colon", of, name)
	}
}

// method checks object:name(...).
func (s *scope) method(n *ast.FuncCallExpr) {
	if n.Receiver == nil {
		return
	}
	key := &ast.StringExpr{Value: n.Method}
	key.SetLine(n.Line())
	s.known(n.Receiver, key, true)
	if s.kind(n.Receiver) != "h" || len(n.Args) == 0 {
		return
	}
	switch n.Method {
	case "add":
		s.header(n.Args[0], true)
	case "drop":
		if list, ok := n.Args[0].(*ast.TableExpr); ok {
			for _, f := range list.Fields {
				if name, _, ok := word(f.Value); ok && !strings.HasSuffix(name, "*") {
					s.header(f.Value, true)
				}
			}
		}
	}
}

// header checks a name that is written to.
func (a *adviser) header(e ast.Expr, whole bool) {
	name, written, ok := word(e)
	if !ok {
		return
	}
	if err := mayEdit(name); err != nil {
		a.warn(e, written, "%v", err)
	} else if whole && tagged(name) {
		a.warn(e, written, "%s has a tag that belongs to the engine: a message has one, which can be replaced but neither added nor removed", name)
	}
}

// written checks an assignment to a field of an object.
func (s *scope) written(to, value ast.Expr) {
	get, ok := to.(*ast.AttrGetExpr)
	if !ok {
		return
	}
	of := s.kind(get.Object)
	name, _, ok := word(get.Key)
	if !ok || of == "" {
		return
	}
	item, there := s.api[of][name]
	switch {
	case of == "h":
		_, removed := value.(*ast.NilExpr)
		s.header(get.Key, removed)
	case isOpen(of), !there:
	case !item.Writable:
		s.warn(get.Key, []string{"." + name}, "%s.%s is read only", of, name)
	case of == "message" && name == "status" && isName(get.Object, s.message):
		s.status(get.Key, value)
	}
}

// status checks msg.status = code: a response stays in its kind.
func (s *scope) status(at, value ast.Expr) {
	code, written, ok := figure(value)
	switch {
	case s.low == 0:
		s.warn(at, []string{".status"}, "a request has no status")
	case !ok || s.low < 0:
	case code < s.low || code > s.high:
		s.warn(value, written, "status %d: this response can become %d to %d", code, s.low, s.high)
	}
}
