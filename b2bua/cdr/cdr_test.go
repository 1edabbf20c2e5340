package cdr

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua"
)

func ended(id string) b2bua.Event {
	return b2bua.Event{Call: id, Kind: b2bua.EventEnded, Record: &b2bua.Record{
		ID: id, Code: 200, HungUpBy: "caller", Script: "main.lua@1a2b3c4d",
		Attempts: []b2bua.Attempt{{Target: "sip:192.0.2.5", Code: 503, Origin: b2bua.OriginPeer}, {Target: "sip:192.0.2.6", Code: 200}},
	}}
}

// disk is a file that can be full or slow.
type disk struct {
	mu      sync.Mutex // guards all below
	written bytes.Buffer
	room    int // bytes it still takes; negative: no end
	gate    chan struct{}
	closed  int
}

func (d *disk) Write(b []byte) (int, error) {
	if d.gate != nil {
		<-d.gate
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room >= 0 && len(b) > d.room {
		n := d.room
		d.written.Write(b[:n])
		d.room = 0
		return n, errors.New("no space left on device")
	}
	d.room -= min(len(b), max(d.room, 0))
	d.written.Write(b)
	return len(b), nil
}

func (d *disk) Close() error {
	d.closed++
	return nil
}

func (d *disk) give(room int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = room
}

func (d *disk) ids(t *testing.T) string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	return ids(t, d.written.String())
}

func ids(t *testing.T, text string) string {
	t.Helper()
	var ids []string
	for line := range strings.Lines(text) {
		var r b2bua.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		ids = append(ids, r.ID)
	}
	return strings.Join(ids, " ")
}

func TestADeletedFileIsMadeAnewAndAMissingFolderIsWaitedFor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("nothing tells here that a file was deleted")
	}
	folder := filepath.Join(t.TempDir(), "records")
	path := filepath.Join(folder, "cdr.jsonl")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w, err := New(Config{Path: path, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		w.Observe(ended("a"))
		synctest.Wait()
		for _, gone := range []func() error{
			func() error { return os.Remove(path) }, func() error { return os.RemoveAll(folder) },
		} {
			if err := gone(); err != nil {
				t.Fatal(err)
			}
			w.Observe(ended("b"))
			time.Sleep(2 * time.Second)
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		w.Observe(ended("c"))
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		text, err := os.ReadFile(path)
		if got := ids(t, string(text)); err != nil || got != "b c" || w.Dropped() != 0 {
			t.Errorf("%q, %d dropped, %v", got, w.Dropped(), err)
		}
	})
}

func TestAPipeThatNobodyReadsDoesNotKeepTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: -1, gate: make(chan struct{})}
		w := writer(t, d, 4, io.Discard)
		w.Observe(ended("a"))
		synctest.Wait() // the writer hangs in the file
		if err := w.Reopen(); err == nil {
			t.Error("reopened")
		}
		if err := w.Close(); err == nil {
			t.Error("closed")
		}
		close(d.gate)
		<-w.ended
	})
}

func writer(t *testing.T, d *disk, queue int, log io.Writer) *Writer {
	t.Helper()
	w, err := New(Config{Queue: queue, Log: slog.New(slog.NewTextHandler(log, nil)), Open: func() (io.WriteCloser, error) { return d, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEachFinishedCallIsOneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdr.jsonl")
	w, err := New(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	w.Observe(b2bua.Event{Call: "a", Kind: b2bua.EventBegan})
	w.Observe(ended("a"))
	w.Observe(b2bua.Event{Call: "b", Kind: b2bua.EventEnded})
	w.Observe(ended("b"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(t, string(text)); got != "a b" {
		t.Error("got", got)
	}
	for _, want := range []string{`"hung_up_by":"caller"`, `"script":"main.lua@1a2b3c4d"`, `"origin":"peer"`, `"target":"sip:192.0.2.6"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

func TestARotatedFileIsLeftBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdr.jsonl")
	w, err := New(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	w.Observe(ended("a"))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := w.Reopen(); err != nil {
		t.Fatal(err)
	}
	w.Observe(ended("b"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path + ".1": "a", path: "b"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(t, string(text)); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	if w.Reopen() == nil {
		t.Error("a closed writer was reopened")
	}
}

func TestASlowFileDropsRecordsAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: -1, gate: make(chan struct{})}
		w := writer(t, d, 4, io.Discard)
		w.Observe(ended("first"))
		synctest.Wait() // the writer hangs in the file
		for i := range 10 {
			w.Observe(ended(strconv.Itoa(i)))
		}
		if got := w.Dropped(); got != 6 {
			t.Error("dropped", got, "want 6")
		}
		close(d.gate)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if got := d.ids(t); got != "first 0 1 2 3" {
			t.Error("got", got)
		}
		w.Observe(ended("late"))
		if got := w.Dropped(); got != 7 {
			t.Error("a record after Close was not counted:", got)
		}
	})
}

func TestAFullDiskIsLoggedOnceAMinuteAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := &disk{room: 100}
		w := writer(t, d, 100, &log)
		for i := range 90 { // one and a half minutes
			w.Observe(ended(strconv.Itoa(i)))
			time.Sleep(time.Second)
		}
		d.give(-1)
		time.Sleep(2 * time.Second)
		if n := len(strings.Fields(d.ids(t))); n != 90 {
			t.Error("nobody tried again:", n, "lines")
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "no space left"); n != 2 {
			t.Errorf("logged %d times:\n%s", n, &log)
		}
		if got := strings.Fields(d.ids(t)); len(got) != 90 || w.Dropped() != 0 || d.closed != 1 {
			t.Error(len(got), "lines,", w.Dropped(), "dropped, closed", d.closed, "times")
		}
	})
}

func TestADiskThatStaysFullCostsBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		w := writer(t, d, 10, io.Discard)
		big := ended("big")
		big.Record.Notes = []string{strings.Repeat("x", 1<<20)}
		for range 8 {
			w.Observe(big)
			synctest.Wait()
		}
		if got := w.Dropped(); got != 5 {
			t.Error("dropped", got, "of 8; three fit into", maxPending)
		}
		if w.Close() == nil {
			t.Error("Close hides that records were lost")
		}
		if got := w.Dropped(); got != 8 {
			t.Error("dropped", got, "want 8")
		}
	})
}

func TestATornLineIsNotFinishedInAnotherFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full, fresh := &disk{room: 20}, &disk{room: -1}
		files := []io.WriteCloser{full, fresh}
		w, err := New(Config{Path: "cdr", Log: slog.New(slog.DiscardHandler), Open: func() (io.WriteCloser, error) {
			if len(files) == 0 {
				return nil, errors.New("no such folder")
			}
			f := files[0]
			files = files[1:]
			return f, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.Observe(ended("torn"))
		w.Observe(ended("whole"))
		synctest.Wait()
		if err := w.Reopen(); err != nil {
			t.Fatal(err)
		}
		if err := w.Reopen(); err == nil || fresh.closed != 0 {
			t.Error("a file that can't be replaced was given up:", err)
		}
		w.Observe(ended("next"))
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if got := fresh.ids(t); got != "whole next" || w.Dropped() != 1 {
			t.Error("got", got, "and dropped", w.Dropped())
		}
	})
}

func TestFieldsWithoutJSONDoNotCostTheRecord(t *testing.T) {
	d := &disk{room: -1}
	w := writer(t, d, 10, io.Discard)
	ev := ended("odd")
	ev.Record.Fields = map[string]any{"n": math.NaN()}
	w.Observe(ev)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := d.ids(t); got != "odd" || !strings.Contains(d.written.String(), "fields left out") {
		t.Error("got", d.written.String())
	}
	if ev.Record.Fields == nil {
		t.Error("the call's own record was changed")
	}
}

func TestAPathThatCannotBeOpenedIsAnError(t *testing.T) {
	if _, err := New(Config{Path: filepath.Join(t.TempDir(), "no", "cdr.jsonl")}); err == nil {
		t.Error("opened a file in a folder that does not exist")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("opened a file without a path")
	}
}

func TestObserversMayComeFromManyCalls(t *testing.T) {
	d := &disk{room: -1}
	w := writer(t, d, 1000, io.Discard)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { w.Observe(ended(strconv.Itoa(i))) })
	}
	all.Wait()
	if err := errors.Join(w.Reopen(), w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	if n := len(strings.Fields(d.ids(t))); n != 50 {
		t.Error(n, "lines")
	}
}

func BenchmarkObserve(b *testing.B) {
	w, err := New(Config{Path: filepath.Join(b.TempDir(), "cdr.jsonl"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ev := ended("a")
	for b.Loop() {
		w.Observe(ev)
	}
	if err := w.Close(); err != nil {
		b.Error(err)
	}
}
