package script

import (
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// values checks the words and times of a route.
func (a *adviser) values(t *ast.TableExpr) {
	for key, words := range map[string]string{
		"strategy": strategyWords, "callid": callIDWords, "prack": prackWords, "refer": referWords, "redirect": redirectWords, "early": earlyWords,
	} {
		a.choice(t, "b2b.route", key, words)
	}
	a.seconds(t, "b2b.route", "try", "ring", "budget", "max_duration")
}

// choice checks a key that takes one of a few words.
func (a *adviser) choice(t *ast.TableExpr, what, key, words string) {
	e, known := valueOf(t, key), strings.Fields(words)
	name, written, ok := word(e)
	if _, figures, isNumber := figure(e); isNumber {
		name, written, ok = figures[0], figures, true
	}
	if ok && !slices.Contains(known, name) {
		a.warn(e, written, "%s: %s is %q; want one of %v%s", what, key, name, known, near(name, known))
	}
}

// seconds checks keys that take a time.
func (a *adviser) seconds(t *ast.TableExpr, what string, keys ...string) {
	for _, key := range keys {
		e := valueOf(t, key)
		text, written, ok := word(e)
		if lit, isNumber := e.(*ast.NumberExpr); isNumber {
			text, written, ok = lit.Value, []string{lit.Value}, true
		}
		if minus, isMinus := e.(*ast.UnaryMinusOpExpr); isMinus {
			if lit, isNumber := minus.Expr.(*ast.NumberExpr); isNumber {
				text, written, ok = "-"+lit.Value, []string{"-" + lit.Value, lit.Value}, true
			}
		}
		if n, err := strconv.ParseFloat(text, 64); ok && (err != nil || !(n > 0) || n > maxSeconds) {
			a.warn(valueOf(t, key), written, "%s: %s is %s; want seconds, more than 0 and at most %d", what, key, text, maxSeconds)
		}
	}
}

// constants is a table of constants as a text, "" when anything in it is not one.
func constants(t *ast.TableExpr) string {
	var parts []string
	for _, f := range t.Fields {
		key, _, ok := word(f.Key)
		value, _, isWord := word(f.Value)
		if !ok || !isWord {
			return ""
		}
		parts = append(parts, strconv.Quote(key)+"="+strconv.Quote(value))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}
