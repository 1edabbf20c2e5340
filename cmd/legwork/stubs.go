package main

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"legwork/script"
	"legwork/script/luatest"
)

type stubsCommand struct {
	Dir string `arg:"" optional:"" default:"scripts" help:"The scripts' folder; default: scripts."`
}

// Run writes the stubs anew, as the API is in this version; settings that
// people edit are left alone.
func (c *stubsCommand) Run(t *terminal) error {
	for _, f := range stubs("") {
		path := filepath.Join(c.Dir, filepath.FromSlash(f.name))
		if filepath.Ext(path) == ".lua" {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		switch err := create(path, f.content); {
		case errors.Is(err, fs.ErrExist):
			t.printf("exists   %s\n", nearest(path))
		case err != nil:
			return err
		default:
			t.printf("%s  %s\n", t.paint(green, "written"), nearest(path))
		}
	}
	return nil
}

// stubs are the files for editors, below a folder.
func stubs(below string) []file {
	content := script.Stubs()
	content[".legwork/b2b/test.lua"] = luatest.Stub()
	var files []file
	for _, name := range slices.Sorted(maps.Keys(content)) {
		files = append(files, file{below + name, content[name]})
	}
	return files
}
