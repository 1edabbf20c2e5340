package simnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// room is what one direction of a stream holds before its writer waits, as a
// socket's buffers do. Without any, two ends that write at once (a TLS handshake
// that fails on one of them) would wait for each other.
const room = 256 << 10

// direction is one half of a stream.
type direction struct {
	mu      sync.Mutex // guards all below
	changed sync.Cond
	b       []byte
	ended   bool // nobody will write
	refused bool // nobody will read
	reading limit
	writing limit
}

// limit is a deadline of one end.
type limit struct {
	timer *time.Timer
	late  bool
}

func newDirection() *direction {
	d := &direction{}
	d.changed.L = &d.mu
	return d
}

func (d *direction) read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.b) == 0 || d.reading.late || d.refused {
		switch {
		case d.refused:
			return 0, net.ErrClosed
		case d.reading.late:
			return 0, os.ErrDeadlineExceeded
		case d.ended:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		d.changed.Wait()
	}
	n := copy(b, d.b)
	d.b = d.b[n:]
	d.changed.Broadcast()
	return n, nil
}

func (d *direction) write(b []byte) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(b) > 0 {
		switch {
		case d.ended:
			return n, net.ErrClosed
		case d.refused:
			return n, io.ErrClosedPipe
		case d.writing.late:
			return n, os.ErrDeadlineExceeded
		case len(d.b) >= room:
			d.changed.Wait()
			continue
		}
		part := b[:min(len(b), room-len(d.b))]
		d.b, b, n = append(d.b, part...), b[len(part):], n+len(part)
		d.changed.Broadcast()
	}
	return n, nil
}

// end is for its writer, refuse for its reader.
func (d *direction) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	d.changed.Broadcast()
}

func (d *direction) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused, d.b = true, nil
	d.changed.Broadcast()
}

// set makes l the deadline at; the zero time is none.
func (d *direction) set(l *limit, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer, l.late = nil, false
	if at.IsZero() {
		return
	}
	wait := time.Until(at)
	if l.late = wait <= 0; l.late {
		d.changed.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if l.timer == timer {
			l.late = true
			d.changed.Broadcast()
		}
	})
	l.timer = timer
}
