package main

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxSpooled = 4 << 20     // bytes of the log that may wait
	lastWords  = time.Second // that the reader of the log has when the process ends
)

// spool writes a log in a goroutine of its own: a terminal that is held, or a
// journal that is slow, holds up no call. Lines that find it full are lost and
// counted, and the log says how many.
type spool struct {
	out    io.Writer
	wake   chan struct{} // has one when there is something to do
	ended  chan struct{} // closed when all is written after close
	losses atomic.Uint64

	mu      sync.Mutex // guards what follows, and is not held while out is written
	waiting []byte
	closed  bool
}

// newSpool begins to write to out. lost is called after lines were lost, when
// it can be written again.
func newSpool(out io.Writer, lost func(lines uint64)) *spool {
	s := &spool{out: out, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go s.run(lost)
	return s
}

// Write takes one line. It never waits and never fails.
func (s *spool) Write(line []byte) (int, error) {
	s.mu.Lock()
	if s.closed || len(s.waiting)+len(line) > maxSpooled {
		s.mu.Unlock()
		s.losses.Add(1)
		return len(line), nil
	}
	s.waiting = append(s.waiting, line...)
	s.mu.Unlock()
	s.signal()
	return len(line), nil
}

func (s *spool) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *spool) run(lost func(uint64)) {
	defer close(s.ended)
	var told uint64
	var batch []byte
	for range s.wake {
		for {
			s.mu.Lock()
			batch, s.waiting = s.waiting, batch[:0]
			closed := s.closed
			s.mu.Unlock()
			if len(batch) == 0 {
				if closed {
					return
				}
				break
			}
			if n, err := s.out.Write(batch); err != nil { // there is nowhere to say so yet
				s.losses.Add(uint64(bytes.Count(batch[min(max(n, 0), len(batch)):], []byte("\n"))))
			} else if n := s.losses.Load(); n > told {
				lost(n - told)
				told = n
			}
		}
	}
}

// close writes what waits; whoever does not read it in time loses it.
func (s *spool) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.signal()
	select {
	case <-s.ended:
	case <-time.After(lastWords):
	}
}
