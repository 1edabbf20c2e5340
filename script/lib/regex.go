package lib

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"sync"
)

// RE2 takes time proportional to text times pattern for one match, and that
// times the number of matches at worst to find all. No instruction shows it,
// so these bounds do: the slowest pattern known, ".*y|x" on 5,000 x, takes 75
// ms, and what SIP messages need is let through.
const (
	maxPattern   = 1024    // bytes
	maxPatterns  = 1000    // compiled ones that are kept
	maxProgram   = 5000    // instructions
	maxOne       = 1 << 24 // instructions times bytes, for one match
	maxAll       = 1 << 27 // instructions times bytes times matches, for all
	maxMatches   = 1000
	minimalSteps = 16
)

// A pattern is a compiled one and its size.
type pattern struct {
	*regexp.Regexp
	size int
}

// patterns are the compiled ones of all scripts.
type patterns struct {
	mu  sync.Mutex // guards all
	all *lru[*pattern]
}

func newPatterns() *patterns { return &patterns{all: newLRU[*pattern](maxPatterns)} }

func (p *patterns) get(text string) (*pattern, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if re, ok := p.all.get(text); ok {
		return re, nil
	}
	re, err := compilePattern(text)
	if err == nil {
		p.all.put(text, re)
	}
	return re, err
}

func compilePattern(text string) (*pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("a pattern may have %d bytes", maxPattern)
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if len(program.Inst) > maxProgram {
		return nil, fmt.Errorf("the pattern is too large: %d steps of at most %d", len(program.Inst), maxProgram)
	}
	re, err := regexp.Compile(text)
	return &pattern{re, max(len(program.Inst), minimalSteps)}, err
}

var errPatternWork = errors.New("the text is too long for this pattern")

// first returns the places of the first match and its groups, nil when there
// is none; -1 stands for a group that took no part.
func (p *pattern) first(s string) ([]int, error) {
	if len(s)*p.size > maxOne {
		return nil, errPatternWork
	}
	return p.FindStringSubmatchIndex(s), nil
}

// every returns the places of the first n matches; n < 0 means all.
func (p *pattern) every(s string, n int) ([][]int, error) {
	limited := n >= 0 && n <= maxMatches
	most := maxMatches
	if limited {
		most = n
	}
	if len(s)*p.size*min(most, len(s)+1) > maxAll {
		return nil, errPatternWork
	}
	found := p.FindAllStringSubmatchIndex(s, most+1)
	if len(found) <= most {
		return found, nil
	}
	if !limited {
		return nil, fmt.Errorf("more than %d matches", maxMatches)
	}
	return found[:most], nil
}
