package script

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// confidence is that of the intervals below: 99 of 100 hold the truth. Two that
// do not overlap are a difference that chance makes once in thousands of looks,
// so that a trial may be looked at again and again.
const confidence = 2.576

// What counts as worse needs so many calls, and delays so much.
const (
	minErring   = 20   // calls of the canary, for errors
	minRang     = 50   // of each side, for delays
	slower      = 1.25 // times the delay
	slowerBy    = 0.1  // seconds
	judgeEvery  = 5 * time.Second
	defaultMin  = 200
	maxTrial    = 30 * 24 * time.Hour
	percentages = 100
)

// verdict is what becomes of a trial.
type verdict uint8

const (
	goesOn verdict = iota
	promotes
	rollsBack
)

// judge compares the canary with the live generation's calls of the same time.
// Shares are compared by their Wilson intervals, delays by the interval of their
// median: it is worse only where the intervals do not overlap.
func judge(plan *Plan, age time.Duration, live, canary Tally) (verdict, string) {
	var worse []string
	if canary.Begun >= minErring && above(canary.Erring, canary.Begun, live.Erring, live.Begun) {
		worse = append(worse, compared("calls with script errors", canary.Erring, canary.Begun, live.Erring, live.Begun))
	}
	enough := canary.Settled >= plan.Min && live.Settled >= plan.Min
	if enough && above(canary.Rejected, canary.Begun, live.Rejected, live.Begun) {
		worse = append(worse, compared("calls rejected by the script", canary.Rejected, canary.Begun, live.Rejected, live.Begun))
	}
	if enough && above(live.Answered, live.Settled, canary.Answered, canary.Settled) {
		worse = append(worse, compared("calls answered", canary.Answered, canary.Settled, live.Answered, live.Settled))
	}
	if enough && canary.Rang >= minRang && live.Rang >= minRang && canary.low > max(live.high*slower, live.high+slowerBy) {
		worse = append(worse, fmt.Sprintf("median post-dial delay %.2f s against %.2f s", canary.Delay, live.Delay))
	}
	switch {
	case len(worse) > 0:
		return rollsBack, strings.Join(worse, "; ")
	case !enough:
		return goesOn, fmt.Sprintf("not enough calls yet: %d of %d on the canary, %d of %d on the live version", canary.Settled, plan.Min, live.Settled, plan.Min)
	case plan.After == 0:
		return goesOn, "no worse so far; it waits to be promoted: legwork deploy --promote"
	case age < plan.After:
		return goesOn, fmt.Sprintf("no worse so far; promoted in %s unless that changes", (plan.After - age).Round(time.Second))
	}
	return promotes, fmt.Sprintf("no worse after %d calls: %s; %s; %s", canary.Settled,
		compared("script errors", canary.Erring, canary.Begun, live.Erring, live.Begun),
		compared("rejected", canary.Rejected, canary.Begun, live.Rejected, live.Begun),
		compared("answered", canary.Answered, canary.Settled, live.Answered, live.Settled))
}

// above tells whether a share is surely higher than another one.
func above(part, of, otherPart, otherOf int) bool {
	low, _ := wilson(part, of)
	_, high := wilson(otherPart, otherOf)
	return low > high
}

// wilson is the score interval of a share (E. B. Wilson, 1927).
func wilson(part, of int) (low, high float64) {
	if of <= 0 {
		return 0, 1
	}
	n := float64(of)
	p, z2 := float64(min(part, of))/n, confidence*confidence
	middle := (p + z2/(2*n)) / (1 + z2/n)
	half := confidence / (1 + z2/n) * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}

func compared(what string, part, of, otherPart, otherOf int) string {
	return fmt.Sprintf("%s %s against %s", what, share(part, of), share(otherPart, otherOf))
}

func share(part, of int) string {
	if of == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f%% (%d of %d)", percentages*float64(part)/float64(of), part, of)
}
