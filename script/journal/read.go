package journal

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// maxLine bounds one entry in a file.
const maxLine = 16 << 20

// Torn is a file, and how many pieces of it are not what was written.
type Torn struct {
	File   string
	Pieces int
}

// Read gives every entry of a folder that is of a call which began or ended
// between since and until, in the order they were written. torn are files of
// which not all could be read. An error of each ends it.
func Read(dir string, since, until time.Time, each func(*Entry) error) (torn []Torn, err error) {
	files, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("log of decisions: %w", err)
	}
	for _, f := range files {
		if f.changed.Before(since) {
			continue
		}
		t, err := readFile(f.path, func(e *Entry) error {
			if e.Record == nil || e.Record.Ended.Before(since) || !e.Began().Before(until) {
				return nil
			}
			return each(e)
		})
		if t > 0 {
			torn = append(torn, Torn{filepath.Base(f.path), t})
		}
		if err != nil {
			return torn, err
		}
	}
	return torn, nil
}

func readFile(path string, each func(*Entry) error) (torn int, err error) {
	all, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for len(all) > 0 {
		block, rest, ok := cut(all)
		if ok {
			ok, err = unfold(block, each)
			if err != nil {
				return torn, err
			}
		}
		if !ok { // what is behind may be whole
			torn++
			at := bytes.Index(all[1:], []byte(magic))
			if at < 0 {
				return torn, nil
			}
			rest = all[1+at:]
		}
		all = rest
	}
	return torn, nil
}

// cut takes the first block; false when it is not whole.
func cut(b []byte) (block, rest []byte, ok bool) {
	if len(b) < headSize || string(b[:len(magic)]) != magic {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint32(b[len(magic):]))
	if n > maxBlock || len(b) < headSize+n {
		return nil, nil, false
	}
	block = b[headSize : headSize+n]
	return block, b[headSize+n:], crc32.ChecksumIEEE(block) == binary.BigEndian.Uint32(b[len(magic)+4:])
}

// unfold gives the entries of a block; false when it is none.
func unfold(block []byte, each func(*Entry) error) (ok bool, err error) {
	r := flate.NewReader(bytes.NewReader(block))
	lines := bufio.NewScanner(io.LimitReader(r, maxBlock))
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		e := &Entry{}
		if json.Unmarshal(lines.Bytes(), e) != nil || !e.sound() {
			return false, nil
		}
		if err := each(e); err != nil {
			return true, err
		}
	}
	return lines.Err() == nil, nil
}

// sound tells whether an entry can be one of ours: whoever reads it counts on its
// legs.
func (e *Entry) sound() bool {
	return !slices.ContainsFunc(e.Steps, func(s Step) bool { return s.Leg < 0 || s.Leg > maxLeg })
}
