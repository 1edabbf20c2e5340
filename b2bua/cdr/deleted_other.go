//go:build !linux

package cdr

import "io"

// deleted is not told here; Reopen helps.
func deleted(io.WriteCloser) bool { return false }
