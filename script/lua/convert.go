package lua

import (
	"fmt"
	"maps"
	"math"
	"slices"

	glua "github.com/yuin/gopher-lua"
)

// Bounds of a value that leaves Lua.
const (
	maxNesting = 32
	maxValues  = 100_000
)

// ToGo copies a plain value out of Lua: nil, bool, float64, string, a table
// with keys 1 to n as []any, any other table as map[string]any (an empty one
// too). Functions, objects and tables that are deeper than 32, larger than
// 100,000 values or contain themselves are errors.
func ToGo(v glua.LValue) (any, error) {
	c := converter{left: maxValues}
	return c.value(v, 0)
}

type converter struct {
	left int
}

func (c *converter) value(v glua.LValue, depth int) (any, error) {
	if c.left--; c.left < 0 {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	switch v := v.(type) {
	case *glua.LNilType:
		return nil, nil
	case glua.LBool:
		return bool(v), nil
	case glua.LNumber:
		return float64(v), nil
	case glua.LString:
		return string(v), nil
	case *glua.LTable:
		if depth >= maxNesting {
			return nil, fmt.Errorf("tables are nested deeper than %d", maxNesting)
		}
		return c.table(v, depth+1)
	}
	return nil, fmt.Errorf("a %s is not a plain value", v.Type())
}

func (c *converter) table(t *glua.LTable, depth int) (any, error) {
	n, keys := t.Len(), 0
	for k, _ := t.Next(glua.LNil); k != glua.LNil && keys <= maxValues; k, _ = t.Next(k) {
		keys++
	}
	if n > 0 && n == keys {
		return c.list(t, n, depth)
	}
	m := make(map[string]any, min(keys, maxValues))
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		name, err := keyText(k)
		if err != nil {
			return nil, err
		}
		if m[name], err = c.value(v, depth); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

func keyText(k glua.LValue) (string, error) {
	if !glua.LVCanConvToString(k) {
		return "", fmt.Errorf("a %s cannot be a key", k.Type())
	}
	return toText(k), nil
}

func (c *converter) list(t *glua.LTable, n, depth int) (any, error) {
	if n > c.left {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	list := make([]any, n)
	for i := range list {
		v, err := c.value(t.RawGet(glua.LNumber(i+1)), depth)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i+1, err)
		}
		list[i] = v
	}
	return list, nil
}

// FromGo copies a plain Go value into Lua and counts it as the run's memory:
// what ToGo makes, and integers, []string, map[string]string. Anything else is
// nil.
func FromGo(L *glua.LState, v any) glua.LValue {
	switch v := v.(type) {
	case glua.LValue:
		return v
	case bool:
		return glua.LBool(v)
	case string:
		Charge(L, len(v))
		return glua.LString(v)
	case float64:
		return glua.LNumber(v)
	case int:
		return glua.LNumber(v)
	case int64:
		return glua.LNumber(v)
	case []any:
		return fromList(L, v)
	case []string:
		return fromList(L, v)
	case map[string]any:
		return fromMap(L, v)
	case map[string]string:
		return fromMap(L, v)
	}
	return glua.LNil
}

func fromList[V any](L *glua.LState, list []V) glua.LValue {
	Charge(L, costTable+len(list)*costSlot)
	t := L.CreateTable(min(len(list), math.MaxInt16), 0)
	for i, v := range list {
		t.RawSetInt(i+1, FromGo(L, v))
	}
	return t
}

func fromMap[V any](L *glua.LState, m map[string]V) glua.LValue {
	Charge(L, costTable+len(m)*costEntry)
	t := L.CreateTable(0, min(len(m), math.MaxInt16))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		Charge(L, len(k))
		t.RawSetString(k, FromGo(L, m[k]))
	}
	return t
}
