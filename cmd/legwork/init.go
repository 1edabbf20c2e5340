package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"legwork/cmd/legwork/config"
	"legwork/scripts"
)

type initCommand struct {
	Dir string `arg:"" optional:"" default:"." help:"Folder to write to; default: here."`
}

// Run writes what a new deployment begins with and overwrites nothing.
func (c *initCommand) Run(t *terminal) error {
	files, err := beginning()
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(c.Dir, filepath.FromSlash(f.name))
		switch err := create(path, f.content); {
		case errors.Is(err, fs.ErrExist):
			t.printf("exists   %s\n", nearest(path))
		case err != nil:
			return err
		default:
			t.printf("%s  %s\n", t.paint(green, "written"), nearest(path))
		}
	}
	t.printf("Next: name your neighbours below trunks: in %s, then legwork check and legwork run.\n", nearest(filepath.Join(c.Dir, usualFile)))
	return nil
}

// file is one that a command writes; name has slashes.
type file struct {
	name    string
	content []byte
}

// beginning is the configuration, the scripts that the program carries, and
// editor settings beside them.
func beginning() ([]file, error) {
	none, own := []byte("\nscript: \"\"\n"), []byte("\nscript: scripts/main.lua\n")
	yaml := bytes.Replace(config.Template(), none, own, 1)
	if !bytes.Contains(yaml, own) {
		return nil, errors.New("the template of legwork.yaml has no script key")
	}
	files := []file{{usualFile, yaml}}
	names, err := fs.Glob(scripts.Files, "*.lua")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		content, err := scripts.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file{"scripts/" + name, content})
	}
	return append(files, stubs("scripts/")...), nil
}

// create writes a file that must not exist yet.
func create(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
