package script

import (
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"legwork/b2bua/message"
)

// decision checks the constants in a call of b2b.name(...).
func (a *adviser) decision(n *ast.FuncCallExpr) {
	object, name, ok := fieldOf(n.Func)
	if !ok || len(n.Args) == 0 {
		return
	}
	if outer, library, nested := fieldOf(object); nested && library == "trunk" && isName(outer, "b2b") {
		a.trunk(n.Args[0])
		return
	}
	if !isName(object, "b2b") {
		return
	}
	table, isTable := n.Args[0].(*ast.TableExpr)
	switch name {
	case "reject", "hangup":
		a.code(n.Args[0], 400, 699)
	case "reply":
		a.code(n.Args[0], 200, 699)
	case "redirect":
		if isTable {
			a.code(valueOf(table, "code"), 300, 399)
		}
	case "route":
		a.route(n.Args[0])
	case "next", "transfer":
		if isTable {
			a.targets(valueOf(table, "to"), false)
		}
	}
	if (name == "reject" || name == "reply") && len(n.Args) > 2 {
		a.names(n.Args[2])
	}
}

// valueOf is what a table has for a key, nil when it does not stand there.
func valueOf(t *ast.TableExpr, key string) ast.Expr {
	for _, f := range t.Fields {
		if name, _, ok := word(f.Key); ok && name == key {
			return f.Value
		}
	}
	return nil
}

func (a *adviser) code(e ast.Expr, low, high int) {
	if code, written, ok := figure(e); ok && (code < low || code > high) {
		a.warn(e, written, "code %d is not %d to %d", code, low, high)
	}
}

func (a *adviser) trunk(e ast.Expr) {
	if name, written, ok := word(e); ok && !slices.Contains(a.trunks, name) {
		a.warn(e, written, "unknown trunk %q%s", name, meant(name, a.trunks))
	}
}

// names checks the headers of {["X-A"] = "v"}.
func (a *adviser) names(e ast.Expr) {
	if t, ok := e.(*ast.TableExpr); ok {
		for _, f := range t.Fields {
			a.header(f.Key, true)
		}
	}
}

// keys checks that a table has no others.
func (a *adviser) keys(t *ast.TableExpr, what string, known []string) {
	for _, f := range t.Fields {
		if name, written, ok := word(f.Key); ok && !slices.Contains(known, name) {
			a.warn(f.Key, written[2:], "%s: unknown key %q%s", what, name, meant(name, known))
		}
	}
}

// route checks b2b.route(target) and b2b.route{to = ...}.
func (a *adviser) route(e ast.Expr) {
	t, ok := e.(*ast.TableExpr)
	if !ok {
		return
	}
	if valueOf(t, "to") == nil && placed(t) {
		a.targets(e, true)
		return
	}
	a.keys(t, "b2b.route", routeKeys())
	a.values(t)
	strategy, _, _ := word(valueOf(t, "strategy"))
	a.targets(valueOf(t, "to"), valueOf(t, "strategy") == nil || strategy == "serial")
	a.retry(valueOf(t, "retry"))
	if headers, ok := valueOf(t, "headers").(*ast.TableExpr); ok {
		a.keys(headers, "b2b.route: headers", []string{"preset", "pass", "set", "drop"})
		a.choice(headers, "b2b.route: headers", "preset", presetWords)
		a.names(valueOf(headers, "set"))
	}
}

// placed tells a target.
func placed(t *ast.TableExpr) bool {
	return valueOf(t, "uri") != nil || valueOf(t, "trunk") != nil || valueOf(t, "aor") != nil
}

// targets checks one target or a list. In a list that is tried in its order,
// whoever stands there twice is called twice.
func (a *adviser) targets(e ast.Expr, serial bool) {
	t, ok := e.(*ast.TableExpr)
	if !ok {
		return
	}
	if placed(t) {
		a.keys(t, "target", targetKeys())
		a.seconds(t, "target", "ring", "try")
		a.trunk(valueOf(t, "trunk"))
		a.trunk(valueOf(t, "auth"))
		a.names(valueOf(t, "headers"))
		return
	}
	var seen []string
	for _, f := range t.Fields {
		if f.Key != nil {
			continue
		}
		uri, written, ok := word(f.Value)
		if one, isTable := f.Value.(*ast.TableExpr); isTable {
			a.targets(one, false)
			name, quoted, _ := word(valueOf(one, "trunk"))
			if uri, written, ok = constants(one), quoted, name != "" && constants(one) != ""; ok && serial && slices.Contains(seen, uri) {
				a.warn(valueOf(one, "trunk"), written, "trunk %s stands in the list twice with the same number: it is called twice", name)
				continue
			}
		}
		if !ok {
			continue
		}
		if serial && slices.Contains(seen, uri) {
			a.warn(f.Value, written, "%s stands in the list twice: it is called twice", uri)
		}
		seen = append(seen, uri)
	}
}

// retry checks codes after which another target is tried.
func (a *adviser) retry(e ast.Expr) {
	t, ok := e.(*ast.TableExpr)
	if !ok {
		return
	}
	for _, f := range t.Fields {
		text, written, ok := word(f.Value)
		if code, figures, isCode := figure(f.Value); isCode {
			text, written, ok = strconv.Itoa(code), figures, true
		}
		if !ok || f.Key != nil {
			continue
		}
		switch {
		case slices.Contains([]string{"timeout", "transport", "dns"}, text):
		case !isFailure(text):
			a.warn(f.Value, written, "retry: %q is not a code from 300 to 699, a class such as \"5xx\", \"timeout\", \"transport\" or \"dns\"", text)
		case text[0] == '6':
			a.warn(f.Value, written, "retry: %s is said for the person, not for one telephone (RFC 3261 section 21.6): the next target rings somebody who has declined", phrase(text))
		case text == "487":
			a.warn(f.Value, written, "retry: %s follows a CANCEL or BYE: the next target rings for a call that was given up", phrase(text))
		}
	}
}

// isFailure reads 503 or 5xx.
func isFailure(s string) bool {
	if len(s) != 3 || s[0] < '3' || s[0] > '6' {
		return false
	}
	return strings.EqualFold(s[1:], "xx") || digit(s[1]) && digit(s[2])
}

// phrase is a code with its phrase.
func phrase(code string) string {
	n, err := strconv.Atoi(code)
	if err != nil {
		return code
	}
	return strings.TrimSpace(code + " " + message.ReasonPhrase(n))
}
