package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// Ratio is the comparison at one rate.
type Ratio struct {
	Rate    int       `json:"rate"`
	Subject string    `json:"subject"`
	Rounds  []Round   `json:"rounds"`
	Ratios  []float64 `json:"ratios"` // CPU of the subject by Kamailio's, by round
	Median  float64   `json:"median_ratio"`
	// AfterAll is the ratio of all CPU, the tidying after the last call included.
	AfterAll float64 `json:"ratio_after_tidying"`
}

// Round is a wave through the subject, then one through Kamailio.
type Round struct {
	Subject  Outcome `json:"subject"`
	Kamailio Outcome `json:"kamailio"`
}

// tidied is how long RFC 3261's timers keep a transaction: 64*T1, and a little.
const tidied = 33 * time.Second

// bound of the median ratio.
const ratioBound = 1.0

// measureRatio keeps both products running and lets them take turns, because
// the machine's own speed drifts.
func (p plan) measureRatio(ctx context.Context, rate int, r *report) error {
	subject, err := p.start(ctx, p.subject)
	if err != nil {
		return err
	}
	defer subject.stop()
	kamailio, err := p.start(ctx, "kamailio")
	if err != nil {
		return err
	}
	defer kamailio.stop()
	sides := []*side{{product: subject}, {product: kamailio}}
	for _, s := range sides { // one second so that neither starts cold
		if err := s.turn(ctx, p, wave{rate: rate, calls: rate, ring: p.ring, hold: p.hold}); err != nil {
			return err
		}
	}
	found := Ratio{Rate: rate, Subject: p.subject}
	for n := range p.rounds {
		for _, s := range sides {
			fmt.Fprintf(os.Stderr, "ratio: %d calls/s, round %d of %d, %s\n", rate, n+1, p.rounds, s.product.name)
			if err := s.turn(ctx, p, wave{rate: rate, calls: rate * p.seconds, ring: p.ring, hold: p.hold}); err != nil {
				return err
			}
		}
		round := Round{Subject: sides[0].last, Kamailio: sides[1].last}
		found.Rounds = append(found.Rounds, round)
		found.Ratios = append(found.Ratios, round.Subject.CPU/round.Kamailio.CPU)
	}
	found.Median = median(found.Ratios)
	if found.AfterAll, err = afterAll(ctx, sides); err != nil {
		return err
	}
	r.addRatio(found)
	return nil
}

// side is one of the two, with all its calls so far.
type side struct {
	product *product
	calls   int
	last    Outcome
}

func (s *side) turn(ctx context.Context, p plan, w wave) error {
	l, err := p.begin(ctx, s.product, w)
	if err != nil {
		return err
	}
	s.last, err = l.end()
	s.calls += s.last.Calls
	return err
}

// afterAll waits until nothing of the calls is left and compares everything
// the two have used since they started.
func afterAll(ctx context.Context, sides []*side) (float64, error) {
	fmt.Fprintf(os.Stderr, "ratio: waiting %v for what is tidied up after calls\n", tidied)
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(tidied):
	}
	var used [2]float64
	for i, s := range sides {
		cpu, err := s.product.cpu()
		if err != nil {
			return 0, err
		}
		used[i] = perCall(cpu, s.calls)
	}
	return used[0] / used[1], nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
