package cdr

import (
	"bytes"
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	batchSize  = 64 << 10 // bytes written at once
	maxPending = 4 << 20  // bytes kept while the file fails
)

// sink is the file and the lines that are not in it yet. A failed write keeps
// its rest, so a disk that was full for a while costs no record and tears no
// line.
type sink struct {
	open    func() (io.WriteCloser, error)
	log     *slog.Logger
	path    string
	dropped *atomic.Uint64

	file    io.WriteCloser
	pending []byte
	torn    bool // pending begins within a line
	logged  time.Time
	err     error // of the last write or close; nil when it went well
}

// add queues one line, or drops it when too much waits already.
func (s *sink) add(line []byte) {
	if len(s.pending)+len(line) >= maxPending {
		s.dropped.Add(1)
		return
	}
	s.pending = append(append(s.pending, line...), '\n')
}

// flush writes what waits; what the file does not take goes on waiting.
func (s *sink) flush() {
	if len(s.pending) == 0 {
		return
	}
	if deleted(s.file) { // what is written there is gone when it is closed
		if err := s.renew(); err != nil {
			s.complain(err)
		}
		return
	}
	n, err := s.file.Write(s.pending)
	if err == nil && n < len(s.pending) {
		err = io.ErrShortWrite
	}
	if n = min(max(n, 0), len(s.pending)); n > 0 {
		s.torn = s.pending[n-1] != '\n'
	}
	s.pending = append(s.pending[:0], s.pending[n:]...)
	if s.err = err; err != nil {
		s.complain(err)
	}
	if len(s.pending) == 0 && cap(s.pending) > 2*batchSize {
		s.pending = nil
	}
}

// renew opens the path anew. The rest of a torn line is given up: its
// beginning is in the old file.
func (s *sink) renew() error {
	file, err := s.open()
	if err != nil {
		return err
	}
	if s.file != nil {
		if err := s.file.Close(); err != nil {
			s.complain(err)
		}
	}
	s.file = file
	if s.torn {
		_, rest, _ := bytes.Cut(s.pending, []byte("\n"))
		s.pending = append(s.pending[:0], rest...)
		s.torn = false
		s.dropped.Add(1)
	}
	s.flush()
	return nil
}

// close counts what can no longer be written.
func (s *sink) close() {
	s.dropped.Add(uint64(bytes.Count(s.pending, []byte("\n"))))
	if err := s.file.Close(); err != nil && s.err == nil {
		s.err = err
	}
}

// complain logs at most once a minute.
func (s *sink) complain(err error) {
	if !s.logged.IsZero() && time.Since(s.logged) < time.Minute {
		return
	}
	s.logged = time.Now()
	s.log.Error("call records can't be written", "target", s.path, "err", err, "dropped", s.dropped.Load())
}
