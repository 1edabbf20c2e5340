// Package store keeps what calls share and what must outlive one call: small
// texts under a key, each with an optional time to live. It knows nothing of
// calls or scripts, and it does not look into a value but to count with it.
//
// Start reading at Store; Memory is the one that lives in the process, File
// (file.go) brings it to the disk, and Redis (shared.go) is for several processes.
package store

import (
	"errors"
	"time"
)

// Store is shared by the whole process. Its methods may be used from any
// goroutine, and each is one indivisible step.
type Store interface {
	// Get returns the value, and false when there is none or it has expired.
	Get(key string) (value string, ok bool, err error)
	// Set writes the value. A ttl of 0 means for ever.
	Set(key, value string, ttl time.Duration) error
	// Incr adds to a decimal number, 0 when there is none, and returns the
	// sum. ttl counts from the first Incr: a later one does not prolong it.
	// ErrNotNumber when the value is something else.
	Incr(key string, by float64, ttl time.Duration) (float64, error)
	// CAS writes new when the value is still old, and tells whether it did. A
	// nil old means there must be none; a nil new deletes.
	CAS(key string, old, new *string, ttl time.Duration) (bool, error)
	// Delete removes the value and tells whether there was one.
	Delete(key string) (bool, error)
}

// What a store refuses.
var (
	ErrFull      = errors.New("store is full")
	ErrTooLarge  = errors.New("key or value is too large")
	ErrNotNumber = errors.New("value is not a number")
)
