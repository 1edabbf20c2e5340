package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"legwork/script/journal"
)

// logged are calls of the log, in the order in which they began: those that are
// asked for, and those that were in progress when one of these began.
type logged struct {
	calls []*journal.Entry
	asked map[*journal.Entry]bool
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
	l := &logged{asked: map[*journal.Entry]bool{}}
	torn, err := journal.Read(dir, since, until, func(e *journal.Entry) error {
		switch {
		case e.Began().Before(since):
			l.calls = append(l.calls, e)
		case c.wants(e):
			l.calls = append(l.calls, e)
			l.asked[e] = true
		}
		return nil
	})
	for _, one := range torn {
		fmt.Fprintf(t.err, "legwork: %s: %s can not be read and left out, the rest is read\n", filepath.Join(dir, one.File), counted(one.Pieces, "piece"))
	}
	if err == nil && (c.Number != "" || c.Trunk != "") {
		err = c.readOthers(l, dir, since, until)
	}
	slices.SortStableFunc(l.calls, func(a, b *journal.Entry) int { return a.Began().Compare(b.Began()) })
	return l, err
}

// readOthers adds the calls that are not asked for and were in progress when one
// that is began.
func (c *replayCommand) readOthers(l *logged, dir string, since, until time.Time) error {
	var began []time.Time
	for e := range l.asked {
		began = append(began, e.Began())
	}
	slices.SortFunc(began, time.Time.Compare)
	_, err := journal.Read(dir, since, until, func(e *journal.Entry) error {
		i, _ := slices.BinarySearchFunc(began, e.Began(), time.Time.Compare)
		if i < len(began) && began[i].Before(e.Record.Ended) && !e.Began().Before(since) && !c.wants(e) {
			l.calls = append(l.calls, e)
		}
		return nil
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
	if digits := digitsOf(c.Number); digits != "" && !strings.Contains(e.Record.From, digits) && !strings.Contains(e.Record.To, digits) {
		return false
	}
	return c.Trunk == "" || passes(e, c.Trunk)
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
// progress when it began; own are the part's that are asked for.
func (l *logged) withEarlier(from, to int) (list []*journal.Entry, own map[*journal.Entry]bool) {
	calls := l.calls
	own = make(map[*journal.Entry]bool, to-from)
	for _, e := range calls[:from] {
		if e.Record.Ended.After(calls[from].Began()) {
			list = append(list, e)
		}
	}
	for _, e := range calls[from:to] {
		own[e] = l.asked[e]
	}
	return append(list, calls[from:to]...), own
}
