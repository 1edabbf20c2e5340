package trunk

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua/message"
)

// Row says what becomes of the failures it matches.
type Row struct {
	// From holds patterns, any of which may match: a code "503", a class
	// "5xx", a range "400-499", or "*". None at all is "*".
	From   []string
	Origin string // peer, timeout ...; "": any
	Q850   int    // cause of the Reason header; 0: any
	To     Mapped
	Pass   bool // leave the response as it is; To is empty
}

// Mapped is a failure as it is told to the caller.
type Mapped struct {
	Code    int    // 300..699
	Reason  string // "" in a Row: the standard phrase
	Q850    int    // cause for a Reason header, 1..127; 0: none
	Headers []message.Header
}

// ResponseMap is a set of rows that never changes. A nil one maps nothing.
type ResponseMap struct {
	rules []rule
	plain [codes]*rule // by code, for rules without conditions
	hedge int          // how many rules, from the first, have conditions
}

// codes is the number of failures, 300..699.
const codes = 400

// maxRules bounds what a script can build.
const maxRules = 2000

// rule is a Row with one pattern.
type rule struct {
	low, high  int
	conditions int
	origin     string
	q850       int
	pass       bool
	to         Mapped
}

// NewResponseMap checks and orders rows. A row with conditions is asked before
// those without, one with two before one with one. Then the most specific
// pattern wins: a code, a range (the narrower first), a class, "*"; then the row
// listed first.
func NewResponseMap(rows []Row) (*ResponseMap, error) {
	m := &ResponseMap{}
	var problems []error
	for _, row := range rows {
		rules, err := row.rules()
		m.rules = append(m.rules, rules...)
		problems = append(problems, err)
	}
	if len(m.rules) > maxRules {
		problems = append(problems, fmt.Errorf("response map: %d rules, at most %d", len(m.rules), maxRules))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(m.rules, func(a, b rule) int {
		if a.conditions != b.conditions {
			return b.conditions - a.conditions
		}
		return a.width() - b.width()
	})
	for i := len(m.rules) - 1; i >= 0; i-- {
		r := &m.rules[i]
		if r.conditions > 0 {
			m.hedge++
			continue
		}
		for code := r.low; code <= r.high; code++ {
			m.plain[code-300] = r
		}
	}
	return m, nil
}

// Apply maps one failure; q850 is the cause of its Reason header or 0. False
// leaves it as it is. The result is read only.
func (m *ResponseMap) Apply(code int, origin string, q850 int) (Mapped, bool) {
	if m == nil || code < 300 || code > 699 {
		return Mapped{}, false
	}
	found := m.plain[code-300]
	for i := range m.rules[:m.hedge] {
		if r := &m.rules[i]; r.matches(code, origin, q850) {
			found = r
			break
		}
	}
	if found == nil || found.pass {
		return Mapped{}, false
	}
	return found.to, true
}

func (r *rule) matches(code int, origin string, q850 int) bool {
	return code >= r.low && code <= r.high &&
		(r.origin == "" || r.origin == origin) && (r.q850 == 0 || r.q850 == q850)
}

// width orders patterns: the one of fewer codes is the more specific.
func (r *rule) width() int { return r.high - r.low }

// rules makes one of each pattern.
func (r Row) rules() ([]rule, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	one := rule{origin: r.Origin, q850: r.Q850, pass: r.Pass, to: r.To}
	if r.Origin != "" {
		one.conditions++
	}
	if r.Q850 != 0 {
		one.conditions++
	}
	if one.to.Reason == "" {
		one.to.Reason = message.ReasonPhrase(r.To.Code)
	}
	from := r.From
	if len(from) == 0 {
		from = []string{"*"}
	}
	var rules []rule
	var problems []error
	for _, pattern := range from {
		var err error
		one.low, one.high, err = parseCodes(pattern)
		rules = append(rules, one)
		problems = append(problems, err)
	}
	return rules, errors.Join(problems...)
}

// check looks at what the caller would get.
func (r Row) check() error {
	switch {
	case r.Q850 < 0 || r.Q850 > 127 || r.To.Q850 < 0 || r.To.Q850 > 127:
		return errors.New("response map: a Q.850 cause is 1 to 127")
	case r.Pass:
		return nil
	case r.To.Code < 300 || r.To.Code > 699:
		return fmt.Errorf("response map: %d is not a failure; give 300 to 699", r.To.Code)
	case strings.ContainsAny(r.To.Reason, "\r\n\x00"):
		return fmt.Errorf("response map: the text of %d holds CR, LF or NUL", r.To.Code)
	}
	rule := Headers{Set: r.To.Headers}
	if err := rule.Check(); err != nil {
		return fmt.Errorf("response map: %w", err)
	}
	return nil
}

// parseCodes reads "503", "5xx", "400-499", "4xx-6xx" or "*".
func parseCodes(pattern string) (low, high int, err error) {
	p := strings.TrimSpace(pattern)
	from, to, ranged := strings.Cut(p, "-")
	switch {
	case p == "*":
		return 300, 699, nil
	case ranged:
		low, high = parseBound(from, 0), parseBound(to, 99)
	default:
		low, high = parseBound(p, 0), parseBound(p, 99)
	}
	if low < 300 || high > 699 || low > high {
		return 0, 0, fmt.Errorf("response map: %q is not a code from 300 to 699, a class \"5xx\", a range \"400-499\" or \"*\"", pattern)
	}
	return low, high, nil
}

// parseBound reads a code, or one end of a class: "4xx" is 400, or 499 when
// rest is 99.
func parseBound(s string, rest int) int {
	if s = strings.TrimSpace(s); len(s) == 3 && strings.EqualFold(s[1:], "xx") {
		return int(s[0]-'0')*100 + rest
	}
	return parseCode(s)
}

// parseCode gives 0 for what is not a number of three digits.
func parseCode(s string) int {
	s = strings.TrimSpace(s)
	n, err := strconv.Atoi(s)
	if err != nil || len(s) != 3 {
		return 0
	}
	return n
}
