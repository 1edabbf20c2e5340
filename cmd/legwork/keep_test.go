package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// tree is what a folder holds, without its backups.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*", "*/*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if st, err := os.Stat(name); err != nil || st.IsDir() || strings.Contains(strings.TrimPrefix(name, dir), "/.") {
				continue
			}
			found[strings.TrimPrefix(name, dir+"/")] = read(t, name)
		}
	}
	return found
}

func TestOnlyScriptsAndTablesOfTheFolderAreReplaced(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	for name, text := range map[string]string{"main.lua": "1", "gone.lua": "1", "rates.csv": "1", "legwork.yaml": "mine", "notes.txt": "mine"} {
		write(t, filepath.Join(dir, name), text)
	}
	next := fstest.MapFS{"main.lua": {Data: []byte("2")}, "rates.csv": {Data: []byte("2")}, "lib/a.lua": {Data: []byte("2")}}
	if err := keepScripts(dir, next, now); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"main.lua": "2", "rates.csv": "2", "lib/a.lua": "2", "legwork.yaml": "mine", "notes.txt": "mine"}
	if got := tree(t, dir); !maps.Equal(got, want) {
		t.Errorf("%q", got)
	}
	backup := filepath.Join(dir, backupName+now.UTC().Format("20060102T150405.000"))
	if got := tree(t, backup); !maps.Equal(got, map[string]string{"main.lua": "1", "gone.lua": "1", "rates.csv": "1"}) {
		t.Errorf("backup %q", got)
	}
	for i := range mostBackups + 3 {
		if err := keepScripts(dir, next, now.Add(time.Duration(i+1)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if all, _ := filepath.Glob(filepath.Join(dir, backupName+"*")); len(all) != mostBackups {
		t.Errorf("%d backups", len(all))
	}
}

func TestAFolderThatCannotBeReplacedStaysAsItWas(t *testing.T) {
	for name, hinder := range map[string]func(dir string) error{
		"a link": func(dir string) error { return os.Symlink("main.lua", filepath.Join(dir, "again.lua")) },
		"a folder in the way": func(dir string) error {
			return os.MkdirAll(filepath.Join(dir, "z.lua", "full"), 0o755)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.lua"), "1")
			if err := hinder(dir); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			next := fstest.MapFS{"main.lua": {Data: []byte("2")}, "b.lua": {Data: []byte("2")}, "z.lua": {Data: []byte("2")}}
			if err := keepScripts(dir, next, time.Now()); err == nil {
				t.Fatal("it was replaced")
			}
			if after := tree(t, dir); !maps.Equal(before, after) {
				t.Errorf("%q", after)
			}
		})
	}
}

func TestNothingIsWrittenThroughALinkedFolder(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "main.lua"), "1")
	write(t, filepath.Join(elsewhere, "a.lua"), "theirs")
	if err := os.Symlink(elsewhere, filepath.Join(dir, "lib")); err != nil {
		t.Fatal(err)
	}
	next := fstest.MapFS{"main.lua": {Data: []byte("2")}, "lib/a.lua": {Data: []byte("2")}}
	if err := keepScripts(dir, next, time.Now()); err == nil || !strings.Contains(err.Error(), "lib is a link") {
		t.Error(err)
	}
	if got := read(t, filepath.Join(elsewhere, "a.lua")) + read(t, filepath.Join(dir, "main.lua")); got != "theirs1" {
		t.Error(got)
	}
}
