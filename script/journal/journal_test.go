package journal

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lib"
)

// fill logs n calls, each with an INVITE of that many bytes, and closes the log.
func fill(t *testing.T, cfg Config, n, size int) {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		call(l, fmt.Sprintf("call%d", i), strings.Repeat("x", size))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l.Dropped() > 0 {
		t.Errorf("%d dropped", l.Dropped())
	}
}

// call tells the log of one call.
func call(l *Log, id, more string) {
	now := time.Now()
	r := &b2bua.Record{ID: id, Started: now, Ended: now, Code: 200}
	invite := &message.Message{Method: "INVITE", URI: "sip:1@b.example", Body: []byte(more)}
	invite.Add("From", "<sip:alice:pass1234@a.example>;tag=1")
	invite.Add("Authorization", `Digest username="alice", response="0123456789abcdef0123456789abcdef"`)
	l.Observe(b2bua.Event{Kind: b2bua.EventBegan, Call: id, At: now, Record: r, Message: invite})
	l.From(id, b2bua.Source{IP: "192.0.2.1", Port: 5060})
	l.Observe(b2bua.Event{Kind: b2bua.EventReceived, Call: id, At: now, Message: invite})
	l.Met(&lib.Question{Kind: "dns", Key: "a b.example", Call: id}, lib.Answer{Value: []any{"192.0.2.2"}}, nil, time.Second)
	l.Observe(b2bua.Event{Kind: b2bua.EventEnded, Call: id, At: now, Record: r})
}

// read gives what is in a log.
func read(t *testing.T, dir string) (ids []string, torn int) {
	t.Helper()
	pieces, err := Read(dir, time.Time{}, time.Now().Add(time.Hour), func(e *Entry) error {
		ids = append(ids, e.Record.ID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range pieces {
		torn += one.Pieces
	}
	return ids, torn
}

func only(t *testing.T, dir string) string {
	t.Helper()
	files, err := list(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	return files[0].path
}

func TestWhatIsLoggedIsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	fill(t, Config{Path: dir, MaxSize: 1 << 20, MaxAge: time.Hour}, 3, 10)
	_, err := Read(dir, time.Time{}, time.Now().Add(time.Hour), func(e *Entry) error {
		switch {
		case e.Source.IP != "192.0.2.1", len(e.Met) != 1, e.Met[0].Key != "a b.example", string(e.Met[0].Value) != `["192.0.2.2"]`:
			t.Errorf("%+v", e)
		case !strings.Contains(e.Invite(), "sip:1@b.example"):
			t.Error(e.Invite())
		case strings.Contains(e.Invite(), "pass1234"), strings.Contains(e.Invite(), "0123456789abcdef"):
			t.Errorf("a secret is logged: %s", e.Invite())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if ids, torn := read(t, dir); len(ids) != 3 || torn != 0 {
		t.Error(ids, torn)
	}
}

func TestATornEndCostsOnlyItself(t *testing.T) {
	dir := t.TempDir()
	fill(t, Config{Path: dir, MaxSize: 1 << 20, MaxAge: time.Hour}, 3, 10)
	path := only(t, dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < len(whole); cut += 29 {
		if err := os.WriteFile(path, append(append([]byte{}, whole...), whole[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		if ids, torn := read(t, dir); len(ids) != 3 || torn != 1 {
			t.Errorf("cut at %d: %v, %d torn", cut, ids, torn)
		}
	}
}

func TestABlockBehindATornOneIsRead(t *testing.T) {
	dir := t.TempDir()
	fill(t, Config{Path: dir, MaxSize: 1 << 20, MaxAge: time.Hour}, 3, 10)
	path := only(t, dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 13 {
		damaged := append([]byte{}, whole...)
		damaged[at] ^= 0x55
		if err := os.WriteFile(path, append(damaged, whole...), 0o600); err != nil {
			t.Fatal(err)
		}
		if ids, torn := read(t, dir); len(ids) != 3 || torn == 0 {
			t.Errorf("damaged at %d: %v, %d torn", at, ids, torn)
		}
	}
}

func TestTheOldestGoesWhenTheLogIsFull(t *testing.T) {
	dir := t.TempDir()
	random := make([]byte, 0, 100_000)
	for i := range cap(random) {
		random = append(random, byte('a'+(i*i*7919>>3)%23))
	}
	for i := range 40 {
		l, err := Open(Config{Path: dir, MaxSize: 1 << 20, MaxAge: time.Hour, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		call(l, fmt.Sprint("call", i), string(random))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	files, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		size += f.size
	}
	ids, _ := read(t, dir)
	if size > 1<<20 || len(ids) == 0 || ids[len(ids)-1] != "call39" {
		t.Errorf("%d bytes, %v", size, ids)
	}
}

func TestWhatNobodyTakesIsDroppedAndCounted(t *testing.T) {
	l := &Log{queue: make(chan *growing, 1), calls: map[string]*growing{}}
	for i := range 3 {
		call(l, fmt.Sprint(i), "")
	}
	if l.Dropped() != 2 {
		t.Errorf("%d dropped", l.Dropped())
	}
}

func TestACallDrawsItsOwnNumbers(t *testing.T) {
	l, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	draw := func(call string, seed []byte) (uint64, float64) {
		l.Observe(b2bua.Event{Kind: b2bua.EventBegan, Call: call, Record: &b2bua.Record{}})
		if seed != nil {
			l.Seeded(call, seed)
		}
		return l.Draws(call).Uint64(), l.Dice(call)()
	}
	a, x := draw("a", nil)
	b, y := draw("b", nil)
	if a == b || x == y {
		t.Error("two calls draw the same")
	}
	c, z := draw("c", l.calls["a"].draws.seed)
	if c != a || z != x {
		t.Error("the same seed draws something else")
	}
}

func FuzzReadTakesAnyBytes(f *testing.F) {
	f.Add([]byte(magic + "\x00\x00\x00\x01\x00\x00\x00\x00x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "1"+suffix), b, 0o600); err != nil {
			t.Fatal(err)
		}
		read(t, dir)
	})
}

func TestAnEntryWithLegsThatNoCallHasIsLeftOut(t *testing.T) {
	for _, leg := range []int{-1, 1 << 40} {
		dir := t.TempDir()
		l, err := Open(Config{Path: dir, MaxSize: 1 << 20, MaxAge: time.Hour, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		l.queue <- &growing{Entry: Entry{Record: &b2bua.Record{ID: "bad", Started: now, Ended: now}, Steps: []Step{{Leg: leg, Remote: "192.0.2.1:5060"}}}}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if ids, torn := read(t, dir); len(ids) != 0 || torn != 1 {
			t.Errorf("leg %d: %q is read, %d torn", leg, ids, torn)
		}
	}
}

func TestWhatWaitsToBeWrittenIsBoundedInBytes(t *testing.T) {
	l, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	l.queue = make(chan *growing, maxWaiting) // of a writer that does not come to it
	const each = maxBytes
	for i := range 2 * maxQueued / each {
		id := fmt.Sprint("call", i)
		l.calls[id] = &growing{Entry: Entry{Source: Source{IP: "192.0.2.1"}}, size: each}
		l.Observe(b2bua.Event{Kind: b2bua.EventEnded, Call: id, Record: &b2bua.Record{ID: id}})
	}
	if n := int64(len(l.queue)) * each; n > maxQueued || n < maxQueued/2 || l.Dropped() == 0 {
		t.Errorf("%d bytes wait, %d calls are dropped", n, l.Dropped())
	}
}

func TestALogGoesOnWhenItsFolderIsBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	w, err := newWriter(Config{Path: dir, MaxSize: 1, MaxAge: time.Hour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var dropped atomic.Uint64
	now := time.Now()
	for i, prepare := range []func() error{
		func() error { return os.RemoveAll(dir) },
		func() error { return os.Mkdir(dir, 0o750) },
	} {
		if err := prepare(); err != nil {
			t.Fatal(err)
		}
		w.began = time.Time{} // each block asks for a file of its own
		w.add(&Entry{Record: &b2bua.Record{ID: fmt.Sprint(i), Started: now, Ended: now}})
		w.flush(&dropped)
	}
	if ids, _ := read(t, dir); len(ids) != 1 || ids[0] != "1" {
		t.Error(ids)
	}
}

func TestAFileThatIsDeletedIsLetGoOf(t *testing.T) {
	dir := t.TempDir()
	w, err := newWriter(Config{Path: dir, MaxSize: 1 << 30, MaxAge: time.Hour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var dropped atomic.Uint64
	now, first := time.Now(), w.file
	for _, id := range []string{"gone", "kept", "kept too"} {
		w.add(&Entry{Record: &b2bua.Record{ID: id, Started: now, Ended: now}})
		w.flush(&dropped)
		if id == "gone" {
			if err := os.Remove(only(t, dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if ids, _ := read(t, dir); fmt.Sprint(ids) != "[kept kept too]" || dropped.Load() != 0 {
		t.Errorf("%v, %d dropped", ids, dropped.Load())
	}
	if _, err := first.Stat(); err == nil {
		t.Error("the deleted file is open: its room on the disk stays taken")
	}
	only(t, dir)
}

func TestAClockThatIsSetBackTakesNoNewerFile(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Path: dir, MaxSize: 2 * minSegment, MaxAge: time.Hour, Log: slog.New(slog.DiscardHandler)}
	ahead := time.Now().Add(time.Hour).UnixNano()
	for i := range 2 { // before the clock was set
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(ahead+int64(i))+suffix), make([]byte, minSegment), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		fill(t, cfg, 1, 10)
	}
	if ids, _ := read(t, dir); len(ids) != 2 {
		t.Errorf("the newest went for older ones: %v", ids)
	}
}

func TestACallThatLooksUpWithoutEndIsCut(t *testing.T) {
	var kept []*Entry
	l, err := Open(Config{Keep: func(e *Entry) { kept = append(kept, e) }})
	if err != nil {
		t.Fatal(err)
	}
	for id, body := range map[string]int{"many": 1, "long": maxBytes / 10} {
		r := &b2bua.Record{ID: id, Started: time.Now()}
		l.Observe(b2bua.Event{Kind: b2bua.EventBegan, Call: id, Record: r})
		l.From(id, b2bua.Source{IP: "192.0.2.1"})
		for range maxMet + 1 {
			l.Met(&lib.Question{Kind: "http", Key: "GET /", Call: id}, lib.Answer{Status: 200, Body: make([]byte, body)}, nil, 0)
		}
		l.Observe(b2bua.Event{Kind: b2bua.EventEnded, Call: id, Record: r})
	}
	for _, e := range kept {
		if want := map[string]int{"many": maxMet, "long": 9}[e.Record.ID]; !e.Cut || len(e.Met) != want {
			t.Errorf("%s: %d answers are kept, want %d", e.Record.ID, len(e.Met), want)
		}
	}
}

func TestAFullFileIsFollowedByAnother(t *testing.T) {
	dir := t.TempDir()
	w, err := newWriter(Config{Path: dir, MaxSize: 1 << 20, MaxAge: time.Hour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var dropped atomic.Uint64
	now := time.Now()
	for range 2 {
		w.size = minSegment // as if so much had been written
		w.add(&Entry{Record: &b2bua.Record{ID: "a", Started: now, Ended: now}})
		w.flush(&dropped)
	}
	if files, err := list(dir); err != nil || len(files) != 3 {
		t.Errorf("%d files, %v", len(files), err)
	}
}
