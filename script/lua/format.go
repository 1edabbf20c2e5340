package lua

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// A directive is one %... of string.format.
type directive struct {
	minus, plus, space, hash, zero bool

	width, precision int // precision is -1 when there is none
	verb             byte
}

func stringFormat(L *glua.LState) int {
	format := checkString(L, 1)
	var out []byte
	arg := 1
	for i := 0; i < len(format); {
		if format[i] != '%' {
			out = append(out, format[i])
			i++
			continue
		}
		if i++; i < len(format) && format[i] == '%' {
			out = append(out, '%')
			i++
			continue
		}
		var d directive
		d, i = parseDirective(L, format, i)
		arg++
		out = d.append(L, out, arg)
	}
	return pushString(L, string(out))
}

func parseDirective(L *glua.LState, format string, i int) (directive, int) {
	d := directive{precision: -1}
	start := i
	for ; i < len(format); i++ {
		if !d.flag(format[i]) {
			break
		}
	}
	if i-start > 5 {
		RaiseAt(L, "invalid format (repeated flags)")
	}
	d.width, i = shortNumber(L, format, i)
	if i < len(format) && format[i] == '.' {
		d.precision, i = shortNumber(L, format, i+1)
	}
	if i >= len(format) {
		RaiseAt(L, "invalid option '%%' to 'format'")
	}
	d.verb = format[i]
	return d, i + 1
}

func (d *directive) flag(c byte) bool {
	switch c {
	case '-':
		d.minus = true
	case '+':
		d.plus = true
	case ' ':
		d.space = true
	case '#':
		d.hash = true
	case '0':
		d.zero = true
	default:
		return false
	}
	return true
}

// shortNumber reads at most two digits.
func shortNumber(L *glua.LState, s string, i int) (n, next int) {
	for digits := 0; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		if digits++; digits > 2 {
			RaiseAt(L, "invalid format (width or precision too long)")
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, i
}

func (d *directive) append(L *glua.LState, out []byte, arg int) []byte {
	switch d.verb {
	case 'c':
		d.zero = false
		return d.pad(out, "", string([]byte{byte(checkInt(L, arg))}))
	case 'd', 'i':
		return d.integer(out, checkNumber(L, arg))
	case 'u', 'o', 'x', 'X':
		return d.unsigned(out, checkNumber(L, arg))
	case 'e', 'E', 'f', 'g', 'G':
		return d.float(out, checkNumber(L, arg))
	case 'q':
		text := checkString(L, arg)
		Charge(L, 2*len(text))
		return quote(out, text)
	case 's':
		text := textOf(L, L.CheckAny(arg))
		Charge(L, len(text))
		if d.precision >= 0 {
			text = text[:min(len(text), d.precision)]
		}
		d.zero = false
		return d.pad(out, "", text)
	}
	RaiseAt(L, "invalid option '%%%c' to 'format'", d.verb)
	return nil
}

// pad puts sign and body into the width.
func (d *directive) pad(out []byte, sign, body string) []byte {
	n := max(d.width-len(sign)-len(body), 0)
	switch {
	case d.minus:
		out = append(append(out, sign...), body...)
		return append(out, strings.Repeat(" ", n)...)
	case d.zero:
		out = append(append(out, sign...), strings.Repeat("0", n)...)
		return append(out, body...)
	}
	out = append(out, strings.Repeat(" ", n)...)
	return append(append(out, sign...), body...)
}

func (d *directive) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case d.plus:
		return "+"
	case d.space:
		return " "
	}
	return ""
}

func (d *directive) integer(out []byte, f float64) []byte {
	n := toInt64(f)
	u := uint64(n)
	if n < 0 {
		u = -u
	}
	return d.pad(out, d.sign(n < 0), d.digits(strconv.FormatUint(u, 10)))
}

func (d *directive) unsigned(out []byte, f float64) []byte {
	u := uint64(toInt64(f))
	if f >= 1<<63 && f < 1<<64 {
		u = uint64(f)
	}
	prefix := ""
	var text string
	switch d.verb {
	case 'u':
		text = strconv.FormatUint(u, 10)
	case 'o':
		text = strconv.FormatUint(u, 8)
	default:
		text = strconv.FormatUint(u, 16)
		if d.hash && u != 0 {
			prefix = "0x"
		}
	}
	text = d.digits(text)
	if d.verb == 'o' && d.hash && !strings.HasPrefix(text, "0") {
		text = "0" + text
	}
	if d.verb == 'X' {
		text, prefix = strings.ToUpper(text), strings.ToUpper(prefix)
	}
	return d.pad(out, prefix, text)
}

// digits applies a precision to an integer; C then ignores the flag 0.
func (d *directive) digits(s string) string {
	if d.precision < 0 {
		return s
	}
	d.zero = false
	if d.precision == 0 && s == "0" {
		return ""
	}
	return strings.Repeat("0", max(d.precision-len(s), 0)) + s
}

// toInt64 is C's cast on x86: what does not fit is the smallest integer.
func toInt64(f float64) int64 {
	if f != f || f >= 1<<63 || f < -1<<63 {
		return math.MinInt64
	}
	return int64(f)
}

func (d *directive) float(out []byte, f float64) []byte {
	negative := math.Signbit(f)
	f = math.Abs(f)
	if math.IsInf(f, 0) || f != f {
		d.zero = false
		text := "inf"
		if f != f {
			text = "nan"
		}
		if d.verb < 'a' {
			text = strings.ToUpper(text)
		}
		return d.pad(out, d.sign(negative), text)
	}
	precision := d.precision
	if precision < 0 {
		precision = 6
	}
	hash := ""
	if d.hash {
		hash = "#"
	}
	var body string
	if d.verb|0x20 == 'g' && !d.hash {
		body = string(appendG(nil, f, precision))
	} else {
		body = fmt.Sprintf("%"+hash+"."+strconv.Itoa(precision)+string(rune(d.verb)), f)
	}
	if d.verb < 'a' {
		body = strings.ToUpper(body)
	}
	return d.pad(out, d.sign(negative), body)
}

// quote is %q: a literal that Lua reads back.
func quote(out []byte, s string) []byte {
	out = append(out, '"')
	for _, c := range []byte(s) {
		switch c {
		case '"', '\\', '\n':
			out = append(out, '\\', c)
		case '\r':
			out = append(out, `\r`...)
		case 0:
			out = append(out, `\000`...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
