package lib

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua/store"
)

// encodeValue makes the text that a store keeps of a plain value, as lua.ToGo
// gives it: equal values have equal texts. A number is its digits, so that the
// store can count; all else begins with a letter or bracket:
//
//	T F             true, false
//	n1.5;           a number inside a table
//	s5:hello        a string and its length
//	[...] {...}     a list; names and values by turns, sorted by name
func encodeValue(v any) (string, error) {
	if n, ok := v.(float64); ok {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return "", errors.New("a number that is not finite cannot be stored")
		}
		return store.FormatNumber(n), nil
	}
	return string(appendValue(nil, v)), nil
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return append(b, 'T')
		}
		return append(b, 'F')
	case float64:
		return append(append(append(b, 'n'), store.FormatNumber(v)...), ';')
	case string:
		b = strconv.AppendInt(append(b, 's'), int64(len(v)), 10)
		return append(append(b, ':'), v...)
	case []any:
		b = append(b, '[')
		for _, item := range v {
			b = appendValue(b, item)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b = appendValue(appendValue(b, name), v[name])
		}
		return append(b, '}')
	}
	return b
}

// decodeValue reads what encodeValue wrote. A store may be shared with other
// programs, so anything may be in it.
func decodeValue(text string) (any, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
		return n, nil
	}
	v, rest, err := cutValue(text, 0)
	if err == nil && rest != "" {
		err = errValue
	}
	return v, err
}

var errValue = errors.New("value in the store was not written by a script")

func cutValue(text string, depth int) (v any, rest string, err error) {
	if text == "" || depth > 40 {
		return nil, "", errValue
	}
	kind, text := text[0], text[1:]
	switch kind {
	case 'T', 'F':
		return kind == 'T', text, nil
	case 'n':
		digits, rest, ok := strings.Cut(text, ";")
		n, err := strconv.ParseFloat(digits, 64)
		if !ok || err != nil {
			return nil, "", errValue
		}
		return n, rest, nil
	case 's':
		return cutText(text)
	case '[':
		return cutList(text, depth)
	case '{':
		return cutNamed(text, depth)
	}
	return nil, "", fmt.Errorf("%w: it begins with %q", errValue, kind)
}

func cutText(text string) (v any, rest string, err error) {
	length, text, ok := strings.Cut(text, ":")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 0 || n > len(text) {
		return nil, "", errValue
	}
	return text[:n], text[n:], nil
}

func cutList(text string, depth int) (any, string, error) {
	list := []any{}
	for !strings.HasPrefix(text, "]") {
		v, rest, err := cutValue(text, depth+1)
		if err != nil {
			return nil, "", err
		}
		list, text = append(list, v), rest
	}
	return list, text[1:], nil
}

func cutNamed(text string, depth int) (any, string, error) {
	named := map[string]any{}
	for !strings.HasPrefix(text, "}") {
		name, rest, err := cutValue(text, depth+1)
		if err != nil {
			return nil, "", err
		}
		key, ok := name.(string)
		if !ok {
			return nil, "", errValue
		}
		if named[key], text, err = cutValue(rest, depth+1); err != nil {
			return nil, "", err
		}
	}
	return named, text[1:], nil
}
