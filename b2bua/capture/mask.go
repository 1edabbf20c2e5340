package capture

import (
	"regexp"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/number"
)

// Mask says what is hidden in a story besides the secrets, which always are.
type Mask struct {
	// Numbers hides the ends of telephone numbers: in URIs, and wherever six
	// digits or more stand together. Equal numbers stay equal.
	Numbers bool
}

var (
	userInURI = regexp.MustCompile(`(?i)\b((?:sips?|tel):)(\+?[0-9*#().-]{3,})([@;>\s?]|$)`)
	digits    = regexp.MustCompile(`\+?[0-9]{6,}`)
	// unnumbered are lines of a message whose digits are nobody's number.
	unnumbered = regexp.MustCompile(`(?i)^(?:(?:via|v|call-id|i|cseq|date|content-length|l|max-forwards|session-id|rseq|rack|(?:proxy-|www-)?auth[a-z-]*)\s*:|[a-z]=)`)
)

// text masks one line.
func (m Mask) text(s string) string {
	s = message.Mask(s)
	if m.Numbers {
		s = numbers(s)
	}
	return s
}

// field masks the value of a header field.
func (m Mask) field(name, value string) string {
	value = message.MaskField(name, value)
	if m.Numbers && !unnumbered.MatchString(name+":") {
		value = numbers(value)
	}
	return value
}

// message masks the text of a whole message.
func (m Mask) message(s string) string {
	s = message.Mask(strings.ToValidUTF8(s, "\uFFFD"))
	if !m.Numbers {
		return s
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !unnumbered.MatchString(line) {
			line = numbers(line)
		}
		b.WriteString(line)
	}
	return b.String()
}

// numbers hides the ends of telephone numbers. Digits that are part of a word,
// an address or a time are none.
func numbers(s string) string {
	s = userInURI.ReplaceAllStringFunc(s, func(found string) string {
		part := userInURI.FindStringSubmatch(found)
		return part[1] + number.Mask(part[2]) + part[3]
	})
	var b strings.Builder
	last := 0
	for _, at := range digits.FindAllStringIndex(s, -1) {
		b.WriteString(s[last:at[0]])
		last = at[1]
		if at[0] > 0 && joins(s[at[0]-1]) || at[1] < len(s) && joins(s[at[1]]) {
			b.WriteString(s[at[0]:at[1]])
			continue
		}
		b.WriteString(number.Mask(s[at[0]:at[1]]))
	}
	return b.String() + s[last:]
}

// joins tells whether a byte makes the digits beside it part of something else.
func joins(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '*' || c == '.' || c >= 0x80
}
