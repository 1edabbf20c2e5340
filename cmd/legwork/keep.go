package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// backupName is how the folders of backups begin that keepScripts leaves in the
// folder of the scripts; mostBackups are kept.
const (
	backupName  = ".legwork-backup-"
	mostBackups = 5
)

// keepScripts makes the Lua and tables of a folder those given, and touches
// nothing else there: a configuration may lie beside them. What was there goes
// into a backup. Everything is written before the first file changes its name, so
// that a full disk changes nothing; on an error what was there comes back.
func keepScripts(folder string, files fs.FS, now time.Time) error {
	stay, err := scriptsIn(files)
	if err != nil {
		return err
	}
	here := os.DirFS(folder)
	were, err := scriptsIn(here)
	if err != nil {
		return err
	}
	if err := noLinks(folder, slices.Concat(stay, were)); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(folder, ".legwork-new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	backup := filepath.Join(folder, backupName+now.UTC().Format("20060102T150405.000"))
	if err := errors.Join(copyScripts(backup, here, were), copyScripts(fresh, files, stay)); err != nil {
		return errors.Join(err, os.RemoveAll(backup))
	}
	if err := replace(folder, fresh, stay, were); err != nil {
		return errors.Join(err, comeBack(folder, backup, stay, were))
	}
	return forgetBackups(folder)
}

// noLinks refuses to write through links, files or folders: they lead to what is
// somebody else's.
func noLinks(folder string, names []string) error {
	for _, name := range names {
		for ; name != "."; name = path.Dir(name) {
			st, err := os.Lstat(filepath.Join(folder, filepath.FromSlash(name)))
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				return err
			case !st.IsDir() && !st.Mode().IsRegular():
				return fmt.Errorf("%s is a link: whoever made it has to change it", name)
			}
		}
	}
	return nil
}

func scriptsIn(folder fs.FS) (names []string, err error) {
	err = eachScript(folder, func(name string) error {
		names = append(names, name)
		return nil
	})
	return names, err
}

// copyScripts writes files of one folder into another.
func copyScripts(to string, from fs.FS, names []string) error {
	for _, name := range names {
		b, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		file := filepath.Join(to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// replace moves files into a folder and removes those that do not stay.
func replace(folder, fresh string, stay, were []string) error {
	for _, name := range stay {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(fresh, filepath.FromSlash(name)), file); err != nil {
			return err
		}
	}
	for _, name := range were {
		if !slices.Contains(stay, name) {
			if err := os.Remove(filepath.Join(folder, filepath.FromSlash(name))); err != nil {
				return err
			}
		}
	}
	return nil
}

// comeBack undoes a replacement that failed half way.
func comeBack(folder, backup string, stay, were []string) error {
	for _, name := range stay {
		if !slices.Contains(were, name) {
			_ = os.Remove(filepath.Join(folder, filepath.FromSlash(name))) // it may not have come so far
		}
	}
	return copyScripts(folder, os.DirFS(backup), were)
}

// forgetBackups removes the oldest.
func forgetBackups(folder string) error {
	entries, err := os.ReadDir(folder) // by name, which is by time
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !strings.HasPrefix(e.Name(), backupName) })
	for len(entries) > mostBackups {
		if err := os.RemoveAll(filepath.Join(folder, entries[0].Name())); err != nil {
			return err
		}
		entries = entries[1:]
	}
	return nil
}
