package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFileThatIsDeletedOrBrokenIsMadeAnewFromMemory(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"deleted":   os.Remove,
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"cut short": func(path string) error { return os.Truncate(path, 6000) },
		"overwritten": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write(make([]byte, 16<<10))
			return err
		},
		"folder deleted": func(path string) error {
			if err := os.RemoveAll(filepath.Dir(path)); err != nil {
				return err
			}
			return os.Mkdir(filepath.Dir(path), 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "in", "store.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			f, m := openFile(t, path)
			for i := range 100 {
				must(t, m.Set(fmt.Sprint("before", i), "v", 0))
			}
			must(t, f.Close())
			f, m = openFile(t, path)
			must(t, spoil(path))
			must(t, m.Set("after", "v", 0))
			must(t, f.Close())
			f, m = openFile(t, path)
			defer f.Close()
			for i := range 100 {
				wantValue(t, m, fmt.Sprint("before", i), "v")
			}
			wantValue(t, m, "after", "v")
		})
	}
}

func TestABrokenFileIsRefusedWithTheCure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	f, m := openFile(t, path)
	for i := range 1000 {
		must(t, m.Set(fmt.Sprint("k", i), strings.Repeat("v", 100), 0))
	}
	must(t, f.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	refused := 0
	for at := 0; at < len(whole); at += 4096 {
		for _, spoiled := range [][]byte{
			whole[:at+100],
			append(append(append([]byte{}, whole[:at]...), []byte(strings.Repeat("\xa5", 4096))...), whole[min(len(whole), at+4096):]...),
		} {
			path := filepath.Join(t.TempDir(), "store.db") // what is mapped stays locked
			must(t, os.WriteFile(path, spoiled, 0o600))
			f, err := OpenFile(path, f.log)
			if err == nil {
				if _, err = f.Room("scripts", Limits{}); err != nil {
					must(t, f.Close())
				}
			}
			if err == nil { // it was no page of ours
				must(t, f.Close())
				continue
			}
			refused++
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away") {
				t.Errorf("page %d: %v", at/4096, err)
			}
			if there, err := os.ReadFile(path); err != nil || !bytes.Equal(there, spoiled) {
				t.Errorf("page %d: the file is another, %v", at/4096, err)
			}
		}
	}
	if refused < 10 {
		t.Errorf("%d were refused", refused)
	}
}
