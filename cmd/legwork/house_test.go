package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// top is all that may stand at the top level, besides dot-files.
var top = []string{"LICENSE", "Makefile", "README.md", "b2bua", "bin", "cmd", "examples", "go.mod", "go.sum", "script", "scripts"}

// longFunctions may have more than 60 lines, longFiles more than 500; each
// entry says why.
var longFunctions = map[string]string{}

var longFiles = map[string]string{}

func TestTheTopLevelIsFixed(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(top, e.Name()) {
			t.Errorf("%s stands at the top level", e.Name())
		}
	}
}

func TestFilesAndFunctionsStayShort(t *testing.T) {
	eachGoFile(t, func(path string, lines int, file *ast.File, set *token.FileSet) {
		if lines > 500 && longFiles[path] == "" {
			t.Errorf("%s has %d lines, at most 500", path, lines)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1
			if name := path + ":" + f.Name.Name; n > 60 && longFunctions[name] == "" {
				t.Errorf("%s has %d lines, at most 60", name, n)
			}
		}
	})
}

func TestNamesSayWhatThingsAre(t *testing.T) {
	forbidden := []string{"manager", "helper", "util", "common", "misc", "impl"}
	eachGoFile(t, func(path string, _ int, file *ast.File, _ *token.FileSet) {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, word := range forbidden {
				if strings.Contains(strings.ToLower(f.Name.Name), word) {
					t.Errorf("%s: %s holds %q", path, f.Name.Name, word)
				}
			}
		}
	})
}

// eachGoFile visits the sources that are not generated.
func eachGoFile(t *testing.T, visit func(path string, lines int, file *ast.File, set *token.FileSet)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, src, 0)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		visit(filepath.ToSlash(name), strings.Count(string(src), "\n"), file, set)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// mayImport says which of our packages a room may see (design/house.md,
// "Direction"); what is not listed here is only bound by the cycles that Go
// refuses. message is the language that all rooms speak.
var mayImport = map[string][]string{
	"b2bua/message":     {},
	"b2bua/dialog":      {},
	"b2bua/offer":       {},
	"b2bua/q850":        {},
	"b2bua/number":      {},
	"b2bua/door":        {},
	"b2bua/leak":        {},
	"b2bua/store":       {"b2bua/store/redis"},
	"b2bua/store/redis": {},
	"b2bua/refresh":     {"b2bua/message"},
	"b2bua/digest":      {"b2bua/message"},
	"b2bua/registrar":   {"b2bua/message", "b2bua/store"},
	"b2bua/trunk":       {"b2bua/message"},
	"b2bua/resolve":     {},
	"b2bua/transport":   {"b2bua/message", "b2bua/resolve"},
	"b2bua/transaction": {"b2bua/message", "b2bua/transport"},
	"b2bua/simnet":      {"b2bua/message", "b2bua/resolve", "b2bua/transport", "b2bua/transaction", "b2bua/dialog"},
	"b2bua":             {"b2bua/message", "b2bua/transport", "b2bua/transaction", "b2bua/dialog", "b2bua/offer", "b2bua/trunk", "b2bua/q850", "b2bua/number", "b2bua/leak", "b2bua/digest", "b2bua/door", "b2bua/registrar", "b2bua/store", "b2bua/refresh"},
	"b2bua/cdr":         {"b2bua", "b2bua/message"},
	"b2bua/metrics":     {"b2bua", "b2bua/door", "b2bua/message", "b2bua/transaction", "b2bua/transport", "b2bua/trunk"},
	"b2bua/capture":     {"b2bua", "b2bua/message", "b2bua/number", "b2bua/trunk"},
	"b2bua/pcap":        {"b2bua/message", "b2bua/number"},
	"b2bua/admin":       {"b2bua", "b2bua/door", "b2bua/message", "b2bua/trunk"},
	"script/lua":        {},
	"script/sql":        {},
	"script/cucm":       {"b2bua/message", "b2bua/offer", "script/lua"},
	"script/canned":     {"script/lib", "script/lua"},
	"script/lib":        {"b2bua/q850", "b2bua/number", "b2bua/resolve", "b2bua/store", "b2bua/store/redis", "script/lua", "script/sql"},
}

// pure rooms have no clock, socket or lock.
var pure = map[string][]string{
	"b2bua/dialog":  {"time", "net", "sync"},
	"b2bua/offer":   {"time", "net", "sync"},
	"b2bua/refresh": {"time", "net", "sync"},
}

func TestImportsPointDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "legwork/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		room, imports := strings.TrimPrefix(words[0], "legwork/"), words[1:]
		for _, path := range imports {
			ours, isOurs := strings.CutPrefix(path, "legwork/")
			if allowed, listed := mayImport[room]; isOurs && listed && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", room, ours)
			}
			if isOurs && ours == "cmd/legwork/config" && !strings.HasPrefix(room, "cmd/") {
				t.Errorf("%s imports the configuration: only cmd may", room)
			}
			if slices.Contains(pure[room], path) {
				t.Errorf("%s imports %s", room, path)
			}
		}
	}
}
