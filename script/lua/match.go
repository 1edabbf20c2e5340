package lua

import "strings"

// A matcher is lstrlib.c's: it walks the pattern's text and backtracks. What
// differs: it counts its steps, and a character set is no call per byte of C.
// It knows no Lua; it panics, and the string library makes Lua errors of it.
type matcher struct {
	src, pat string
	level    int // captures, open ones included
	steps    int // left
	depth    int
	captures [maxCaptures]capture
}

type capture struct {
	start, len int
}

const (
	maxCaptures  = 32
	maxRecursion = 1000
	maxSteps     = 200_000 // about 1.6 ms

	captureOpen     = -1
	capturePosition = -2
)

// What a matcher panics with: an error in the pattern, or too much work.
type (
	patternError string
	outOfSteps   struct{}
)

func (m *matcher) fail(msg string) { panic(patternError(msg)) }

func (m *matcher) step() {
	m.steps--
	if m.steps < 0 {
		panic(outOfSteps{})
	}
}

// newMatcher allows what a linear search needs on top of the step budget.
func newMatcher(src, pat string) matcher {
	return matcher{src: src, pat: pat, steps: allowance(src)}
}

func allowance(src string) int { return maxSteps + 4*len(src) }

// match returns where the match of pat[p:] at src[s:] ends, or -1.
func (m *matcher) match(s, p int) int {
	m.depth++
	if m.depth > maxRecursion {
		m.fail("pattern too complex")
	}
	end := m.rest(s, p)
	m.depth--
	return end
}

// rest is match, item by item.
func (m *matcher) rest(s, p int) int {
	for p < len(m.pat) {
		m.step()
		switch c := m.pat[p]; {
		case c == '(' && p+1 < len(m.pat) && m.pat[p+1] == ')':
			return m.open(s, p+2, capturePosition)
		case c == '(':
			return m.open(s, p+1, captureOpen)
		case c == ')':
			return m.close(s, p+1)
		case c == '$' && p+1 == len(m.pat):
			if s == len(m.src) {
				return s
			}
			return -1
		}
		if next, ok := m.special(s, &p); ok {
			if next < 0 {
				return -1
			}
			s = next
			continue
		}
		end := m.classEnd(p)
		op := byte(0)
		if end < len(m.pat) {
			op = m.pat[end]
		}
		switch op {
		case '?', '*', '+', '-':
			return m.repeat(op, s, p, end)
		}
		if !m.single(s, p, end) {
			return -1
		}
		s, p = s+1, end
	}
	return s
}

// repeat is the item at p with its operator, and all after it.
func (m *matcher) repeat(op byte, s, p, end int) int {
	switch op {
	case '*':
		return m.longest(s, p, end, 0)
	case '+':
		return m.longest(s, p, end, 1)
	case '-':
		return m.shortest(s, p, end)
	}
	if m.single(s, p, end) {
		if r := m.match(s+1, end+1); r >= 0 {
			return r
		}
	}
	return m.match(s, end+1)
}

// special is %b, %f and back references: it moves p past them and says where
// they end in src, or -1.
func (m *matcher) special(s int, p *int) (next int, ok bool) {
	if m.pat[*p] != '%' || *p+1 >= len(m.pat) {
		return s, false
	}
	switch c := m.pat[*p+1]; {
	case c == 'b':
		next = m.balance(s, *p+2)
		*p += 4
	case c == 'f':
		set := *p + 2
		if set >= len(m.pat) || m.pat[set] != '[' {
			m.fail("missing '[' after '%f' in pattern")
		}
		end := m.classEnd(set)
		before, after := byte(0), byte(0)
		if s > 0 {
			before = m.src[s-1]
		}
		if s < len(m.src) {
			after = m.src[s]
		}
		next = -1
		if !m.inSet(before, set, end-1) && m.inSet(after, set, end-1) {
			next = s
		}
		*p = end
	case '0' <= c && c <= '9':
		next = m.back(s, c)
		*p += 2
	default:
		return s, false
	}
	return next, true
}

func (m *matcher) balance(s, p int) int {
	if p+1 >= len(m.pat) {
		m.fail("unbalanced pattern")
	}
	if s >= len(m.src) || m.src[s] != m.pat[p] {
		return -1
	}
	open, shut, nested := m.pat[p], m.pat[p+1], 1
	for i := s + 1; i < len(m.src); i++ {
		m.step()
		switch m.src[i] {
		case shut:
			if nested--; nested == 0 {
				return i + 1
			}
		case open:
			nested++
		}
	}
	return -1
}

func (m *matcher) back(s int, digit byte) int {
	l := int(digit) - '1'
	if l < 0 || l >= m.level || m.captures[l].len == captureOpen {
		m.fail("invalid capture index")
	}
	c := m.captures[l]
	n := max(c.len, 0)
	m.steps -= n >> 4
	if strings.HasPrefix(m.src[s:], m.src[c.start:c.start+n]) {
		return s + n
	}
	return -1
}

func (m *matcher) open(s, p, what int) int {
	if m.level >= maxCaptures {
		m.fail("too many captures")
	}
	m.captures[m.level] = capture{start: s, len: what}
	m.level++
	end := m.match(s, p)
	if end < 0 {
		m.level--
	}
	return end
}

func (m *matcher) close(s, p int) int {
	l := m.level - 1
	for l >= 0 && m.captures[l].len != captureOpen {
		l--
	}
	if l < 0 {
		m.fail("invalid pattern capture")
	}
	m.captures[l].len = s - m.captures[l].start
	end := m.match(s, p)
	if end < 0 {
		m.captures[l].len = captureOpen
	}
	return end
}

func (m *matcher) longest(s, p, end, least int) int {
	n := 0
	for m.single(s+n, p, end) {
		m.step()
		n++
	}
	for ; n >= least; n-- {
		if r := m.match(s+n, end+1); r >= 0 {
			return r
		}
	}
	return -1
}

func (m *matcher) shortest(s, p, end int) int {
	for {
		m.step()
		if r := m.match(s, end+1); r >= 0 {
			return r
		}
		if !m.single(s, p, end) {
			return -1
		}
		s++
	}
}

// classEnd is where the item at p ends, before its operator.
func (m *matcher) classEnd(p int) int {
	c := m.pat[p]
	p++
	switch {
	case c == '%':
		if p >= len(m.pat) {
			m.fail("malformed pattern (ends with '%')")
		}
		return p + 1
	case c != '[':
		return p
	}
	if p < len(m.pat) && m.pat[p] == '^' {
		p++
	}
	for first := true; ; first = false {
		if p >= len(m.pat) {
			m.fail("malformed pattern (missing ']')")
		}
		c := m.pat[p]
		p++
		if c == ']' && !first {
			return p
		}
		if c == '%' {
			if p >= len(m.pat) {
				m.fail("malformed pattern (missing ']')")
			}
			p++
		}
	}
}

func (m *matcher) single(s, p, end int) bool {
	if s >= len(m.src) {
		return false
	}
	c := m.src[s]
	switch m.pat[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pat[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	}
	return m.pat[p] == c
}

// inSet looks c up in the set from '[' at p to ']' at end. A long set costs a
// step for every 16 characters.
func (m *matcher) inSet(c byte, p, end int) bool {
	m.steps -= (end - p) >> 4
	found := true
	if m.pat[p+1] == '^' {
		found = false
		p++
	}
	for p++; p < end; p++ {
		switch {
		case m.pat[p] == '%':
			p++
			if inClass(c, m.pat[p]) {
				return found
			}
		case p+2 < end && m.pat[p+1] == '-':
			if m.pat[p] <= c && c <= m.pat[p+2] {
				return found
			}
			p += 2
		case m.pat[p] == c:
			return found
		}
	}
	return !found
}

// inClass is %a and its like, in the C locale.
func inClass(c, class byte) bool {
	in := false
	switch class | 0x20 {
	case 'a':
		in = isLetter(c)
	case 'c':
		in = c < ' ' || c == 0x7f
	case 'd':
		in = '0' <= c && c <= '9'
	case 'l':
		in = 'a' <= c && c <= 'z'
	case 'p':
		in = '!' <= c && c <= '~' && !isLetter(c) && (c < '0' || c > '9')
	case 's':
		in = c == ' ' || '\t' <= c && c <= '\r'
	case 'u':
		in = 'A' <= c && c <= 'Z'
	case 'w':
		in = isLetter(c) || '0' <= c && c <= '9'
	case 'x':
		in = '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	if !isLetter(class) {
		return class == c
	}
	return in != (class&0x20 == 0)
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// find looks for the pattern from init on; anchored is whether it begins with
// ^, which pat no longer has.
func (m *matcher) find(init int, anchored bool) (start, end int) {
	for s := init; ; s++ {
		m.level = 0
		if e := m.match(s, 0); e >= 0 {
			return s, e
		}
		if anchored || s >= len(m.src) {
			return -1, -1
		}
	}
}
