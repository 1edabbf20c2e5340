package main

import (
	"context"
	"fmt"
	"os"
)

// Most is a rate that must pass without one flaw.
type Most struct {
	Subject string  `json:"subject"`
	Rate    int     `json:"rate"`
	Seconds int     `json:"seconds"`
	Outcome Outcome `json:"outcome"`
}

func (p plan) measureMost(ctx context.Context, r *report) error {
	b, err := p.start(ctx, p.subject)
	if err != nil {
		return err
	}
	defer b.stop()
	fmt.Fprintf(os.Stderr, "max: %d calls/s for %d s, %s\n", p.mostRate, p.mostTime, b.name)
	l, err := p.begin(ctx, b, wave{rate: p.mostRate, calls: p.mostRate * p.mostTime, ring: p.ring, hold: p.hold})
	if err != nil {
		return err
	}
	found := Most{Subject: p.subject, Rate: p.mostRate, Seconds: p.mostTime}
	if found.Outcome, err = l.end(); err != nil {
		return err
	}
	r.addMost(found)
	return nil
}
