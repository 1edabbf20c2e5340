package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Problem is one thing wrong with the file. Line and Col count from 1; Col
// counts characters.
type Problem struct {
	File string
	Line int
	Col  int
	Msg  string
	Cure string // what to do about it
}

// String is one line, in the form that editors jump to.
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Msg)
	if p.Cure != "" {
		s += "; " + p.Cure
	}
	return s
}

// Problems are all that is wrong with a file, in the order of its lines.
type Problems []Problem

// Error is one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
}

const wholeCure = "write digits alone, such as 200"

// cureFor is how what is written, where n stands instead.
func cureFor(n ast.Node, what string) string {
	_, nothing := n.(*ast.NullNode)
	_, list := n.(*ast.SequenceNode)
	_, mapping := n.(ast.MapNode)
	switch {
	case nothing:
		return "write one behind the colon, or remove the key"
	case what == "a list" && mapping:
		return "put it in brackets: [{...}]"
	case what == "a list":
		return "put it in brackets: [" + strconv.Quote(n.GetToken().Value) + "]"
	case what == "a string" && list:
		return "write one value, without brackets"
	case what == "a string":
		return "put it in quotes"
	case what == "a whole number":
		return wholeCure
	case what == "true or false":
		return "write one of them, without quotes"
	case strings.HasPrefix(what, "a mapping"):
		return "write key: value in lines of their own, or {key: value}"
	case what == "a code, [code, text] or false":
		return "such as 486, [486, Busy Here] or false"
	case what == "a duration", what == "seconds":
		return "write a number and its unit, such as 200ms, 30s or 4h"
	}
	return "write one of them"
}

// didYouMean is a cure for a mistyped name: the nearest of the known ones, or
// all of them, when none is near and they fit a line.
func didYouMean(name string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, k := range known {
		if d := edits(strings.ToLower(name), k); d < least {
			best, least = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return "there is none yet: name it first"
	case len(known) > 32:
		return fmt.Sprintf("none of the %d that are known is like it", len(known))
	}
	return "known: " + strings.Join(known, ", ")
}

// edits is how many letters to insert, remove, change or swap with the next to
// make b of a (optimal string alignment, in bytes). Long names are not compared.
func edits(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
