// Package cdr writes one JSON line for every finished call. It is an observer:
// a call never waits for it, and when the file can't keep up records are
// dropped and counted.
//
// It does not know how a record comes about. Start with New and Observe; the
// file's side is in sink.go.
package cdr

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

// stuckLimit is how long the file is waited for where somebody waits for us.
const stuckLimit = 10 * time.Second

var errStuck = errors.New("cdr: the file takes nothing, such as a pipe that nobody reads or a dead network file system")

// Config is what a Writer needs.
type Config struct {
	Path  string       // file to append to, made when it is missing
	Queue int          // records that may wait; 0: 8192
	Log   *slog.Logger // nil: slog.Default
	// Open takes the place of opening Path; it is called again by Reopen.
	Open func() (io.WriteCloser, error)
}

// Writer appends records to a file. One goroutine writes; Close ends it.
type Writer struct {
	queue   chan *b2bua.Record
	reopen  chan chan error
	done    chan struct{} // closed by Close
	ended   chan struct{} // closed when all is written
	once    sync.Once
	dropped atomic.Uint64
	sink    sink // belongs to the goroutine
}

// New opens the file and starts the writer.
func New(c Config) (*Writer, error) {
	if c.Open == nil {
		if c.Path == "" {
			return nil, errors.New("cdr: no path")
		}
		c.Open = func() (io.WriteCloser, error) {
			return os.OpenFile(c.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		}
	}
	if c.Queue <= 0 {
		c.Queue = 8192
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	w := &Writer{
		queue:  make(chan *b2bua.Record, c.Queue),
		reopen: make(chan chan error),
		done:   make(chan struct{}),
		ended:  make(chan struct{}),
	}
	w.sink = sink{open: c.Open, log: c.Log, path: c.Path, dropped: &w.dropped}
	if err := w.sink.renew(); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// Observe takes the record of a call that is over; it does not wait.
func (w *Writer) Observe(ev b2bua.Event) {
	if ev.Kind != b2bua.EventEnded || ev.Record == nil {
		return
	}
	select {
	case <-w.done:
		w.dropped.Add(1)
		return
	default:
	}
	record := *ev.Record
	select {
	case w.queue <- &record:
	default:
		w.dropped.Add(1)
	}
}

// Dropped counts the records that were lost because the queue was full, the
// file failed for too long or the writer was closed.
func (w *Writer) Dropped() uint64 { return w.dropped.Load() }

// Reopen closes the file and opens its path again, after it was rotated. What
// was observed before goes to the old file. When the new one can't be opened
// the old one stays.
func (w *Writer) Reopen() error {
	answer, late := make(chan error, 1), time.After(stuckLimit)
	select {
	case w.reopen <- answer:
	case <-w.done:
		return errors.New("cdr: closed")
	case <-late:
		return errStuck
	}
	select {
	case err := <-answer:
		return err
	case <-late:
		return errStuck
	}
}

// Close writes what waits and closes the file. One that does not take it in time
// does not keep the process.
func (w *Writer) Close() error {
	w.once.Do(func() { close(w.done) })
	select {
	case <-w.ended:
		return w.sink.err
	case <-time.After(stuckLimit):
		return errStuck
	}
}

// run writes until Close. While the file fails it tries again each second.
func (w *Writer) run() {
	defer close(w.ended)
	for {
		var again <-chan time.Time
		if len(w.sink.pending) > 0 {
			again = time.After(time.Second)
		}
		select {
		case r := <-w.queue:
			w.batch(r)
		case answer := <-w.reopen:
			w.drain()
			answer <- w.sink.renew()
		case <-again:
			w.sink.flush()
		case <-w.done:
			w.drain()
			w.sink.close()
			return
		}
	}
}

// batch writes a record and those behind it at once.
func (w *Writer) batch(first *b2bua.Record) {
	w.add(first)
	for len(w.sink.pending) < batchSize {
		select {
		case r := <-w.queue:
			w.add(r)
			continue
		default:
		}
		break
	}
	w.sink.flush()
}

// drain writes all that waits now.
func (w *Writer) drain() {
	for range len(w.queue) {
		w.add(<-w.queue)
	}
	w.sink.flush()
}

// add puts a record's line behind those that wait. Fields come from scripts:
// when one of them has no JSON form, the line goes without them.
func (w *Writer) add(r *b2bua.Record) {
	line, err := json.Marshal(r)
	if err != nil {
		r.Fields = nil
		r.Notes = append(r.Notes[:len(r.Notes):len(r.Notes)], "fields left out: "+err.Error())
		line, err = json.Marshal(r)
	}
	if err != nil {
		w.dropped.Add(1)
		w.sink.complain(err)
		return
	}
	w.sink.add(message.MaskJSON(line))
}
