package lua

import (
	"math"
	"sort"

	glua "github.com/yuin/gopher-lua"
)

// tableLibrary is PUC Lua's, counted as memory where it makes something.
func tableLibrary(L *glua.LState) *glua.LTable {
	lib := L.NewTable()
	Register(L, lib, map[string]glua.LGFunction{
		"concat": tableConcat, "getn": tableGetn, "insert": tableInsert, "maxn": tableMaxn,
		"remove": tableRemove, "sort": tableSort,
	})
	return lib
}

func tableGetn(L *glua.LState) int {
	L.Push(glua.LNumber(L.CheckTable(1).Len()))
	return 1
}

// tableMaxn is the largest positive number that is a key.
func tableMaxn(L *glua.LState) int {
	t := L.CheckTable(1)
	highest := glua.LNumber(t.MaxN())
	n := 0
	t.ForEach(func(k, _ glua.LValue) {
		n++
		if k, ok := k.(glua.LNumber); ok {
			highest = max(highest, k)
		}
	})
	spend(L, n>>3)
	L.Push(highest)
	return 1
}

func tableConcat(L *glua.LState) int {
	t, sep := L.CheckTable(1), ""
	if L.Get(2) != glua.LNil {
		sep = checkString(L, 2)
	}
	from, to := optInt(L, 3, 1), optInt(L, 4, t.Len())
	size := 0
	for i := from; i <= to; i++ {
		v := t.RawGet(glua.LNumber(i))
		if !glua.LVCanConvToString(v) {
			RaiseAt(L, "invalid value (%s) at index %d in table for 'concat'", v.Type(), i)
		}
		if s, ok := v.(glua.LString); ok {
			size += len(s)
		} else {
			size += 24
		}
		if i < to {
			size += len(sep)
		}
	}
	spend(L, (to-from)>>3)
	Charge(L, size)
	buf := make([]byte, 0, size)
	for i := from; i <= to; i++ {
		switch v := t.RawGet(glua.LNumber(i)).(type) {
		case glua.LString:
			buf = append(buf, v...)
		case glua.LNumber:
			buf = appendNumber(buf, float64(v))
		}
		if i < to {
			buf = append(buf, sep...)
		}
	}
	L.Push(glua.LString(buf))
	return 1
}

func tableInsert(L *glua.LState) int {
	t := L.CheckTable(1)
	n := t.Len()
	switch L.GetTop() {
	case 2:
		put(L, t, glua.LNumber(n+1), L.Get(2))
	case 3:
		at := checkInt(L, 2)
		if at < 1 {
			L.ArgError(2, "position out of bounds")
		}
		spend(L, (n-at)>>3)
		for i := max(n, at-1); i >= at; i-- {
			put(L, t, glua.LNumber(i+1), t.RawGet(glua.LNumber(i)))
		}
		put(L, t, glua.LNumber(at), L.Get(3))
	default:
		RaiseAt(L, "wrong number of arguments to 'insert'")
	}
	return 0
}

func tableRemove(L *glua.LState) int {
	t := L.CheckTable(1)
	n := t.Len()
	at := optInt(L, 2, n)
	if at < 1 || at > n {
		return 0
	}
	spend(L, (n-at)>>3)
	removed := t.RawGet(glua.LNumber(at))
	for i := at; i < n; i++ {
		t.RawSet(glua.LNumber(i), t.RawGet(glua.LNumber(i+1)))
	}
	t.RawSet(glua.LNumber(n), glua.LNil)
	L.Push(removed)
	return 1
}

// An order sorts values with Lua's < or a function of the script.
type order struct {
	L      *glua.LState
	less   *glua.LFunction
	values []glua.LValue
}

func (o *order) Len() int      { return len(o.values) }
func (o *order) Swap(i, j int) { o.values[i], o.values[j] = o.values[j], o.values[i] }

func (o *order) Less(i, j int) bool {
	if o.less == nil {
		spend(o.L, 1)
		return o.L.LessThan(o.values[i], o.values[j])
	}
	o.L.Push(o.less)
	o.L.Push(o.values[i])
	o.L.Push(o.values[j])
	o.L.Call(2, 1)
	yes := glua.LVAsBool(o.L.Get(-1))
	o.L.Pop(1)
	return yes
}

// tableSort sorts a copy and writes it back, so that a comparison that waits
// or changes the table can do no harm.
func tableSort(L *glua.LState) int {
	t := L.CheckTable(1)
	o := &order{L: L}
	if L.Get(2) != glua.LNil {
		o.less = L.CheckFunction(2)
	}
	n := min(t.Len(), math.MaxInt32)
	Charge(L, n*costSlot)
	o.values = make([]glua.LValue, n)
	for i := range o.values {
		o.values[i] = t.RawGet(glua.LNumber(i + 1))
	}
	sort.Sort(o)
	for i, v := range o.values {
		t.RawSet(glua.LNumber(i+1), v)
	}
	return 0
}
