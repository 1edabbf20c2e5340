package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"legwork/b2bua/message"
	"legwork/b2bua/number"
	"legwork/script/journal"
	"legwork/script/luatest"
)

// logged are calls of the log, in the order in which they began: those that are
// asked for, and those that were in progress when one of these began.
type logged struct {
	*terminal
	mu    sync.Mutex // guards what follows while the log is read
	calls []luatest.Call
	asked int
}

// add packs a call.
func (l *logged) add(e *journal.Entry, asked bool) error {
	p, err := journal.Pack(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if asked {
		l.asked++
	}
	if l.calls = append(l.calls, luatest.Call{Packed: p, Asked: asked}); len(l.calls)%20000 == 0 {
		fmt.Fprintf(l.err, "%d calls read\n", len(l.calls))
	}
	return nil
}

// read adds the calls of a log that pick takes, on all processors.
func (l *logged) read(dir string, since, until time.Time, pick func(*journal.Entry) (take, asked bool)) ([]journal.Torn, error) {
	var packing errgroup.Group
	packing.SetLimit(2 * runtime.GOMAXPROCS(0))
	torn, err := journal.Read(dir, since, until, func(e *journal.Entry) error {
		if take, asked := pick(e); take {
			packing.Go(func() error { return l.add(e, asked) })
		}
		return nil
	})
	return torn, errors.Join(err, packing.Wait())
}

// read reads the calls.
func (c *replayCommand) read(t *terminal, s *suite) (*logged, error) {
	since, until, err := c.between()
	if err != nil {
		return nil, err
	}
	dir := c.Log
	if dir == "" {
		dir = s.cfg.Replay.Path
	}
	if dir == "" {
		return nil, errors.New("which log? The configuration has no replay: {path: ...}; with it a running Legwork logs what it decides. --log names a folder")
	}
	l := &logged{terminal: t}
	torn, err := l.read(dir, since, until, func(e *journal.Entry) (take, asked bool) {
		earlier := e.Began().Before(since)
		return earlier || c.wants(e), !earlier
	})
	for _, one := range torn {
		fmt.Fprintf(t.err, "legwork: %s: %s can not be read and left out, the rest is read\n", filepath.Join(dir, one.File), counted(one.Pieces, "piece"))
	}
	if err == nil && (c.Number != "" || c.Trunk != "") {
		err = c.readOthers(l, dir, since, until)
	}
	slices.SortStableFunc(l.calls, func(a, b luatest.Call) int { return cmp.Or(a.Began.Compare(b.Began), a.Ended.Compare(b.Ended)) })
	return l, err
}

// readOthers adds the calls that are not asked for and were in progress when one
// that is began.
func (c *replayCommand) readOthers(l *logged, dir string, since, until time.Time) error {
	var began []time.Time
	for _, one := range l.calls {
		if one.Asked {
			began = append(began, one.Began)
		}
	}
	slices.SortFunc(began, time.Time.Compare)
	_, err := l.read(dir, since, until, func(e *journal.Entry) (take, asked bool) {
		i, _ := slices.BinarySearchFunc(began, e.Began(), time.Time.Compare)
		return i < len(began) && began[i].Before(e.Record.Ended) && !e.Began().Before(since) && !c.wants(e), false
	})
	return err
}

// between reads the two times.
func (c *replayCommand) between() (since, until time.Time, err error) {
	if since, err = when("--since", c.Since); err != nil {
		return since, until, err
	}
	until = time.Now().Add(time.Hour)
	if c.Until != "" {
		until, err = when("--until", c.Until)
	}
	return since, until, err
}

// when reads a time, or how long ago one is.
func when(flag, text string) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-d), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %s: want a duration such as 24h, or a time such as 2026-11-20T08:00", flag, text)
}

// wants tells whether a call is one that is asked for, whenever it was.
func (c *replayCommand) wants(e *journal.Entry) bool {
	if c.Number != "" && !sought(e.Record.From, c.Number) && !sought(e.Record.To, c.Number) {
		return false
	}
	return c.Trunk == "" || passes(e, c.Trunk)
}

// sought tells whether the user of a URI is the one that is looked for, or holds
// its digits.
func sought(uri, wanted string) bool {
	u, err := message.ParseURI(uri)
	if err != nil {
		return false
	}
	digits := digitsOf(wanted)
	return number.Sought(u.User, wanted) || digits != "" && strings.Contains(digitsOf(u.User), digits)
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// passes tells whether a call came from a trunk or went to it.
func passes(e *journal.Entry, name string) bool {
	for i := range e.Record.Attempts {
		if e.Record.Attempts[i].Trunk == name {
			return true
		}
	}
	return e.Source.Trunk == name
}

// withEarlier is the calls of a part with those before it that were still in
// progress when it began; nobody asks for these again.
func (l *logged) withEarlier(from, to int) (list []luatest.Call) {
	for _, one := range l.calls[:from] {
		if one.Ended.After(l.calls[from].Began) {
			one.Asked = false
			list = append(list, one)
		}
	}
	return append(list, l.calls[from:to]...)
}
