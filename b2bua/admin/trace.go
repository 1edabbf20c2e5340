package admin

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"legwork/b2bua/trunk"
)

// TraceFilter says which calls a trace is about.
type TraceFilter struct {
	Number      string // a user, or the last digits of a number; "": any
	Trunk       string // from it or to it; "": any
	MaskNumbers bool
}

// Trace is one under way. Stories are JSON, each on one line.
type Trace interface {
	// Next waits for a call that matches to be over. False: ctx has ended.
	Next(ctx context.Context) ([]byte, bool)
	// End ends the trace and gives the calls that are still in progress.
	End() [][]byte
}

// Bounds of a trace's time.
const (
	usualTrace   = 10 * time.Minute
	longestTrace = 24 * time.Hour
)

// errTraceOver ends a trace whose time is over.
var errTraceOver = errors.New("the trace's time is over")

// trace tells the calls that match, each when it is over, until the time is or
// the client goes. What is in progress then comes last.
func (a *api) trace(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := TraceFilter{Number: q.Get("number"), Trunk: q.Get("trunk")}
	lasts, why := traceTime(q.Get("for"))
	if why == "" {
		f.MaskNumbers, why = masks(r)
	}
	if why == "" && f.Number == "" && f.Trunk == "" {
		why = "name a number or a trunk"
	}
	if why != "" {
		refuse(w, http.StatusBadRequest, why)
		return
	}
	if f.Trunk != "" && !slices.ContainsFunc(a.Engine.Trunks().Stats(), func(s trunk.Stats) bool { return s.Name == f.Trunk }) {
		refuse(w, http.StatusNotFound, "there is no trunk "+strconv.Quote(f.Trunk))
		return
	}
	t, err := a.History.Trace(f)
	if err != nil {
		refuse(w, http.StatusTooManyRequests, err.Error())
		return
	}
	a.log.Info("trace begun", "by", "admin", "source", r.RemoteAddr, "trunk", f.Trunk, "dur", lasts.Seconds())
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("X-Accel-Buffering", "no")
	ctx, cancel := context.WithTimeoutCause(r.Context(), lasts, errTraceOver)
	defer cancel()
	go func() {
		select {
		case <-a.leaving:
			cancel()
		case <-ctx.Done():
		}
	}()
	s := lines{to: w, control: http.NewResponseController(w)}
	if r.Method != http.MethodHead {
		s.follow(ctx, t)
	}
	open := t.End()
	if errors.Is(context.Cause(ctx), errTraceOver) {
		for _, line := range open {
			_ = s.write(line) // the peer has gone if this fails
		}
	}
}

func traceTime(text string) (time.Duration, string) {
	if text == "" {
		return usualTrace, ""
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > longestTrace {
		return 0, "for is a time such as 90s or 10m, at most 24h"
	}
	return d, ""
}

// lines is an answer that is sent line by line.
type lines struct {
	to      http.ResponseWriter
	control *http.ResponseController
}

// follow ends with ctx, or when the client is gone or does not read.
func (s *lines) follow(ctx context.Context, t Trace) {
	// The server's limit for reading a request would end the stream.
	if err := s.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	if s.write(nil) != nil {
		return
	}
	for ctx.Err() == nil {
		pause, cancel := context.WithTimeout(ctx, heartbeat)
		line, ok := t.Next(pause)
		cancel()
		if !ok && ctx.Err() != nil {
			return
		}
		if s.write(line) != nil {
			return
		}
	}
}

// write sends one line; an empty one says that we are alive.
func (s *lines) write(line []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.to.Write(append(bytes.TrimSpace(line), '\n')); err != nil {
		return err
	}
	if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
