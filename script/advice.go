package script

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	luaparse "github.com/yuin/gopher-lua/parse"
)

// advise reads the text of the scripts and finds what will go wrong in a call,
// without one: only what stands there as a constant, so that it is certain. A file
// that nobody requires is another script's.
func (g *generation) advise() Problems {
	var all Problems
	api := apiByOwner()
	files := append([]string{g.snap.Main}, g.profileFiles()...)
	for i := 0; i < len(files); i++ {
		a := &adviser{file: files[i], trunks: g.cfg.Trunks().Names(), api: api}
		a.read(g.snap.Files[a.file])
		all = append(all, a.all...)
		for _, name := range a.required {
			if g.modules[name] != nil && !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
	}
	return all
}

// adviser reads one file.
type adviser struct {
	file     string
	lines    []string
	trunks   []string
	api      map[string]map[string]Item
	required []string // files
	all      Problems
}

// apiByOwner is the API by object and name.
func apiByOwner() map[string]map[string]Item {
	all := map[string]map[string]Item{}
	for _, one := range API() {
		if all[one.Of] == nil {
			all[one.Of] = map[string]Item{}
		}
		all[one.Of][one.Name] = one
	}
	return all
}

func (a *adviser) read(src []byte) {
	chunk, err := luaparse.Parse(bytes.NewReader(src), a.file)
	if err != nil {
		return // which compile has said
	}
	a.lines = strings.Split(string(src), "\n")
	eachNode(reflect.ValueOf(chunk), func(n any) {
		switch n := n.(type) {
		case *ast.FuncDefStmt:
			if key, ok := n.Name.Func.(*ast.AttrGetExpr); ok {
				a.named(key.Key, n.Func)
			}
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				if key, ok := to.(*ast.AttrGetExpr); ok && i < len(n.Rhs) {
					a.named(key.Key, n.Rhs[i])
				}
			}
		case *ast.Field:
			a.named(n.Key, n.Value)
		case *ast.AttrGetExpr:
			a.library(n)
		case *ast.FuncCallExpr:
			if isName(n.Func, "require") && len(n.Args) == 1 {
				name, _, _ := word(n.Args[0])
				a.required = append(a.required, strings.ReplaceAll(name, ".", "/")+".lua")
			}
			a.decision(n)
		}
	})
	slices.SortStableFunc(a.all, func(x, y Problem) int { return cmp.Or(x.Line-y.Line, x.Col-y.Col) })
	a.all = slices.Compact(a.all)
}

// eachNode visits every statement, expression and field of a tree, the outer one
// first. Compile has bounded its depth.
func eachNode(v reflect.Value, visit func(n any)) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			eachNode(v.Index(i), visit)
		}
	case reflect.Interface:
		if !v.IsNil() {
			eachNode(v.Elem(), visit)
		}
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		visit(v.Interface())
		for i := range v.Elem().NumField() {
			if f := v.Elem().Field(i); f.Kind() != reflect.Struct {
				eachNode(f, visit)
			}
		}
	}
}

// warn names a place: the line of at, and the column at which one of these texts
// stands there.
func (a *adviser) warn(at ast.PositionHolder, texts []string, format string, args ...any) {
	p := Problem{File: a.file, Line: at.Line(), Msg: fmt.Sprintf(format, args...), Warning: true}
	if p.Line > 0 && p.Line <= len(a.lines) {
		for _, text := range texts {
			if i := strings.Index(a.lines[p.Line-1], text); i >= 0 {
				p.Col = i + 1
				break
			}
		}
	}
	a.all = append(a.all, p)
}

// word is a text that stands in the script, and how it may be written there.
func word(e ast.Expr) (text string, written []string, ok bool) {
	s, ok := e.(*ast.StringExpr)
	if !ok {
		return "", nil, false
	}
	return s.Value, []string{`"` + s.Value + `"`, "'" + s.Value + "'", s.Value}, true
}

// figure is a number that stands in the script.
func figure(e ast.Expr) (n int, written []string, ok bool) {
	lit, ok := e.(*ast.NumberExpr)
	if !ok {
		return 0, nil, false
	}
	f, err := strconv.ParseFloat(lit.Value, 64)
	return int(f), []string{lit.Value}, err == nil && f == float64(int(f))
}

// isName tells whether e is that variable.
func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.IdentExpr)
	return ok && id.Value == name
}

// fieldOf is e.name: the object and the name.
func fieldOf(e ast.Expr) (object ast.Expr, name string, ok bool) {
	get, ok := e.(*ast.AttrGetExpr)
	if !ok {
		return nil, "", false
	}
	key, ok := get.Key.(*ast.StringExpr)
	if !ok {
		return nil, "", false
	}
	return get.Object, key.Value, true
}

// library checks b2b.name and b2b.library.name.
func (a *adviser) library(n *ast.AttrGetExpr) {
	object, name, ok := fieldOf(n)
	if !ok {
		return
	}
	of := ""
	if outer, inner, nested := fieldOf(object); nested && isName(outer, "b2b") {
		of = "b2b." + inner
	} else if isName(object, "b2b") {
		of = "b2b"
	}
	known := a.api[of]
	if known == nil {
		return
	}
	names := slices.Collect(maps.Keys(known))
	if of == "b2b" {
		for owner := range a.api {
			if library, ok := strings.CutPrefix(owner, "b2b."); ok {
				names = append(names, library)
			}
		}
	}
	if !slices.Contains(names, name) {
		a.warn(n.Key, []string{"." + name}, "%s has no %q%s", of, name, meant(name, names))
	}
}
