package lua

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// mathLibrary is PUC Lua's; random numbers come from outside, whatever seed
// they are given.
func mathLibrary(L *glua.LState, rand func(L *glua.LState) float64) *glua.LTable {
	lib := L.NewTable()
	functions := map[string]glua.LGFunction{
		"atan2": two(math.Atan2), "fmod": two(math.Mod), "mod": two(math.Mod), "pow": two(math.Pow),
		"frexp": func(L *glua.LState) int {
			fraction, exponent := math.Frexp(checkNumber(L, 1))
			return pushNumbers(L, fraction, float64(exponent))
		},
		"ldexp": func(L *glua.LState) int {
			return pushNumbers(L, math.Ldexp(checkNumber(L, 1), checkInt(L, 2)))
		},
		"modf": func(L *glua.LState) int {
			n := checkNumber(L, 1)
			if math.IsInf(n, 0) {
				return pushNumbers(L, n, 0)
			}
			whole, fraction := math.Modf(n)
			return pushNumbers(L, whole, fraction)
		},
		"max":        func(L *glua.LState) int { return extreme(L, func(a, b float64) bool { return a > b }) },
		"min":        func(L *glua.LState) int { return extreme(L, func(a, b float64) bool { return a < b }) },
		"random":     func(L *glua.LState) int { return random(L, rand) },
		"randomseed": func(L *glua.LState) int { checkNumber(L, 1); return 0 },
	}
	for name, fn := range map[string]func(float64) float64{
		"abs": math.Abs, "acos": math.Acos, "asin": math.Asin, "atan": math.Atan, "ceil": math.Ceil,
		"cos": math.Cos, "cosh": math.Cosh, "exp": math.Exp, "floor": math.Floor, "log": math.Log,
		"log10": math.Log10, "sin": math.Sin, "sinh": math.Sinh, "sqrt": math.Sqrt, "tan": math.Tan,
		"tanh": math.Tanh,
		"deg":  func(x float64) float64 { return x * 180 / math.Pi },
		"rad":  func(x float64) float64 { return x * math.Pi / 180 },
	} {
		functions[name] = func(L *glua.LState) int { return pushNumbers(L, fn(checkNumber(L, 1))) }
	}
	Register(L, lib, functions)
	lib.RawSetString("pi", glua.LNumber(math.Pi))
	lib.RawSetString("huge", glua.LNumber(math.Inf(1)))
	return lib
}

func two(fn func(a, b float64) float64) glua.LGFunction {
	return func(L *glua.LState) int { return pushNumbers(L, fn(checkNumber(L, 1), checkNumber(L, 2))) }
}

func pushNumbers(L *glua.LState, numbers ...float64) int {
	for _, n := range numbers {
		L.Push(glua.LNumber(n))
	}
	return len(numbers)
}

func extreme(L *glua.LState, better func(a, b float64) bool) int {
	best := checkNumber(L, 1)
	for i := 2; i <= L.GetTop(); i++ {
		if n := checkNumber(L, i); better(n, best) {
			best = n
		}
	}
	return pushNumbers(L, best)
}

func random(L *glua.LState, rand func(L *glua.LState) float64) int {
	r := 0.0
	if rand != nil {
		r = rand(L)
	}
	low, high := 1.0, 0.0
	switch L.GetTop() {
	case 0:
		return pushNumbers(L, r)
	case 1:
		high = math.Floor(checkNumber(L, 1))
	case 2:
		low, high = math.Floor(checkNumber(L, 1)), math.Floor(checkNumber(L, 2))
	default:
		RaiseAt(L, "wrong number of arguments")
	}
	if !(low <= high) {
		L.ArgError(L.GetTop(), "interval is empty")
	}
	return pushNumbers(L, low+math.Floor(r*(high-low+1)))
}

// osLibrary is the clocks of os and nothing else.
func (v *VM) osLibrary(L *glua.LState) *glua.LTable {
	now, since := v.cfg.Now, v.cfg.Since
	if now == nil {
		now = func(*glua.LState) time.Time { return time.Now() }
	}
	if since == nil {
		since = func(_ *glua.LState, began time.Time) time.Time { return began }
	}
	lib := L.NewTable()
	start := time.Now()
	Register(L, lib, map[string]glua.LGFunction{
		"clock": func(L *glua.LState) int { return pushNumbers(L, max(0, now(L).Sub(since(L, start)).Seconds())) },
		"date":  func(L *glua.LState) int { return osDate(L, now) },
		"time":  func(L *glua.LState) int { return osTime(L, now) },
	})
	return lib
}

func osTime(L *glua.LState, now func(*glua.LState) time.Time) int {
	if L.Get(1) == glua.LNil {
		return pushNumbers(L, float64(now(L).Unix()))
	}
	t := L.CheckTable(1)
	field := func(name string, otherwise int) int {
		switch v := t.RawGetString(name).(type) {
		case glua.LNumber:
			return clampInt(float64(v))
		case glua.LString:
			if f, ok := parseNumber(string(v)); ok {
				return clampInt(f)
			}
		}
		if otherwise < 0 {
			RaiseAt(L, "field '%s' missing in date table", name)
		}
		return otherwise
	}
	at := time.Date(field("year", -1), time.Month(field("month", -1)), field("day", -1),
		field("hour", 12), field("min", 0), field("sec", 0), 0, time.Local)
	return pushNumbers(L, float64(at.Unix()))
}

func osDate(L *glua.LState, now func(*glua.LState) time.Time) int {
	format := "%c"
	if L.Get(1) != glua.LNil {
		format = checkString(L, 1)
	}
	var at time.Time
	if L.Get(2) != glua.LNil {
		at = time.Unix(int64(checkNumber(L, 2)), 0)
	} else {
		at = now(L).Local()
	}
	if rest, ok := strings.CutPrefix(format, "!"); ok {
		format, at = rest, at.UTC()
	}
	if strings.HasPrefix(format, "*t") {
		L.Push(dateTable(L, at))
		return 1
	}
	Charge(L, 8*len(format))
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out.WriteByte(format[i])
			continue
		}
		i++
		out.WriteString(dateField(at, format[i]))
	}
	return pushString(L, out.String())
}

func dateTable(L *glua.LState, at time.Time) *glua.LTable {
	Charge(L, costTable+9*costEntry)
	t := L.CreateTable(0, 9)
	for name, n := range map[string]int{
		"year": at.Year(), "month": int(at.Month()), "day": at.Day(), "hour": at.Hour(), "min": at.Minute(),
		"sec": at.Second(), "wday": int(at.Weekday()) + 1, "yday": at.YearDay(),
	} {
		t.RawSetString(name, glua.LNumber(n))
	}
	t.RawSetString("isdst", glua.LBool(at.IsDST()))
	return t
}

// dateField is one conversion of strftime in the C locale.
func dateField(at time.Time, verb byte) string {
	layouts := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02",
		'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'h': "Jan", 'H': "15", 'I': "03", 'm': "01", 'M': "04",
		'p': "PM", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06",
		'X': "15:04:05", 'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
	}
	if layout, ok := layouts[verb]; ok {
		return at.Format(layout)
	}
	year, week := at.ISOWeek()
	switch verb {
	case 'C':
		return fmt.Sprintf("%02d", at.Year()/100)
	case 'g':
		return fmt.Sprintf("%02d", year%100)
	case 'G':
		return strconv.Itoa(year)
	case 'j':
		return fmt.Sprintf("%03d", at.YearDay())
	case 'n':
		return "\n"
	case 's':
		return strconv.FormatInt(at.Unix(), 10)
	case 't':
		return "\t"
	case 'u':
		return strconv.Itoa((int(at.Weekday())+6)%7 + 1)
	case 'U':
		return fmt.Sprintf("%02d", (at.YearDay()+6-int(at.Weekday()))/7)
	case 'V':
		return fmt.Sprintf("%02d", week)
	case 'w':
		return strconv.Itoa(int(at.Weekday()))
	case 'W':
		return fmt.Sprintf("%02d", (at.YearDay()+6-(int(at.Weekday())+6)%7)/7)
	case '%':
		return "%"
	}
	return string([]byte{'%', verb})
}
