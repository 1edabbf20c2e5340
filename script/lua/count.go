package lua

import (
	glua "github.com/yuin/gopher-lua"
)

// What memory costs, in bytes, as measured with gopher-lua's tables (two maps
// and a list for a key, a slice for 1, 2, 3...). Garbage counts too: the limit
// is on what a run makes.
const (
	costTable = 512
	costEntry = 128 // a key that is not a small positive integer
	costSlot  = 16  // a place in the array part

	// maxArrayIndex is gopher-lua's MaxArrayIndex in a program that has a VM:
	// t[5551234] must not make an array of five million places.
	maxArrayIndex = 65536
)

// concat is `a .. b .. c`.
func concat(L *glua.LState) int {
	n := L.GetTop()
	size := 0
	for i := 1; i <= n; i++ {
		switch v := L.Get(i).(type) {
		case glua.LString:
			size += len(v)
		case glua.LNumber:
			size += 24
		default:
			return concatMeta(L)
		}
	}
	Charge(L, size)
	buf := make([]byte, 0, size)
	for i := 1; i <= n; i++ {
		if s, ok := L.Get(i).(glua.LString); ok {
			buf = append(buf, s...)
		} else {
			buf = appendNumber(buf, float64(L.Get(i).(glua.LNumber)))
		}
	}
	L.Push(glua.LString(buf))
	return 1
}

// concatMeta is concat, two by two from the right, for what has __concat.
func concatMeta(L *glua.LState) int {
	right := L.Get(-1)
	for i := L.GetTop() - 1; i >= 1; i-- {
		left := L.Get(i)
		if glua.LVCanConvToString(left) && glua.LVCanConvToString(right) {
			a, b := toText(left), toText(right)
			Charge(L, len(a)+len(b))
			right = glua.LString(a + b)
			continue
		}
		fn := L.GetMetaField(left, "__concat")
		if fn == glua.LNil {
			fn = L.GetMetaField(right, "__concat")
		}
		if fn == glua.LNil {
			bad := left
			if glua.LVCanConvToString(left) {
				bad = right
			}
			RaiseAt(L, "attempt to concatenate a %s value", bad.Type())
		}
		L.Push(fn)
		L.Push(left)
		L.Push(right)
		L.Call(2, 1)
		right = L.Get(-1)
		L.Pop(1)
	}
	L.Push(right)
	return 1
}

// newTable is `{...}`: the table and what its shape costs.
func newTable(L *glua.LState) int {
	t := L.Get(1).(*glua.LTable)
	Charge(L, int(L.Get(2).(glua.LNumber))+costSlot*t.Len())
	L.SetTop(1)
	return 1
}

// newKey is a computed key in a constructor, before its entry is made.
func newKey(L *glua.LState) int {
	cost := costEntry
	if n, ok := L.Get(1).(glua.LNumber); ok && n > 0 && n < maxArrayIndex {
		cost += int(n) * costSlot
	}
	checkKey(L, L.Get(1))
	Charge(L, cost)
	return 1
}

// setIndex is `t[k] = v` where k is computed.
func setIndex(L *glua.LState) int {
	object, key, value := L.Get(1), L.Get(2), L.Get(3)
	t, ok := object.(*glua.LTable)
	if !ok {
		L.SetTable(object, key, value)
		return 0
	}
	if t.Metatable != glua.LNil {
		chargeEntry(L, t, key)
		L.SetTable(t, key, value)
		return 0
	}
	checkKey(L, key)
	put(L, t, key, value)
	return 0
}

// put is a counted t[key] = value without metamethods. Nothing is not stored
// where nothing is: gopher-lua would make the array up to there.
func put(L *glua.LState, t *glua.LTable, key, value glua.LValue) {
	if value != glua.LNil {
		chargeEntry(L, t, key)
	} else if t.RawGet(key) == glua.LNil {
		return
	}
	t.RawSet(key, value)
}

// chargeEntry counts what t grows by when key is set in it.
func chargeEntry(L *glua.LState, t *glua.LTable, key glua.LValue) {
	n, ok := key.(glua.LNumber)
	i := int(n)
	switch {
	case t.RawGet(key) != glua.LNil:
	case ok && i == maxArrayIndex && t.RawGetInt(i-1) != glua.LNil:
		// gopher-lua's # would say 65535 for ever.
		RaiseAt(L, "a list holds at most %d values", maxArrayIndex-1)
	case !ok || glua.LNumber(i) != n || i < 1 || i >= maxArrayIndex:
		Charge(L, costEntry)
	case i == 1 || t.RawGetInt(i-1) != glua.LNil:
		Charge(L, 2*costSlot)
	default:
		Charge(L, costSlot*max(i-t.Len(), 2))
	}
}

func checkKey(L *glua.LState, key glua.LValue) {
	if key == glua.LNil {
		RaiseAt(L, "table index is nil")
	}
	if n, ok := key.(glua.LNumber); ok && n != n {
		RaiseAt(L, "table index is NaN")
	}
}
