package sql

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// exact is the largest whole number of which a float64 knows every neighbour.
const exact = 1 << 53

// parameters are values of Lua as drivers take them: a whole number is an
// integer.
func parameters(values []any) []any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
		if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) <= exact {
			list[i] = int64(f)
		}
	}
	return list
}

// tell is a value of a database as Lua knows it. A number that would lose
// digits is the text of them. A time is in seconds since 1970, a date is
// 2026-11-21; bytes are a string; what Lua has nothing for is the text that the
// database gives.
func tell(v any, kind string) (any, error) {
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case float64:
		return v, nil
	case int64:
		if (kind == "BOOLEAN" || kind == "BOOL") && (v == 0 || v == 1) { // which SQLite keeps as a number
			return v == 1, nil
		}
		if v > exact || v < -exact {
			return strconv.FormatInt(v, 10), nil
		}
		return float64(v), nil
	case []byte:
		return string(v), nil
	case string:
		if kind == "NUMERIC" {
			return numeric(v), nil
		}
		return v, nil
	case time.Time:
		if kind == "DATE" {
			return v.Format(time.DateOnly), nil
		}
		return float64(v.UnixMicro()) / 1e6, nil
	}
	return nil, fmt.Errorf("a value of type %T", v)
}

// numeric is the number if a float64 holds all its digits, else the text.
func numeric(text string) any {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return text
	}
	digits := strings.TrimLeft(strings.ReplaceAll(strings.TrimLeft(text, "-"), ".", ""), "0")
	if strings.Contains(text, ".") {
		digits = strings.TrimRight(digits, "0")
	}
	if len(digits) > 15 {
		return text
	}
	return f
}

func size(v any) int {
	s, _ := v.(string)
	return 16 + len(s)
}
