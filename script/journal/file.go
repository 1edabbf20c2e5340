package journal

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A file is blocks, one behind the other: magic, length and CRC-32 of what
// follows, and entries in JSON, one a line, deflated. Whatever tears a block
// costs that block alone. Files are named by when they were begun.
const (
	magic      = "LWD1"
	headSize   = len(magic) + 8
	suffix     = ".decisions"
	blockSize  = 1 << 20 // bytes of entries in a block
	blockEvery = 5 * time.Second
	maxBlock   = 64 << 20 // bytes that a reader takes for a block
	minSegment = 64 << 10
	segments   = 16 // files that the size is spread over
)

type writer struct {
	cfg    Config
	file   *os.File
	size   int64 // of file
	began  time.Time
	block  bytes.Buffer
	held   int // entries in block
	deflat *flate.Writer
	logged time.Time
}

func newWriter(cfg Config) (*writer, error) {
	if err := os.MkdirAll(cfg.Path, 0o750); err != nil {
		return nil, fmt.Errorf("log of decisions: %w", err)
	}
	w := &writer{cfg: cfg}
	var err error
	if w.deflat, err = flate.NewWriter(nil, flate.BestSpeed); err != nil {
		return nil, err
	}
	if err := w.begin(); err != nil {
		return nil, fmt.Errorf("log of decisions: %w", err)
	}
	return w, nil
}

// run writes what comes until there is no more.
func (w *writer) run(queue <-chan *growing, queued *atomic.Int64, dropped *atomic.Uint64) {
	tick := time.NewTicker(blockEvery)
	defer tick.Stop()
	for {
		select {
		case g, ok := <-queue:
			if !ok {
				w.flush(dropped)
				w.complain(w.file.Close())
				return
			}
			queued.Add(-g.weight())
			if w.add(&g.Entry); w.block.Len() >= blockSize {
				w.flush(dropped)
			}
		case <-tick.C:
			w.flush(dropped)
		}
	}
}

func (w *writer) add(e *Entry) {
	line, err := json.Marshal(e)
	if err != nil {
		w.complain(err)
		return
	}
	w.block.Write(line)
	w.block.WriteByte('\n')
	w.held++
}

// flush writes the block, and begins another file when this one is full.
func (w *writer) flush(dropped *atomic.Uint64) {
	if w.held == 0 {
		return
	}
	if w.file == nil || w.removed() { // nil: the last one could not be begun
		_ = w.file.Close() // nil too: an error, and nothing to close
		w.complain(w.begin())
	}
	if err := w.write(); err != nil {
		dropped.Add(uint64(w.held))
		w.complain(err)
	}
	w.block.Reset()
	w.held = 0
	if w.size >= max(w.cfg.MaxSize/segments, minSegment) || time.Since(w.began) > max(w.cfg.MaxAge/segments, time.Minute) {
		w.complain(w.file.Close())
		w.complain(w.begin())
	}
}

// removed tells whether somebody has deleted the file, such as to make room on a
// full disk: that comes only when it is closed.
func (w *writer) removed() bool {
	_, err := os.Stat(w.file.Name())
	return errors.Is(err, fs.ErrNotExist)
}

func (w *writer) write() error {
	out := bytes.NewBuffer(make([]byte, headSize, headSize+w.block.Len()/4))
	w.deflat.Reset(out)
	if _, err := w.deflat.Write(w.block.Bytes()); err != nil {
		return err
	}
	if err := w.deflat.Close(); err != nil {
		return err
	}
	b := out.Bytes()
	copy(b, magic)
	binary.BigEndian.PutUint32(b[len(magic):], uint32(len(b)-headSize))
	binary.BigEndian.PutUint32(b[len(magic)+4:], crc32.ChecksumIEEE(b[headSize:]))
	n, err := w.file.Write(b)
	w.size += int64(n)
	return err
}

// begin opens a new file, the last by its name even if the clock was set back, and
// removes those that are too many or too old.
func (w *writer) begin() (err error) {
	files, err := list(w.cfg.Path)
	if err != nil {
		w.file = nil
		return err
	}
	w.began, w.size = time.Now(), 0
	name := w.began.UnixNano()
	if len(files) > 0 {
		name = max(name, files[len(files)-1].began.UnixNano()+1)
	}
	path := filepath.Join(w.cfg.Path, strconv.FormatInt(name, 10)+suffix)
	if w.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640); err != nil {
		return err
	}
	return w.trim(files)
}

// trim removes what there is no room for beside the file just begun.
func (w *writer) trim(files []segment) error {
	total := max(w.cfg.MaxSize/segments, minSegment)
	for _, f := range slices.Backward(files) {
		if total += f.size; total > w.cfg.MaxSize || time.Since(f.changed) > w.cfg.MaxAge {
			if err := os.Remove(f.path); err != nil {
				return err
			}
		}
	}
	return nil
}

// complain logs a failure, at most one a minute.
func (w *writer) complain(err error) {
	if err != nil && time.Since(w.logged) > time.Minute {
		w.logged = time.Now()
		w.cfg.Log.Error("the log of decisions can not be written", "err", err, slog.String("source", w.cfg.Path))
	}
}

// segment is one file.
type segment struct {
	path    string
	began   time.Time
	changed time.Time
	size    int64
}

// list is the files of a folder, the oldest first.
func list(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []segment
	for _, e := range entries {
		at, ok := strings.CutSuffix(e.Name(), suffix)
		n, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil {
			continue
		}
		st, err := e.Info()
		if err != nil {
			continue // gone meanwhile
		}
		files = append(files, segment{filepath.Join(dir, e.Name()), time.Unix(0, n), st.ModTime(), st.Size()})
	}
	slices.SortFunc(files, func(a, b segment) int { return a.began.Compare(b.began) })
	return files, nil
}
