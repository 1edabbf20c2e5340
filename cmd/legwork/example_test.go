package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"legwork/b2bua"
)

// example is a deployment of examples/ in a folder of its own, with other words
// in the place of some of its configuration's, two by two. It listens on free
// ports.
func example(t *testing.T, name string, pairs ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/"+name)); err != nil {
		t.Fatal(err)
	}
	reword(t, filepath.Join(dir, "legwork.yaml"), append(pairs,
		`address: "127.0.0.1:5060"}`, `address: "127.0.0.1:0"}
  - {name: tcp, transport: tcp, address: "127.0.0.1:0"}`,
		"script: main.lua", `script: main.lua
admin: {address: "127.0.0.1:0"}
limits: {per_source_cps: 0}`)...)
	return dir
}

// reword replaces texts of a file, two by two; one that is not there fails the
// test.
func reword(t *testing.T, path string, pairs ...string) {
	t.Helper()
	text := read(t, path)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("no %q in %s", pairs[i], path)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	write(t, path, text)
}

// records are the lines of a JSONL of calls.
func records(t *testing.T, path string) (all []b2bua.Record) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader([]byte(read(t, path))))
	for lines.Scan() {
		var one b2bua.Record
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}
