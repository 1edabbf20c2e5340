package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/message"
)

// What a stream of events does by the clock.
const (
	heartbeat     = 15 * time.Second // a comment, so that a dead connection is noticed
	writeLimit    = 10 * time.Second // who does not read for so long is cut
	reconnectWait = 2 * time.Second  // what clients are asked to wait before they come again
	batchSize     = 128              // events between two flushes
)

// wish is what a client wants to hear of.
type wish struct {
	types []string // whole ones, or the part before the dot; none: all
	trunk string   // "": any, and what is of none
}

func wishOf(q url.Values) (wish, error) {
	w := wish{trunk: q.Get("trunk")}
	known := eventTypes()
	for _, list := range q["types"] {
		for t := range strings.SplitSeq(list, ",") {
			t = strings.TrimSuffix(strings.TrimSpace(t), ".*")
			if !slices.ContainsFunc(known, func(one string) bool { return isOf(one, t) }) {
				return w, fmt.Errorf("there are no events of type %s; types are %s", strconv.Quote(t), strings.Join(known, ", "))
			}
			w.types = append(w.types, t)
		}
	}
	return w, nil
}

// isOf tells whether a type is t, or of the kind t.
func isOf(one, t string) bool {
	kind, _, _ := strings.Cut(one, ".")
	return one == t || kind == t
}

func (w wish) fits(e *Event) bool {
	if w.trunk != "" && e.Trunk != w.trunk && e.TargetTrunk != w.trunk {
		return false
	}
	return len(w.types) == 0 || slices.ContainsFunc(w.types, func(t string) bool { return isOf(e.Type, t) })
}

// events streams what happens (the WHATWG's server-sent events), until the
// client goes, does not read any more, or the process ends.
func (a *api) events(w http.ResponseWriter, r *http.Request) {
	wish, err := wishOf(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	reader, err := a.Events.open(r.Header.Get("Last-Event-ID"))
	if err != nil {
		w.Header().Set("Retry-After", strconv.Itoa(int(heartbeat/time.Second)))
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer reader.close()
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // nginx keeps them back otherwise
	if r.Method == http.MethodHead {
		return
	}
	s := stream{to: w, control: http.NewResponseController(w), wish: wish}
	if err := s.follow(reader, r.Context().Done()); err != nil {
		a.log.Debug("client of events cut", "source", r.RemoteAddr, "err", err)
	}
}

// stream is what one client gets.
type stream struct {
	to      http.ResponseWriter
	control *http.ResponseController
	wish    wish
	out     bytes.Buffer
}

func (s *stream) follow(from *reader, gone <-chan struct{}) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	batch := make([]Event, batchSize)
	fmt.Fprintf(&s.out, "retry: %d\n\n", reconnectWait.Milliseconds())
	for {
		n, missed, open := from.take(batch)
		s.write(batch[:n], missed)
		if err := s.flush(); err != nil || !open {
			return err
		}
		select {
		case <-gone:
			return nil
		case <-from.wake:
		case <-beat.C:
			s.out.WriteString(":\n\n")
		}
	}
}

func (s *stream) write(events []Event, missed uint64) {
	if missed > 0 {
		s.event(&Event{Type: Missed, At: time.Now(), Count: missed})
	}
	for i := range events {
		if s.wish.fits(&events[i]) {
			s.event(&events[i])
		}
	}
}

// event writes one. One without an ID leaves the client's as it is.
func (s *stream) event(e *Event) {
	line, err := json.Marshal(e)
	if err != nil {
		return // an Event is made of texts and numbers
	}
	if e.ID != "" {
		s.out.WriteString("id: " + e.ID + "\n")
	}
	s.out.WriteString("event: " + e.Type + "\ndata: " + string(message.MaskJSON(line)) + "\n\n")
}

// flush sends what was written; an error says that the client is gone or reads
// too slowly.
func (s *stream) flush() error {
	if s.out.Len() == 0 {
		return nil
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_, err := s.to.Write(s.out.Bytes())
	s.out.Reset()
	return errors.Join(err, s.control.Flush())
}
