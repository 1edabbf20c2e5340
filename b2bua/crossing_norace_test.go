//go:build !race

package b2bua

// every row is played in every way.
const every = 1
