// Package journal is the log of decisions: for each call what they stood on (the
// caller's INVITE, what callees, look-ups, the store and limits answered, random
// numbers) and what they were, so that the call can be played again with other
// scripts.
//
// It is an observer of calls, and stands between scripts and what their calls
// meet. Nothing waits for it: what its writer can't keep up with is dropped and
// counted. It knows neither Lua nor how calls are played.
//
// Start with Log; Entry is what it keeps of a call, file.go the files it is kept
// in, read.go reads them.
package journal

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"legwork/b2bua"
	"legwork/script/lib"
)

// Bounds of what waits to be written, and of the calls in progress that are
// followed.
const (
	maxWaiting = 4096
	maxQueued  = 64 << 20 // bytes that wait
	maxGrowing = 100_000
)

// Config of a Log.
type Config struct {
	// Path is the folder; "": entries go to Keep alone.
	Path    string
	MaxSize int64         // bytes of all files
	MaxAge  time.Duration // of an entry
	Log     *slog.Logger  // required with Path
	Keep    func(*Entry)  // hears of each entry inside the call's mailbox; nil: nobody does
}

// Log is the log of decisions.
type Log struct {
	cfg     Config
	key     [32]byte // of the seeds
	dropped atomic.Uint64
	queue   chan *growing
	queued  atomic.Int64 // bytes that wait in it
	done    chan struct{}
	closing sync.Once

	mu    sync.Mutex // guards all below
	calls map[string]*growing
	down  map[string]bool
	off   map[string]bool
	over  bool
}

// Open makes a log. With a path it makes the folder, and writes until it is
// closed.
func Open(cfg Config) (*Log, error) {
	l := &Log{cfg: cfg, calls: map[string]*growing{}, down: map[string]bool{}, off: map[string]bool{}, done: make(chan struct{})}
	l.seal()
	if cfg.Path == "" {
		close(l.done)
		return l, nil
	}
	w, err := newWriter(cfg)
	if err != nil {
		return nil, err
	}
	l.queue = make(chan *growing, maxWaiting)
	go func() {
		defer close(l.done)
		w.run(l.queue, &l.queued, &l.dropped)
	}()
	return l, nil
}

// Close writes what waits. Calls still in progress are not kept.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.mu.Lock()
		l.over = true
		l.mu.Unlock()
		if l.queue != nil {
			close(l.queue)
		}
	})
	<-l.done
	return nil
}

// Dropped counts the calls that are not in the log.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// Observe implements b2bua.Observer.
func (l *Log) Observe(ev b2bua.Event) {
	switch ev.Kind {
	case b2bua.EventBegan:
		l.begin(&ev)
	case b2bua.EventChanged:
		l.changed(&ev)
	case b2bua.EventEnded:
		l.end(&ev)
	case b2bua.EventReceived, b2bua.EventSent, b2bua.EventDecided, b2bua.EventNote, b2bua.EventFailed:
		if s, told := stepOf(&ev); told {
			l.with(ev.Call, func(g *growing) { g.add(s, &ev) })
		}
	default: // nothing that a decision stands on
	}
}

// with lets f change the entry of a call in progress.
func (l *Log) with(call string, f func(*growing)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g := l.calls[call]; g != nil {
		f(g)
	}
}

func (l *Log) begin(ev *b2bua.Event) {
	if ev.Record == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[ev.Call] != nil {
		return
	}
	if len(l.calls) >= maxGrowing {
		l.dropped.Add(1)
		return
	}
	g := &growing{Entry: Entry{Record: &b2bua.Record{Started: ev.Record.Started}}}
	g.Down, g.Off = slices.Sorted(maps.Keys(l.down)), slices.Sorted(maps.Keys(l.off))
	l.calls[ev.Call] = g
}

// From notes where a call came from, before a script is asked about it.
func (l *Log) From(call string, s b2bua.Source) {
	l.with(call, func(g *growing) {
		g.Source = Source{
			IP: s.IP, Port: s.Port, Transport: s.Transport, TLSName: s.TLSName, Trunk: s.Trunk, Account: s.Account, Listener: s.Listener,
		}
	})
}

// changed keeps track of who is down.
func (l *Log) changed(ev *b2bua.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	target := strings.Clone(ev.Leg.Trunk + " " + ev.Leg.Target)
	switch ev.Change {
	case b2bua.TargetDown:
		l.down[target] = true
	case b2bua.TargetUp:
		delete(l.down, target)
	case b2bua.TrunkDisabled:
		l.off[ev.Leg.Trunk] = true
	case b2bua.TrunkEnabled:
		delete(l.off, ev.Leg.Trunk)
	default: // of no target
	}
}

func (l *Log) end(ev *b2bua.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.calls[ev.Call]
	if g == nil || ev.Record == nil {
		return
	}
	delete(l.calls, ev.Call)
	g.Record = ev.Record
	if g.draws != nil {
		g.Seed = g.draws.seed
	}
	if g.Source.IP == "" { // no script was asked
		return
	}
	if l.cfg.Keep != nil {
		l.cfg.Keep(&g.Entry)
	}
	if l.queue == nil || l.over {
		return
	}
	if size := g.weight(); l.queued.Add(size) > maxQueued || !l.send(g) {
		l.queued.Add(-size)
		l.dropped.Add(1)
	}
}

func (l *Log) send(g *growing) bool {
	select {
	case l.queue <- g:
		return true
	default:
		return false
	}
}

// Look implements lib.Lookups.
func (l *Log) Look(ctx context.Context, q *lib.Question, live func(ctx context.Context) (lib.Answer, error)) (lib.Answer, error) {
	began := time.Now()
	a, err := live(ctx)
	if q.Call != "" && !errors.Is(err, context.Canceled) {
		l.Met(q, a, err, time.Since(began))
	}
	return a, err
}

// Met notes what a look-up of a call gave.
func (l *Log) Met(q *lib.Question, a lib.Answer, err error, took time.Duration) {
	m := Met{
		Kind: q.Kind, Key: q.Key, Values: encoded(q.Values), Status: a.Status, Body: a.Body, Cached: a.Cached, Value: encoded(a.Value), Took: took,
	}
	if err != nil {
		m = Met{Kind: q.Kind, Key: q.Key, Values: m.Values, Err: lib.Reason(err), Took: took}
	}
	m.hide()
	l.with(q.Call, func(g *growing) { g.meet(m) })
}

// Meet implements lib.Fate.
func (l *Log) Meet(call, what string, v any, err error) (any, error) {
	m := Met{Kind: "fate", Key: what, Value: encoded(v)}
	if err != nil {
		m.Value, m.Err = nil, err.Error()
	}
	if what != lib.Clock && what != lib.Stopwatch {
		m.hide()
	}
	l.with(call, func(g *growing) {
		if what != lib.Clock && what != lib.Stopwatch || len(g.Entry.Met) < maxMet/2 { // when it was is not worth the rest of a call
			g.meet(m)
		}
	})
	return v, err
}

func (g *growing) meet(m Met) {
	if g.met += len(m.Key) + len(m.Values) + len(m.Body) + len(m.Value); g.met > maxBytes || len(g.Entry.Met) == maxMet {
		g.Cut = true
		return
	}
	g.Entry.Met = append(g.Entry.Met, m)
}
