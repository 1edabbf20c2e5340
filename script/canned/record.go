package canned

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"legwork/script/lib"
)

// maxRecord bounds what a Recorder keeps, in bytes.
const maxRecord = 32 << 20

// A Recorder lets look-ups go live and writes their answers down as stubs. What
// a client had in its cache is not written: stubs are asked below it. The zero
// value is ready.
type Recorder struct {
	// Outside makes the look-ups of a bubble; nil: they are made where they are
	// asked.
	Outside *Outside

	mu    sync.Mutex // guards what follows
	lines [][]byte
	size  int
	err   error
}

// Look implements lib.Lookups.
func (r *Recorder) Look(ctx context.Context, q *lib.Question, live func(ctx context.Context) (lib.Answer, error)) (lib.Answer, error) {
	began := time.Now()
	a, err := r.live(ctx, q, live)
	if err == nil && a.Cached || errors.Is(err, context.Canceled) {
		return a, err
	}
	r.note(q, a, err, time.Since(began))
	return a, err
}

// live asks what is really there. HTTP goes outside below its clients, by
// Outside.RoundTrip: they wait for each other.
func (r *Recorder) live(ctx context.Context, q *lib.Question, live func(ctx context.Context) (lib.Answer, error)) (lib.Answer, error) {
	if r.Outside == nil || q.Kind == "http" {
		return live(ctx)
	}
	return r.Outside.look(ctx, live)
}

func (r *Recorder) note(q *lib.Question, a lib.Answer, failed error, took time.Duration) {
	line, err := Line(q, a, failed, took)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.err = fmt.Errorf("%s %q can not be recorded: %w", q.Kind, q.Key, err)
	case r.size+len(line) > maxRecord || len(r.lines) == maxStubs:
		r.err = fmt.Errorf("only %d look-ups could be recorded", len(r.lines))
	default:
		r.lines = append(r.lines, line)
		r.size += len(line)
	}
}

// Line is the stub, in JSON, that gives what a look-up gave.
func Line(q *lib.Question, a lib.Answer, failed error, took time.Duration) ([]byte, error) {
	e, err := of(q)
	if err != nil {
		return nil, err
	}
	if took = took.Round(time.Millisecond); took > 0 {
		e.After = took.String()
	}
	if failed != nil {
		e.Error = lib.Reason(failed)
	} else if err := e.give(q, a); err != nil {
		return nil, err
	}
	return encode(e)
}

// WriteTo writes the file. The error may also be that of a look-up that could
// not be written down.
func (r *Recorder) WriteTo(w io.Writer) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := []byte("[]\n")
	if len(r.lines) > 0 {
		text = []byte("[\n  " + string(bytes.Join(r.lines, []byte(",\n  "))) + "\n]\n")
	}
	n, err := w.Write(text)
	return int64(n), errors.Join(err, r.err)
}
