package lua

import (
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// toText is a string or number as text, any other value as gopher-lua shows it.
func toText(v glua.LValue) string {
	if n, ok := v.(glua.LNumber); ok {
		return string(appendNumber(nil, float64(n)))
	}
	return v.String()
}

// appendNumber writes a number as PUC Lua does (%.14g), but whole numbers up
// to 2^53 in full: telephone numbers have up to 15 digits.
func appendNumber(buf []byte, f float64) []byte {
	switch {
	case f == math.Trunc(f) && math.Abs(f) <= 1<<53:
		if f == 0 && math.Signbit(f) {
			return append(buf, "-0"...)
		}
		return strconv.AppendInt(buf, int64(f), 10)
	case math.IsInf(f, 1):
		return append(buf, "inf"...)
	case math.IsInf(f, -1):
		return append(buf, "-inf"...)
	case f != f:
		return append(buf, "nan"...)
	}
	return appendG(buf, f, 14)
}

// appendG is C's %.<precision>g.
func appendG(buf []byte, f float64, precision int) []byte {
	precision = max(precision, 1)
	s := strconv.FormatFloat(f, 'e', precision-1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	x, _ := strconv.Atoi(exponent)
	if x < -4 || x >= precision {
		buf = append(buf, trimZeros(mantissa)...)
		return append(append(buf, 'e'), exponent...)
	}
	return append(buf, trimZeros(strconv.FormatFloat(f, 'f', precision-1-x, 64))...)
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// ToNumber takes what PUC Lua takes for a number: one, or a string that looks
// like one.
func ToNumber(v glua.LValue) (float64, bool) {
	switch v := v.(type) {
	case glua.LNumber:
		return float64(v), true
	case glua.LString:
		return parseNumber(string(v))
	}
	return 0, false
}

// parseNumber reads a number as Lua writes it: decimal, with exponent, or
// hexadecimal; "010" is ten.
func parseNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	body, negative := s, false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		body, negative = s[1:], s[0] == '-'
	}
	if len(body) > 2 && body[0] == '0' && body[1]|0x20 == 'x' {
		return parseDigits(body[2:], 16, negative)
	}
	for _, c := range []byte(body) {
		if (c < '0' || c > '9') && !strings.ContainsRune(".eE+-", rune(c)) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

func parseDigits(s string, base int, negative bool) (float64, bool) {
	f := 0.0
	for _, c := range []byte(s) {
		d := base
		switch {
		case '0' <= c && c <= '9':
			d = int(c - '0')
		case isLetter(c):
			d = int(c|0x20-'a') + 10
		}
		if d >= base {
			return 0, false
		}
		f = f*float64(base) + float64(d)
	}
	if negative {
		f = -f
	}
	return f, s != ""
}

func toNumber(L *glua.LState) int {
	v, base := L.CheckAny(1), optInt(L, 2, 10)
	if base < 2 || base > 36 {
		L.ArgError(2, "base out of range")
	}
	f, ok := 0.0, false
	switch v := v.(type) {
	case glua.LNumber:
		if base == 10 {
			L.Push(v)
			return 1
		}
		f, ok = parseBase(toText(v), base)
	case glua.LString:
		if base == 10 {
			f, ok = parseNumber(string(v))
		} else {
			f, ok = parseBase(string(v), base)
		}
	}
	if !ok {
		L.Push(glua.LNil)
		return 1
	}
	L.Push(glua.LNumber(f))
	return 1
}

func parseBase(s string, base int) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if base == 16 && len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		s = s[2:]
	}
	return parseDigits(s, base, negative)
}
