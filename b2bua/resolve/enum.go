package resolve

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Service is one thing that a number can be reached by (RFC 6116).
type Service struct {
	Service string // as its record names it: "E2U+sip"
	URI     string
}

// maxDigits is more than any number has (E.164: 15).
const maxDigits = 32

// Rules looks NAPTR records up; Client does.
type Rules interface {
	LookupNAPTR(ctx context.Context, name string) ([]NAPTR, error)
}

// ENUM finds what a number with its country code can be reached by, the best
// first. suffix is the tree that it is looked for in; "": e164.arpa.
func ENUM(ctx context.Context, rules Rules, number, suffix string) ([]Service, error) {
	if !IsNumber(number) {
		return nil, fmt.Errorf("%q is not a number with its country code", number)
	}
	digits := strings.TrimPrefix(number, "+")
	if suffix == "" {
		suffix = "e164.arpa"
	}
	var name strings.Builder
	for i := len(digits) - 1; i >= 0; i-- {
		name.WriteString(digits[i:i+1] + ".")
	}
	found, err := rules.LookupNAPTR(ctx, name.String()+strings.TrimPrefix(suffix, "."))
	if err != nil {
		return nil, err
	}
	var list []Service
	for _, n := range found {
		if !strings.EqualFold(n.Flags, "u") || !strings.HasPrefix(strings.ToUpper(n.Service), "E2U") {
			continue
		}
		if uri, err := n.rewrite("+" + digits); err == nil {
			list = append(list, Service{n.Service, uri})
		}
	}
	return list, nil
}

// IsNumber tells whether s is digits, with or without a +.
func IsNumber(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return digits != "" && len(digits) <= maxDigits && strings.Trim(digits, "0123456789") == ""
}

var errRule = errors.New("the record's rule can't be used")

// rewrite applies a record's rule, "!expression!replacement!flags" (RFC 3402
// section 3.2). Expressions are RE2's, which takes those of POSIX that occur and
// no more than linear time.
func (n *NAPTR) rewrite(number string) (string, error) {
	if len(n.Regexp) < 4 || len(n.Regexp) > 512 {
		return "", errRule
	}
	parts := strings.Split(n.Regexp[1:], n.Regexp[:1])
	if len(parts) != 3 || strings.ContainsAny(n.Regexp[:1], `0123456789\i`) {
		return "", errRule
	}
	expression := parts[0]
	if strings.Contains(parts[2], "i") {
		expression = "(?i)" + expression
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return "", errRule
	}
	at := re.FindStringSubmatch(number)
	if at == nil {
		return "", errRule
	}
	var uri strings.Builder
	for i := 0; i < len(parts[1]); i++ {
		c := parts[1][i]
		if c != '\\' || i+1 == len(parts[1]) {
			uri.WriteByte(c)
			continue
		}
		i++
		digit := int(parts[1][i] - '0')
		switch {
		case digit < 0 || digit > 9:
			uri.WriteByte(parts[1][i])
		case digit < len(at):
			uri.WriteString(at[digit])
		}
	}
	if strings.ContainsFunc(uri.String(), func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", errRule
	}
	return uri.String(), nil
}
