//go:build race

package b2bua

// every is how much of the table one is played of: the race detector takes its
// time, and sees as much in some.
const every = 16
