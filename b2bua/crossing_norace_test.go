//go:build !race

package b2bua

// every fault of a bad network is played.
const every = 1
