package lib

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"sync"
)

const (
	maxTableBytes = 256 << 20 // one file, and all files of a generation
	maxTableKey   = 64        // bytes of a key; a longer number is searched by its beginning
	maxColumns    = 64
	maxTables     = 100
)

// A Table is a CSV file with a header, found by its first column. It keeps the
// text as it is, and beside it where each row begins and a hash of its key: about
// 4 + 8..16 bytes a row. It does not change, so all VMs share it.
type Table struct {
	columns []string
	text    []byte
	rows    []uint32 // where each row begins in text
	slots   []slot   // open addressing, a power of two, at most 3/4 full
	lengths uint64   // bit n-1: some key has n bytes
}

// A slot is a row's number + 1 and the half of its key's hash that does not
// choose the slot, so that a miss costs one look at memory.
type slot struct{ row, tag uint32 }

// ParseTable reads a table. Fields are separated by commas and may be quoted, with
// quotes doubled inside (RFC 4180), but a row is one line. Empty lines and lines
// that begin with # are passed over. The text must not be changed afterwards.
func ParseTable(text []byte) (*Table, error) {
	if len(text) > maxTableBytes {
		return nil, fmt.Errorf("a table may have %d MiB", maxTableBytes>>20)
	}
	t := &Table{text: text}
	at := len(text) - len(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	for line := 1; at < len(text); line++ {
		row, next := lineAt(text, at)
		if len(bytes.TrimSpace(row)) > 0 && row[0] != '#' {
			if err := t.read(row, at); err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
		}
		at = next
	}
	if t.columns == nil {
		return nil, errors.New("a table needs a header line with the names of its columns")
	}
	return t, t.index()
}

// lineAt is the line that begins there, without its end, and where the next begins.
func lineAt(text []byte, at int) (line []byte, next int) {
	end := bytes.IndexByte(text[at:], '\n')
	if end < 0 {
		return bytes.TrimSuffix(text[at:], []byte("\r")), len(text)
	}
	return bytes.TrimSuffix(text[at:at+end], []byte("\r")), at + end + 1
}

func (t *Table) read(row []byte, at int) error {
	if t.columns == nil {
		return t.header(row)
	}
	n := 0
	for rest := row; rest != nil; n++ {
		field, after, err := cutField(rest)
		if err != nil {
			return err
		}
		if n == 0 {
			if key := bareKey(field); len(key) == 0 || len(key) > maxTableKey {
				return fmt.Errorf("the key in the first column must have 1 to %d bytes", maxTableKey)
			}
		}
		rest = after
	}
	if n != len(t.columns) {
		return fmt.Errorf("%d fields, but the header has %d", n, len(t.columns))
	}
	t.rows = append(t.rows, uint32(at))
	return nil
}

func (t *Table) header(row []byte) error {
	for rest := row; rest != nil; {
		field, after, err := cutField(rest)
		if err != nil {
			return err
		}
		name := strings.TrimSpace(string(field))
		if name == "" || len(t.columns) == maxColumns {
			return fmt.Errorf("a header has 1 to %d columns, each with a name", maxColumns)
		}
		for _, other := range t.columns {
			if other == name {
				return fmt.Errorf("two columns are called %q", name)
			}
		}
		t.columns = append(t.columns, name)
		rest = after
	}
	return nil
}

// cutField takes the first field off a row; rest is nil after the last one.
func cutField(row []byte) (field, rest []byte, err error) {
	if len(row) > 0 && row[0] == '"' {
		return cutQuoted(row)
	}
	field, rest, more := bytes.Cut(row, []byte(","))
	if bytes.IndexByte(field, '"') >= 0 {
		return nil, nil, errors.New(`a quote inside a field: write "a ""b"" c"`)
	}
	if !more {
		rest = nil
	}
	return field, rest, nil
}

func cutQuoted(row []byte) (field, rest []byte, err error) {
	doubled := false
	for i := 1; i < len(row); i++ {
		switch {
		case row[i] != '"':
		case i+1 < len(row) && row[i+1] == '"':
			doubled = true
			i++
		default:
			field = row[1:i]
			if doubled {
				field = bytes.ReplaceAll(field, []byte(`""`), []byte(`"`))
			}
			switch {
			case i+1 == len(row):
				return field, nil, nil
			case row[i+1] == ',':
				return field, row[i+2:], nil
			}
			return nil, nil, errors.New("text after a closing quote")
		}
	}
	return nil, nil, errors.New("a quote is not closed on its line")
}

// bareKey is a key as it is compared: "+49" and "49" are the same.
func bareKey(field []byte) []byte { return bytes.TrimLeft(field, "+") }

func (t *Table) key(row uint32) []byte {
	line, _ := lineAt(t.text, int(t.rows[row]))
	field, _, _ := cutField(line) // it was read once without an error
	return bareKey(field)
}

func (t *Table) index() error {
	size := 1 << bits.Len(uint(len(t.rows)*4/3))
	t.slots = make([]slot, size)
	for i := range t.rows {
		key := t.key(uint32(i))
		h := newKeyHash()
		for _, c := range key {
			h = h.add(c)
		}
		other, place := t.find(h, key)
		if place < 0 {
			return fmt.Errorf("line %d: key %q is there twice, first in line %d", t.line(i), key, t.line(int(other)))
		}
		t.slots[place] = slot{row: uint32(i) + 1, tag: h.tag()}
		t.lengths |= 1 << (len(key) - 1)
	}
	return nil
}

func (t *Table) line(row int) int { return 1 + bytes.Count(t.text[:t.rows[row]], []byte("\n")) }

// find returns the row with the key, or the slot where it would be.
func (t *Table) find(h keyHash, key []byte) (row uint32, place int) {
	mask := len(t.slots) - 1
	for place = int(h.mixed()) & mask; ; place = (place + 1) & mask {
		s := t.slots[place]
		if s.row == 0 {
			return 0, place
		}
		if s.tag == h.tag() && bytes.Equal(t.key(s.row-1), key) {
			return s.row - 1, -1
		}
	}
}

// Get returns the number of the row whose key is exactly this.
func (t *Table) Get(key string) (row int, ok bool) {
	key = strings.TrimLeft(key, "+")
	if len(key) == 0 || len(key) > maxTableKey || t.lengths&(1<<(len(key)-1)) == 0 {
		return 0, false
	}
	h := newKeyHash()
	for i := range len(key) {
		h = h.add(key[i])
	}
	found, place := t.find(h, []byte(key))
	return int(found), place < 0
}

// Longest returns the number of the row whose key is the longest beginning of
// the number.
func (t *Table) Longest(number string) (row int, ok bool) {
	number = strings.TrimLeft(number, "+")
	number = number[:min(len(number), maxTableKey)]
	var hashes [maxTableKey]keyHash
	h := newKeyHash()
	for i := range len(number) {
		h = h.add(number[i])
		hashes[i] = h
	}
	digits := []byte(number)
	for n := len(number); n > 0; n-- {
		if t.lengths&(1<<(n-1)) == 0 {
			continue
		}
		if found, place := t.find(hashes[n-1], digits[:n]); place < 0 {
			return int(found), true
		}
	}
	return 0, false
}

// Row calls each with the columns of a row, in their order.
func (t *Table) Row(row int, each func(column, value string)) {
	rest, _ := lineAt(t.text, int(t.rows[row]))
	for _, column := range t.columns {
		var field []byte
		field, rest, _ = cutField(rest)
		each(column, string(field))
	}
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// A keyHash is FNV-1a. Keys come from the operator's own file, so nobody can
// choose them to collide.
type keyHash uint64

func newKeyHash() keyHash { return 14695981039346656037 }

func (h keyHash) add(c byte) keyHash { return (h ^ keyHash(c)) * 1099511628211 }
func (h keyHash) mixed() uint32      { return uint32(h ^ h>>32 ^ h>>17) }
func (h keyHash) tag() uint32        { return uint32(h >> 32) }

// Tables are the CSV files of one generation of scripts, each read once. Make
// one for each generation.
type Tables struct {
	open func(name string) ([]byte, error)

	mu    sync.Mutex // guards what follows; a file is parsed under it, so that two VMs do not do it twice
	known map[string]*Table
	bytes int
}

// NewTables reads files with open, which decides which there are.
func NewTables(open func(name string) ([]byte, error)) *Tables {
	return &Tables{open: open, known: make(map[string]*Table)}
}

// Load returns the table in the file.
func (ts *Tables) Load(name string) (*Table, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t := ts.known[name]; t != nil {
		return t, nil
	}
	if len(ts.known) >= maxTables {
		return nil, fmt.Errorf("more than %d tables", maxTables)
	}
	text, err := ts.open(name)
	if err != nil {
		return nil, err
	}
	if ts.bytes += len(text); ts.bytes > maxTableBytes {
		ts.bytes -= len(text)
		return nil, fmt.Errorf("tables have more than %d MiB together", maxTableBytes>>20)
	}
	t, err := ParseTable(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ts.known[name] = t
	return t, nil
}
