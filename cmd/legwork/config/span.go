package config

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Seconds is a duration of whole seconds, as headers hold it. In the file it is
// a number of seconds or a duration.
type Seconds time.Duration

func (s Seconds) String() string { return strconv.Itoa(int(time.Duration(s)/time.Second)) + "s" }

var (
	durationType = reflect.TypeFor[time.Duration]()
	secondsType  = reflect.TypeFor[Seconds]()
)

func (r *reader) duration(n ast.Node, v reflect.Value, f field) bool {
	s, ok := r.figure(n, f.key, "a duration")
	if !ok {
		return false
	}
	d, err := time.ParseDuration(s)
	if err != nil || n.Type() == ast.IntegerType {
		r.problem(n, fmt.Sprintf("%s: %q is not a duration", f.key, s), "write a number and its unit, such as 200ms, 30s or 4h")
		return false
	}
	return r.span(n, v, f, d, s)
}

func (r *reader) seconds(n ast.Node, v reflect.Value, f field) bool {
	s, ok := r.figure(n, f.key, "seconds")
	if !ok {
		return false
	}
	text := s
	if decimal.MatchString(s) {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d%time.Second != 0 {
		r.problem(n, fmt.Sprintf("%s: %q is not a number of whole seconds", f.key, s), "write such as 90, 90s or 15m")
		return false
	}
	return r.span(n, v, f, d, text)
}

// span sets v to d, which the file wrote as s, if it is within bounds.
func (r *reader) span(n ast.Node, v reflect.Value, f field, d time.Duration, s string) bool {
	if low, err := time.ParseDuration(f.min); err == nil && d < low {
		r.problem(n, fmt.Sprintf("%s: %s is too short", f.key, s), "at least "+f.min)
		return false
	}
	if high, err := time.ParseDuration(f.max); err == nil && d > high {
		r.problem(n, fmt.Sprintf("%s: %s is too long", f.key, s), "at most "+f.max)
		return false
	}
	v.SetInt(int64(d))
	return true
}
