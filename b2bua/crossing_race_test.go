//go:build race

package b2bua

// every is how many faults of a bad network one is played of: the race detector
// takes its time, and sees as much in some.
const every = 8
