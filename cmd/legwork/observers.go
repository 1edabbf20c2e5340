package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/admin"
	"legwork/b2bua/capture"
	"legwork/b2bua/cdr"
	"legwork/b2bua/door"
	"legwork/b2bua/metrics"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
	"legwork/script/journal"
)

// observers are those of the configuration.
type observers struct {
	list    []b2bua.Observer // in the order they are told
	ring    *capture.Ring
	metrics *metrics.Metrics
	feed    *admin.Feed
	records []*cdr.Writer
	journal *journal.Log // nil: no decisions are logged
}

// openObservers makes the observers. The metrics ask the server, which is made
// next, when they are scraped.
func (e *engine) openObservers(context.Context) error {
	o := &observers{ring: capture.New(e.Config.Capture.Ring), feed: admin.NewFeed()}
	e.observers = o
	o.metrics = metrics.New(metrics.Sources{
		Active:    func() int { return e.server.Active() },
		Counters:  func() transaction.Counters { return e.server.Counters() },
		Trunks:    func() []trunk.Stats { return e.server.Trunks().Stats() },
		Transport: func() transport.Counters { return e.server.Transport() },
		Malformed: func() uint64 { return uint64(e.server.Malformed()) },
		Refused:   func() map[string]uint64 { return e.server.Refused() },
		Leaks:     func() map[string]uint64 { return e.server.Leaks() },
		Dropped:   e.dropped,
		Expiries:  func() map[string]time.Time { return e.identities.Load().expiries() },
		Door:      func() door.Counters { return e.server.Door() },
		Bans:      func() int { return len(e.server.Bans()) },

		Generations: e.generations,
	})
	o.list = append([]b2bua.Observer{o.ring, o.metrics, trials{e}}, e.Observers...)
	if e.Config.Admin.Address != "" { // nobody could ask for it
		o.list = append(o.list, o.feed)
	}
	if c := e.Config.Replay; c.Path != "" {
		log, err := journal.Open(journal.Config{Path: c.Path, MaxSize: int64(c.MaxSize), MaxAge: c.MaxAge, Log: e.Log})
		if err != nil {
			return mend(err)
		}
		o.journal = log
		o.list = append(o.list, log)
	}
	for i, c := range e.Config.CDR {
		w, err := cdr.New(cdr.Config{Path: c.Path, Log: e.Log})
		if err != nil {
			return e.cannotWrite(i, err)
		}
		o.records = append(o.records, w)
		o.list = append(o.list, w)
	}
	return nil
}

// dropped counts what observers lost, by name.
func (e *engine) dropped() map[string]uint64 {
	o, lost := e.observers, map[string]uint64{}
	if e.LostLines != nil {
		lost["log"] = e.LostLines()
	}
	for i, w := range o.records {
		lost["cdr"+strconv.Itoa(i+1)] = w.Dropped()
	}
	if o.journal != nil {
		lost["replay"] = o.journal.Dropped()
	}
	return lost
}

// reopen follows files that were rotated.
func (o *observers) reopen() error {
	var failed []error
	for _, w := range o.records {
		failed = append(failed, w.Reopen())
	}
	return errors.Join(failed...)
}

// close writes what the observers hold.
func (o *observers) close() error {
	var failed []error
	for _, w := range o.records {
		failed = append(failed, w.Close())
	}
	if o.journal != nil {
		failed = append(failed, o.journal.Close())
	}
	return errors.Join(failed...)
}
