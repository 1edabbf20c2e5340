package store

import (
	"container/heap"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits bound a Memory. A zero field takes its default.
type Limits struct {
	Entries  int // keys; default 1,000,000
	Bytes    int // keys and values with what holding them costs; default 256 MiB
	KeyLen   int // bytes of one key; default 1 KiB
	ValueLen int // bytes of one value; default 64 KiB
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&l.Entries, 1_000_000}, {&l.Bytes, 256 << 20}, {&l.KeyLen, 1 << 10}, {&l.ValueLen, 64 << 10},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return l
}

// entryCost is what an entry takes besides its texts: the struct, its place in
// the map and in the heap.
const entryCost = 160

// sweepPerWrite is how many expired entries one write removes at most. More
// than one, so that a store that is written to always shrinks to what is alive.
const sweepPerWrite = 4

// Memory is a Store inside the process. It needs no goroutine: an expired entry
// is gone for every reader at once, and its memory is given back by the writes
// that follow.
type Memory struct {
	limits Limits

	mu      sync.Mutex // guards what follows
	entries map[string]*entry
	dying   expiries // entries with a ttl, the soonest first
	bytes   int
	dirty   map[string]struct{} // keys that a File has not written yet; nil: nobody keeps it
	touched func()              // called for each of them; does not block
}

type entry struct {
	key, value string
	expires    time.Time // zero: never
	place      int       // in dying; -1: not there
}

// NewMemory returns an empty store.
func NewMemory(l Limits) *Memory {
	return &Memory{limits: l.withDefaults(), entries: make(map[string]*entry)}
}

// Len is the number of entries, expired ones that nobody has met included.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

// Get implements Store.
func (m *Memory) Get(key string) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.alive(key, time.Now())
	if e == nil {
		return "", false, nil
	}
	return e.value, true, nil
}

// Set implements Store.
func (m *Memory) Set(key, value string, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(key, value, ttl, time.Now())
}

// Incr implements Store.
func (m *Memory) Incr(key string, by float64, ttl time.Duration) (float64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	sum := by
	if e := m.alive(key, now); e != nil {
		n, err := strconv.ParseFloat(e.value, 64)
		if err != nil {
			return 0, ErrNotNumber
		}
		sum += n
		ttl = 0
		if !e.expires.IsZero() {
			ttl = e.expires.Sub(now)
		}
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return 0, ErrNotNumber
	}
	return sum, m.write(key, FormatNumber(sum), ttl, now)
}

// CAS implements Store.
func (m *Memory) CAS(key string, old, new *string, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	e := m.alive(key, now)
	switch {
	case (e == nil) != (old == nil):
		return false, nil
	case e != nil && e.value != *old:
		return false, nil
	case new != nil:
		err := m.write(key, *new, ttl, now)
		return err == nil, err
	case e != nil:
		m.remove(e)
	}
	return true, nil
}

// Delete implements Store.
func (m *Memory) Delete(key string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.alive(key, time.Now())
	if e == nil {
		return false, nil
	}
	m.remove(e)
	return true, nil
}

// FormatNumber is the text of a number that Incr understands; whole numbers
// have no exponent, so that other stores can count with them too.
func FormatNumber(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e15 {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatFloat(n, 'g', 17, 64)
}

// alive returns the entry of a key unless it has expired.
func (m *Memory) alive(key string, now time.Time) *entry {
	e := m.entries[key]
	if e == nil {
		return nil
	}
	if !e.expires.IsZero() && !now.Before(e.expires) {
		m.remove(e)
		return nil
	}
	return e
}

func (m *Memory) write(key, value string, ttl time.Duration, now time.Time) error {
	if len(key) > m.limits.KeyLen || len(value) > m.limits.ValueLen {
		return fmt.Errorf("%w: a key may have %d bytes and a value %d", ErrTooLarge, m.limits.KeyLen, m.limits.ValueLen)
	}
	m.sweep(now, sweepPerWrite)
	e, grow := m.entries[key], len(key)+len(value)+entryCost
	if e != nil {
		grow = len(value) - len(e.value)
	}
	if !m.fits(e == nil, grow) {
		m.sweep(now, len(m.dying))
		if e != nil && m.entries[key] == nil { // it had expired itself
			return m.write(key, value, ttl, now)
		}
		if !m.fits(e == nil, grow) {
			return fmt.Errorf("%w: %d entries, %d bytes of at most %d and %d", ErrFull, len(m.entries), m.bytes, m.limits.Entries, m.limits.Bytes)
		}
	}
	if e == nil {
		e = &entry{key: strings.Clone(key), place: -1} // not the datagram that it may be a part of
		m.entries[e.key] = e
	}
	e.value = strings.Clone(value)
	m.bytes += grow
	m.expire(e, ttl, now)
	m.touch(key)
	return nil
}

func (m *Memory) fits(isNew bool, grow int) bool {
	return (!isNew || len(m.entries) < m.limits.Entries) && m.bytes+grow <= m.limits.Bytes
}

func (m *Memory) expire(e *entry, ttl time.Duration, now time.Time) {
	switch {
	case ttl <= 0:
		e.expires = time.Time{}
		if e.place >= 0 {
			heap.Remove(&m.dying, e.place)
		}
	case e.place >= 0:
		e.expires = now.Add(ttl)
		heap.Fix(&m.dying, e.place)
	default:
		e.expires = now.Add(ttl)
		heap.Push(&m.dying, e)
	}
}

func (m *Memory) sweep(now time.Time, most int) {
	for range most {
		if len(m.dying) == 0 || now.Before(m.dying[0].expires) {
			return
		}
		m.remove(m.dying[0])
	}
}

func (m *Memory) remove(e *entry) {
	delete(m.entries, e.key)
	m.touch(e.key)
	m.bytes -= len(e.key) + len(e.value) + entryCost
	if e.place >= 0 {
		heap.Remove(&m.dying, e.place)
	}
}

// expiries is a heap.Interface.
type expiries []*entry

func (x expiries) Len() int           { return len(x) }
func (x expiries) Less(i, j int) bool { return x[i].expires.Before(x[j].expires) }

func (x expiries) Swap(i, j int) {
	x[i], x[j] = x[j], x[i]
	x[i].place, x[j].place = i, j
}

func (x *expiries) Push(v any) {
	e := v.(*entry)
	e.place = len(*x)
	*x = append(*x, e)
}

func (x *expiries) Pop() any {
	last := len(*x) - 1
	e := (*x)[last]
	(*x)[last] = nil
	*x = (*x)[:last]
	e.place = -1
	return e
}
