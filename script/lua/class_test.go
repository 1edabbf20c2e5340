package lua

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	glua "github.com/yuin/gopher-lua"
)

type thing struct {
	name   string
	fields map[string]string
}

func thingClass(L *glua.LState) *Class[*thing] {
	var c *Class[*thing]
	c = NewClass(L, "thing", ClassDef[*thing]{
		Methods: map[string]glua.LGFunction{
			"rename": func(L *glua.LState) int { c.Check(L, 1).name = L.CheckString(2); return 0 },
		},
		Get: map[string]func(*glua.LState, *thing) glua.LValue{
			"name": func(_ *glua.LState, t *thing) glua.LValue { return glua.LString(t.name) },
			"size": func(_ *glua.LState, t *thing) glua.LValue { return glua.LNumber(len(t.fields)) },
		},
		Set: map[string]func(*glua.LState, *thing, glua.LValue){
			"name": func(_ *glua.LState, t *thing, v glua.LValue) { t.name = v.String() },
		},
		Index: func(_ *glua.LState, t *thing, key glua.LValue) glua.LValue {
			if v, ok := t.fields[key.String()]; ok {
				return glua.LString(v)
			}
			return nil
		},
		Meta: map[string]glua.LGFunction{
			"__tostring": func(L *glua.LState) int { L.Push(glua.LString("<" + c.Check(L, 1).name + ">")); return 1 },
		},
	})
	return c
}

func TestObjectsAreStrict(t *testing.T) {
	for src, want := range map[string]string{
		"thing:rename('b') thing.name = thing.name .. 'c' print(thing.name, thing.x, thing, thing.size)": "bc\ty\t<bc>\t1\n",
		"local x = thing.nam":                        "main.lua:1: thing has no field 'nam', did you mean 'name'?",
		"\nthing.size = 1":                           "main.lua:2: thing.size is read only",
		"thing.rename = 1":                           "main.lua:1: thing.rename is read only",
		"thing.zzz = 1":                              "main.lua:1: thing has no field 'zzz'; there are name, rename, size",
		"thing.Name = 1":                             "main.lua:1: thing has no field 'Name', did you mean 'name'?",
		"thing[5] = 1":                               "main.lua:1: thing has no field '5'; there are name, rename, size",
		"thing.rename({}, 'x')":                      "main.lua:1: bad argument #1 to rename (thing expected, got table; call it with a colon, thing:rename(...))",
		"setmetatable(thing, {})":                    "main.lua:1: bad argument #1 to setmetatable (table expected, got userdata)",
		"print(getmetatable(thing))":                 "thing\n",
		"print(pcall(function() return #thing end))": "false\tmain.lua:1: __len undefined\n",
	} {
		s := newScript(t, Config{Globals: []string{"thing"}, Libraries: map[string]func(*glua.LState) glua.LValue{
			"thing": func(L *glua.LState) glua.LValue {
				return thingClass(L).New(L, &thing{name: "a", fields: map[string]string{"x": "y"}})
			},
		}})
		out, err := s.run(Run{}, src)
		if err != nil {
			out = err.Error()
		}
		if out != want {
			t.Errorf("%s\ngot  %q\nwant %q", src, out, want)
		}
	}
}

func TestObjectOfAnotherClassIsRefused(t *testing.T) {
	s := newScript(t, Config{Globals: []string{"thing", "other"}, Libraries: map[string]func(*glua.LState) glua.LValue{
		"thing": func(L *glua.LState) glua.LValue { return thingClass(L).New(L, &thing{}) },
		"other": func(L *glua.LState) glua.LValue {
			return NewClass(L, "other", ClassDef[*thing]{}).New(L, &thing{})
		},
	}})
	_, err := s.run(Run{}, "thing.rename(other, 'x')")
	if err == nil || err.Error() != "main.lua:1: bad argument #1 to rename (thing expected, got other; call it with a colon, thing:rename(...))" {
		t.Fatal(err)
	}
}

func TestPlainValuesCrossBothWays(t *testing.T) {
	s := newScript(t, Config{})
	want := map[string]any{"a": []any{1.0, "x", true}, "b": map[string]any{}, "7": "n", "c": map[string]any{"d": 1.5}}
	var got, again any
	err := s.Call(&Run{}, s.function("return { a = {1, 'x', true}, b = {}, [7] = 'n', c = {d = 1.5} }"), nil, func(L *glua.LState, v glua.LValue) (err error) {
		if got, err = ToGo(v); err == nil {
			again, err = ToGo(FromGo(L, got))
		}
		return err
	})
	if err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(again, want) {
		t.Fatalf("%v\n%v\n%v", err, got, again)
	}
}

func TestWhatIsNotPlainIsRefused(t *testing.T) {
	for src, want := range map[string]string{
		"return { a = { print } }":                                   "a: [1]: a function is not a plain value",
		"local t = {} t.t = t return t":                              "nested deeper than 32",
		"local t = {} for i = 1, 60000 do t[i] = { 1 } end return t": "more than 100000 values",
		"return { [true] = 1 }":                                      "a boolean cannot be a key",
	} {
		s := newScript(t, Config{})
		err := s.Call(&Run{Limits: Limits{Memory: 1 << 30, Deadline: time.Minute}}, s.function(src), nil, func(_ *glua.LState, v glua.LValue) error {
			_, err := ToGo(v)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", src, err, want)
		}
	}
}

func TestWhatGoGivesIsCounted(t *testing.T) {
	s := newScript(t, Config{})
	list := make([]string, 1000)
	for i := range list {
		list[i] = strings.Repeat("x", 1000)
	}
	err := s.Call(&Run{}, s.function("for i, f in ipairs{...} do f() end"), func(L *glua.LState) int {
		for range 20 {
			L.Push(L.NewFunction(Protect(func(L *glua.LState) int { L.Push(FromGo(L, list)); return 1 })))
		}
		return 20
	}, nil)
	if !errors.Is(err, ErrMemory) {
		t.Fatal(err)
	}
}
