package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Held is what calls cost that only stand, and what they leave behind.
type Held struct {
	Calls     int     `json:"calls"`
	KBPerCall float64 `json:"rss_kb_per_call"`
	Start     Level   `json:"start"`
	Standing  Level   `json:"standing"` // 35 s after the last was set up
	After     Level   `json:"after"`    // 40 s after the last ended
	Outcome   Outcome `json:"outcome"`
}

// Level is what a process holds at one moment.
type Level struct {
	RSS        int   `json:"rss_kb"`
	Heap       int   `json:"heap_kb"`
	Goroutines int   `json:"goroutines"`
	Files      int   `json:"open_files"`
	lastGC     int64 // unix seconds
}

const (
	heldRate   = 1000             // calls a second while they are set up
	heldFor    = 35 * time.Second // past 64*T1: only the dialogs are left
	heldAfter  = 40 * time.Second
	heldBound  = 14.0    // KB a call, with a session timer on each leg
	heapSlack  = 8 << 10 // KB over the start: pools that stay filled
	countSlack = 16      // goroutines, files: idle HTTP connections and the like
)

// measureHeld sets calls up, lets them stand, and looks again after their end.
func (p plan) measureHeld(ctx context.Context, r *report) error {
	p.timers = true
	b, err := p.start(ctx, "legwork")
	if err != nil {
		return err
	}
	defer b.stop()
	found := Held{Calls: p.held}
	if _, err = b.firstLevel(ctx); err != nil {
		return err
	}
	if err := p.fillRing(ctx, b); err != nil {
		return err
	}
	if found.Start, err = b.levelAfter(ctx); err != nil {
		return err
	}
	setUp := time.Duration(p.held) * time.Second / heldRate
	l, err := p.begin(ctx, b, wave{rate: heldRate, calls: p.held, ring: p.ring, hold: setUp + heldFor + 5*time.Second})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "held: %d calls for %v, looked at in %v\n", p.held, l.wave.hold, setUp+heldFor)
	if err := wait(ctx, setUp+heldFor); err != nil {
		return err
	}
	if found.Standing, err = b.level(ctx); err != nil {
		return err
	}
	if found.Outcome, err = l.end(); err != nil {
		return err
	}
	if found.After, err = b.levelAfter(ctx); err != nil {
		return err
	}
	standing := len(l.probe.calls) + p.held
	found.KBPerCall = float64(found.Standing.RSS-found.Start.RSS) / float64(standing)
	r.addHeld(found)
	return nil
}

// fillRing places more short calls than are kept for ladders, so that what
// those take is there before the held ones and after them.
func (p plan) fillRing(ctx context.Context, b *product) error {
	l, err := p.begin(ctx, b, wave{rate: 500, calls: 2500, ring: p.ring, hold: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	_, err = l.end()
	return err
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// levelAfter looks 40 s after the end of the calls. Heap that a Go program no
// longer uses shows only at its next collection, which comes by itself within
// two minutes: it waits for that one.
func (b *product) levelAfter(ctx context.Context) (Level, error) {
	fmt.Fprintf(os.Stderr, "held: waiting %v after the last call\n", heldAfter)
	if err := wait(ctx, heldAfter); err != nil {
		return Level{}, err
	}
	ended := time.Now().Add(-heldAfter + tidied).Unix()
	at, err := b.level(ctx)
	if err != nil || at.lastGC > ended {
		return at, err
	}
	fmt.Fprintln(os.Stderr, "held: waiting for the next garbage collection, two minutes at most")
	late := at
	for range 130 {
		if err := wait(ctx, time.Second); err != nil {
			return Level{}, err
		}
		if late, err = b.level(ctx); err != nil {
			return Level{}, err
		}
		if late.lastGC > ended {
			break
		}
	}
	at.Heap = late.Heap
	return at, nil
}

// firstLevel is level once HTTP is open, which may come after SIP.
func (b *product) firstLevel(ctx context.Context) (at Level, err error) {
	const tries = 50
	for range tries {
		if at, err = b.level(ctx); err == nil {
			return at, nil
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return at, err
		}
	}
	return at, err
}

// level asks the kernel, and Legwork's metrics for what only it knows.
func (b *product) level(ctx context.Context) (at Level, err error) {
	if at.RSS, err = b.rss(); err != nil {
		return at, err
	}
	if at.Files, err = b.openFiles(); err != nil {
		return at, err
	}
	m, err := b.metrics(ctx)
	if err != nil {
		return at, err
	}
	at.Goroutines = int(m["go_goroutines"])
	at.Heap = int(m["go_memstats_heap_alloc_bytes"]) >> 10
	at.lastGC = int64(m["go_memstats_last_gc_time_seconds"])
	return at, nil
}

// metrics reads the samples without labels.
func (b *product) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Close = true // a connection kept alive is an open file
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return nil, err
	}
	m := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil {
			m[name] = n
		}
	}
	if _, ok := m["go_goroutines"]; !ok {
		return nil, fmt.Errorf("%s: no go_goroutines in http://%s/metrics", b.name, b.admin)
	}
	return m, nil
}
