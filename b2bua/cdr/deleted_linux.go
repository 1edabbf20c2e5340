package cdr

import (
	"io"
	"os"
	"syscall"
)

// deleted tells whether a file has no name any more. One that was moved has: its
// new name, where it is written to until Reopen.
func deleted(file io.WriteCloser) bool {
	f, ok := file.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	if err != nil {
		return false
	}
	there, ok := st.Sys().(*syscall.Stat_t)
	return ok && st.Mode().IsRegular() && there.Nlink == 0
}
