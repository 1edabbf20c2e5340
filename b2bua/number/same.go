package number

import "strings"

// Digits that must be alike at the ends of two numbers: so many for both to be
// one, and so many for somebody who looks for a number by its last ones.
const (
	sameEnd   = 6
	soughtEnd = 3
)

// Same tells whether two users of URIs are one number, dialled from here and
// there: 030123456 is +4930123456. What is no number is only itself, in upper or
// lower case.
func Same(a, b string) bool {
	if strings.EqualFold(a, b) {
		return a != ""
	}
	short, long := dialled(a), dialled(b)
	if len(short) > len(long) {
		short, long = long, short
	}
	short = strings.TrimLeft(short, "0")
	return len(short) >= sameEnd && strings.HasSuffix(long, short)
}

// Sought tells whether the user of a URI is the one that somebody looks for, who
// may know the last digits of a number only.
func Sought(user, wanted string) bool {
	end := dialled(wanted)
	return Same(user, wanted) || dialled(user) == end && end != "" || len(end) >= soughtEnd && strings.HasSuffix(dialled(user), end)
}

// dialled is the digits of a number as people write it; "" for what is none.
func dialled(s string) string {
	s, _, _ = strings.Cut(s, ";")
	var b strings.Builder
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			b.WriteRune(c)
		case !strings.ContainsRune("+-.() ", c):
			return ""
		}
	}
	return b.String()
}
