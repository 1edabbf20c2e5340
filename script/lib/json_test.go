package lib

import (
	"encoding/json"
	"testing"

	glua "github.com/yuin/gopher-lua"
)

func TestJSONKeepsNullAndEmptyLists(t *testing.T) {
	r := newRig(t, Config{})
	for _, text := range []string{
		`{}`, `[]`, `null`, `[null,1,"a",true,[],{}]`, `{"a":{"b":[1.5,-2,1e+300]},"é":"\"\\\n<&"}`, `"x"`, `4930123456789`,
	} {
		r.wants(`print(b2b.json.encode((b2b.json.decode([=[`+text+`]=]))))`, text)
	}
	r.wants(`print(b2b.json.encode{}, b2b.json.encode(b2b.json.array{}), b2b.json.encode{1, 2}, b2b.json.encode{b = 1, a = b2b.json.null}, tostring(b2b.json.null))`,
		`{}	[]	[1,2]	{"a":null,"b":1}	null`)
	r.wants(`local l = b2b.json.decode("[1]"); l[1] = nil; print(b2b.json.encode(l))`, `[]`)
}

func TestBrokenJSONIsAnAnswerAndNoError(t *testing.T) {
	r := newRig(t, Config{})
	r.wants(`print((b2b.json.decode("{")), (b2b.json.decode("")), (b2b.json.decode("1 2")), (b2b.json.decode(("["):rep(40) .. ("]"):rep(40))))`, "nil\tnil\tnil\tnil")
	r.wants(`print(select(2, b2b.json.decode("{")))`, "unexpected end of JSON input")
	r.refuses(`b2b.json.decode("[" .. ("[],"):rep(200000) .. "[]]")`, "over the limit")
}

func TestValuesThatAreNoJSONAreRefused(t *testing.T) {
	r := newRig(t, Config{})
	r.refuses(`b2b.json.encode{1, a = 2}`, "keys that are neither")
	r.refuses(`b2b.json.encode{[5] = 2}`, "keys that are neither")
	r.refuses(`b2b.json.encode(b2b.json.array{a = 1})`, "keys that are neither")
	r.refuses(`b2b.json.encode(print)`, "cannot write a function")
	r.refuses(`b2b.json.encode(nil)`, "b2b.json.null")
	r.refuses(`b2b.json.encode(0/0)`, "not finite")
	r.refuses(`b2b.json.encode("\255")`, "not UTF-8")
	r.refuses(`local t = {}; t[1] = t; b2b.json.encode(t)`, "contain themselves")
	r.refuses(`local s, t = ("x"):rep(300000), {}; for i = 1, 5 do t[i] = s end; b2b.json.encode(t)`, "more than 1048576 bytes")
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,null,{}]}`, `[]`, `"\ud800"`, `1e999`, `{"":{"":[]}}`} {
		f.Add([]byte(seed))
	}
	env, err := NewEnv(Config{ReasonPhrase: func(int) string { return "" }})
	if err != nil {
		f.Fatal(err)
	}
	L := glua.NewState(glua.Options{SkipOpenLibs: true})
	defer L.Close()
	L.SetMetatable(glua.LString(""), L.NewTable())
	x := &library{env: env}
	x.openJSON(L)
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := x.decodeJSON(L, text)
		if err != nil {
			return
		}
		out, err := x.encodeJSON(v)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", text, err)
		}
		if !json.Valid(out) {
			t.Fatalf("%q became %q", text, out)
		}
		again, err := x.decodeJSON(L, out)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := x.encodeJSON(again); err != nil || string(twice) != string(out) {
			t.Fatalf("%q became %q, then %q, %v", text, out, twice, err)
		}
	})
}
