package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// gather is how long writes are gathered before they are brought to the disk
// together: what a crash can lose.
const gather = 50 * time.Millisecond

// File keeps Stores in a file of one process, so that they outlive it. All
// values are in memory too: nobody waits for the disk. Close brings the last
// writes there; a crash loses those of the last moment.
//
// What becomes of the file meanwhile is no more than a reason to make it anew:
// see anew.go.
type File struct {
	path   string
	log    *slog.Logger
	broken bool          // belongs to the writer, and to Close when that has ended
	wake   chan struct{} // holds a token while there is something to write
	stop   chan struct{}
	done   chan struct{} // closed when the writer has ended

	mu    sync.Mutex // guards what follows
	db    *bbolt.DB
	file  *os.File // that db reads and writes
	rooms []room

	unread bool // a room could not be read: the file stays as it is
}

type room struct {
	name   []byte
	memory *Memory
}

// OpenFile opens the file, or makes it. log hears of writes that fail.
func OpenFile(path string, log *slog.Logger) (*File, error) {
	f := &File{path: path, log: log, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	go f.write()
	return f, nil
}

// Room is the Store of this name in the file, with what was written to it
// before.
func (f *File) Room(name string, l Limits) (*Memory, error) {
	m := NewMemory(l)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := readable(func() error { return f.load([]byte(name), m) }); err != nil {
		f.unread = true
		return nil, fmt.Errorf("store %s: %w%s", f.path, err, cure)
	}
	m.dirty, m.touched = map[string]struct{}{}, f.touched
	f.rooms = append(f.rooms, room{[]byte(name), m})
	return m, nil
}

func (f *File) load(name []byte, m *Memory) error {
	now := time.Now()
	return f.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(name)
		if err != nil {
			return err
		}
		return b.ForEach(func(key, kept []byte) error {
			value, expires, ok := unpack(kept)
			if !ok || !expires.IsZero() && !now.Before(expires) {
				return nil
			}
			ttl := time.Duration(0)
			if !expires.IsZero() {
				ttl = expires.Sub(now)
			}
			return m.write(string(key), value, ttl, now)
		})
	})
}

// touched never blocks: it is called by whoever writes to a room.
func (f *File) touched() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// write brings writes to the disk until stop.
func (f *File) write() {
	defer close(f.done)
	for {
		select {
		case <-f.stop:
			return
		case <-f.wake:
		}
		pause := time.NewTimer(gather)
		select {
		case <-f.stop:
			pause.Stop()
			return
		case <-pause.C:
		}
		if err := f.bring(); err != nil {
			f.log.Error("the store can not be written; it is tried again", "err", err)
			f.retry()
		}
	}
}

// retry waits a while, or for the end.
func (f *File) retry() {
	pause := time.NewTimer(5 * time.Second)
	defer pause.Stop()
	select {
	case <-f.stop:
	case <-pause.C:
		f.touched()
	}
}

// Close brings the last writes to the disk. The rooms stay as they are, in
// memory alone. A file that could not be read is not written.
func (f *File) Close() error {
	close(f.stop)
	<-f.done
	if f.unread {
		return f.file.Close()
	}
	err := f.bring()
	if f.broken { // only now
		err = f.bring()
	}
	return errors.Join(err, f.shut())
}

func (f *File) flush() error {
	f.mu.Lock()
	db, rooms := f.db, slices.Clone(f.rooms)
	f.mu.Unlock()
	for _, r := range rooms {
		changes := r.memory.changes()
		if len(changes) == 0 {
			continue
		}
		err := db.Update(func(tx *bbolt.Tx) error { return apply(tx.Bucket(r.name), changes) })
		if err != nil {
			r.memory.again(changes)
			return err
		}
	}
	return nil
}

func apply(b *bbolt.Bucket, changes []change) error {
	for _, c := range changes {
		var err error
		if c.gone {
			err = b.Delete([]byte(c.key))
		} else {
			err = b.Put([]byte(c.key), pack(c.value, c.expires))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A change is what became of a key since it was last brought to the disk.
type change struct {
	key, value string
	expires    time.Time
	gone       bool
}

// changes are those since the last time, in the order of keys, which is the
// file's.
func (m *Memory) changes() []change {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]change, 0, len(m.dirty))
	for key := range m.dirty {
		c := change{key: key, gone: true}
		if e := m.entries[key]; e != nil {
			c = change{key: key, value: e.value, expires: e.expires}
		}
		list = append(list, c)
	}
	clear(m.dirty)
	slices.SortFunc(list, func(a, b change) int { return strings.Compare(a.key, b.key) })
	return list
}

// again takes back changes that could not be written.
func (m *Memory) again(list []change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range list {
		m.dirty[c.key] = struct{}{}
	}
}

// touch notes that a key is another now.
func (m *Memory) touch(key string) {
	if m.dirty != nil {
		m.dirty[key] = struct{}{}
		m.touched()
	}
}

// pack is 8 bytes of when it expires, in nanoseconds since 1970 or 0, and the
// value.
func pack(value string, expires time.Time) []byte {
	at := uint64(0)
	if !expires.IsZero() {
		at = uint64(expires.UnixNano())
	}
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(value)), at), value...)
}

func unpack(kept []byte) (value string, expires time.Time, ok bool) {
	if len(kept) < 8 {
		return "", time.Time{}, false
	}
	if at := binary.BigEndian.Uint64(kept); at != 0 {
		expires = time.Unix(0, int64(at))
	}
	return string(kept[8:]), expires, true
}
