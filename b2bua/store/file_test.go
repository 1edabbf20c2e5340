package store

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func openFile(t *testing.T, path string) (*File, *Memory) {
	t.Helper()
	f, err := OpenFile(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.Room("scripts", Limits{})
	must(t, err)
	return f, m
}

func TestValuesOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	f, m := openFile(t, path)
	other, err := f.Room("bindings", Limits{})
	must(t, err)
	must(t, m.Set("k", "old", 0))
	must(t, m.Set("k", "v\x00w", 0))
	must(t, m.Set("gone", "v", 0))
	must(t, other.Set("k", "of another room", 0))
	if _, err := m.Incr("n", 2, time.Hour); err != nil {
		t.Fatal(err)
	}
	must(t, f.Close())
	f, m = openFile(t, path)
	wantValue(t, m, "k", "v\x00w")
	wantValue(t, m, "gone", "v")
	wantValue(t, m, "n", "2")
	if _, err := m.Delete("gone"); err != nil {
		t.Fatal(err)
	}
	must(t, f.Close())
	f, m = openFile(t, path)
	defer f.Close()
	wantNone(t, m, "gone")
	wantValue(t, m, "k", "v\x00w")
}

func TestTimeToLiveGoesOnWhileTheProcessIsDown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	synctest.Test(t, func(t *testing.T) {
		f, m := openFile(t, path)
		must(t, m.Set("short", "v", time.Minute))
		must(t, m.Set("long", "v", time.Hour))
		must(t, f.Close())
		time.Sleep(2 * time.Minute)
		f, m = openFile(t, path)
		defer f.Close()
		wantNone(t, m, "short")
		wantValue(t, m, "long", "v")
		time.Sleep(58 * time.Minute)
		wantNone(t, m, "long")
	})
}

func TestWritesComeToTheDiskByThemselves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	synctest.Test(t, func(t *testing.T) {
		f, m := openFile(t, path)
		must(t, m.Set("k", "v", 0))
		time.Sleep(2 * gather)
		synctest.Wait()
		if list := m.changes(); len(list) != 0 {
			t.Errorf("not yet written: %v", list)
		}
		must(t, m.Set("lost", "v", 0))
		must(t, f.db.Close()) // as a crash would
		f.db = nil
		close(f.stop)
		<-f.done
		f, m = openFile(t, path)
		defer f.Close()
		wantValue(t, m, "k", "v")
		wantNone(t, m, "lost")
	})
}

func TestFileIsForOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	f, _ := openFile(t, path)
	defer f.Close()
	if _, err := OpenFile(path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another process has it") {
		t.Errorf("err = %v", err)
	}
}

func TestFileThatIsNoStoreIsRefused(t *testing.T) {
	if _, err := OpenFile(filepath.Join(t.TempDir(), "nothing", "store.db"), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a folder that is not there")
	}
	path := filepath.Join(t.TempDir(), "notes.txt")
	must(t, os.WriteFile(path, bytes.Repeat([]byte("this is no store\n"), 10_000), 0o600))
	if _, err := OpenFile(path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "invalid database") {
		t.Errorf("err = %v", err)
	}
}

// BenchmarkFileSet is a write that is kept, without the wait for the disk.
func BenchmarkFileSet(b *testing.B) {
	f, err := OpenFile(filepath.Join(b.TempDir(), "store.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	m, err := f.Room("scripts", Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		if err := m.Set(fmt.Sprint("key", i%100_000), "value", time.Hour); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	_ = f.Close()
}
