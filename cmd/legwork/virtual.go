package main

import (
	"os"
	"testing"
	"testing/synctest"
)

// onVirtualTime runs f where time passes as fast as nobody has anything to do,
// and ends the process with what f returns. Package testing lets only a test
// into such a bubble, so the program becomes one test for the rest of its life.
func onVirtualTime(f func(t *testing.T) int) {
	os.Args = os.Args[:1] // testing reads flags of its own
	one := []testing.InternalTest{{Name: "legwork", F: func(t *testing.T) { os.Exit(f(t)) }}}
	testing.Main(func(string, string) (bool, error) { return true, nil }, one, nil, nil)
}

// bubble runs f in a bubble of its own.
func bubble(t *testing.T, f func()) {
	synctest.Test(t, func(*testing.T) { f() })
}
