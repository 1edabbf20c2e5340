package script

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// shape is what a class registers: "name" read only, "name=" writable,
// "name()" a method.
func shape[T any](def lua.ClassDef[T]) []string {
	var all []string
	for name := range def.Get {
		if def.Set[name] != nil {
			name += "="
		}
		all = append(all, name)
	}
	for name := range def.Methods {
		all = append(all, name+"()")
	}
	slices.Sort(all)
	return all
}

func documented(of string) []string {
	var all []string
	for _, one := range API() {
		if one.Of != of {
			continue
		}
		name := one.Name
		switch {
		case one.Writable:
			name += "="
		case one.Function:
			name += "()"
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func TestTheTableOfTheAPIIsWhatIsRegistered(t *testing.T) {
	m := &machine{}
	for of, registered := range map[string][]string{
		"call": shape(callDef()), "txn": shape(txnDef()), "leg": shape(legDef()), "trunk": shape(trunkDef()), "source": shape(sourceDef()),
		"message": shape(messageDef()), "h": shape(headerDef()), "uri": shape(m.uriDef()), "params": shape(paramsDef()),
		"addr": shape(m.addrDef()), "sdp": shape(m.sdpDef()), "stream": shape(streamDef()), "response_map": shape(mappingDef()),
		"ctx": shape(loaderDef()),
	} {
		if want := documented(of); !reflect.DeepEqual(registered, want) {
			t.Errorf("%s\nregistered %v\ndocumented %v", of, registered, want)
		}
	}
	var hooks []string
	for _, one := range API() {
		if one.Of == "hook" {
			hooks = append(hooks, one.Name)
		}
	}
	if want := slices.Concat(hookNames(), outsideHooks(), []string{"on_load", "on_unload"}); !reflect.DeepEqual(hooks, want) {
		t.Errorf("hooks %v", hooks)
	}
	for of, keys := range map[string]func() []string{"route": routeKeys, "target": targetKeys} {
		known := keys()
		slices.Sort(known)
		if want := documented(of); !reflect.DeepEqual(known, want) {
			t.Errorf("%s: %v, documented %v", of, known, want)
		}
	}
}

func TestTheGlobalB2BIsWhatTheTableSays(t *testing.T) {
	r := run(t, "")
	m := r.live.shards[0].m
	got := map[string][]string{}
	m.vm.Do(func(L *glua.LState) {
		b2b := through(L, m.open(L))
		b2b.ForEach(func(k, v glua.LValue) {
			switch v := v.(type) {
			case *glua.LFunction:
				got["b2b"] = append(got["b2b"], k.String()+"()")
			case *glua.LTable:
				through(L, v).ForEach(func(name, f glua.LValue) {
					s := name.String()
					if f.Type() == glua.LTFunction {
						s += "()"
					}
					got["b2b."+k.String()] = append(got["b2b."+k.String()], s)
				})
			}
		})
	})
	for _, of := range slices.Sorted(maps.Keys(got)) {
		slices.Sort(got[of])
		if want := documented(of); !reflect.DeepEqual(got[of], want) {
			t.Errorf("%s\nregistered %v\ndocumented %v", of, got[of], want)
		}
	}
}

// through is the table behind a read-only view.
func through(L *glua.LState, v glua.LValue) *glua.LTable {
	return L.GetMetaField(v, "__index").(*glua.LTable)
}

func TestStubsAreLuaAndDoNotGetInTheWay(t *testing.T) {
	dir := t.TempDir()
	for name, text := range Stubs() {
		write(t, dir, map[string]string{name: string(text)})
		if strings.HasSuffix(name, ".lua") {
			if _, err := lua.Compile(name, text); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
	write(t, dir, map[string]string{"main.lua": "return {}"})
	if _, err := (Source{Path: filepath.Join(dir, "main.lua")}).read(nil); err != nil {
		t.Error(err)
	}
	path, err := exec.LookPath("luacheck")
	if err != nil {
		t.Skip("luacheck is not installed")
	}
	write(t, dir, map[string]string{"main.lua": `local M = {}
function M.on_invite(call)
  b2b.store:set("a", 1)
  b2b.log.info("x")
  return b2b.route { to = b2b.trunk.list()[1] }
end
return M
`, "wrong.lua": "return b2b.rote(b2b.log.inf, io)\n"})
	cmd := exec.Command(path, "--no-color", "--codes", "main.lua", "wrong.lua")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	out, _ := cmd.CombinedOutput() // its exit code says that there are warnings
	wantIn(t, string(out), "Checking main.lua", "OK", "rote", "inf", "io")
	cmd = exec.Command(path, "--no-color", "--codes", "--exclude-files", "wrong.lua", "--", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil { // editors check the whole folder
		t.Errorf("%v: %s", err, out)
	}
	annotations := string(Stubs()[".legwork/b2b.lua"])
	_, fields, _ := strings.Cut(annotations, "---@class hooks")
	wantIn(t, fields, "---@field params? ", "---@field inbound? ", "---@field outbound? ", "---@field responses? ")
}

func TestTheReferenceNamesEverything(t *testing.T) {
	text := Reference()
	for _, one := range API() {
		wantIn(t, text, one.Name)
		if one.Doc == "" || strings.ContainsAny(one.Doc, "\n") {
			t.Errorf("%s.%s: doc %q", one.Of, one.Name, one.Doc)
		}
	}
}
