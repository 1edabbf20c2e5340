package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// setAside is added to the name of a file that can't be used any more.
const setAside = ".broken"

const cure = "; if nothing helps, move it away, and it begins anew"

// open opens the file, or makes it.
func (f *File) open() error {
	var file *os.File
	var db *bbolt.DB
	err := readable(func() (err error) {
		db, err = bbolt.Open(f.path, 0o600, &bbolt.Options{Timeout: time.Second, OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			one, err := os.OpenFile(name, flag, mode)
			file = one
			return one, err
		}})
		return err
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return errors.New("another process has it")
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		return err
	case err != nil:
		_ = file.Close() // it may be closed, or nil
		return fmt.Errorf("%w%s", err, cure)
	}
	f.db, f.file = db, file
	return nil
}

// readable does something with the file. bbolt reads it as memory: where it was
// cut short, or the disk fails, that is a fault, which would end the process with
// all its calls; and what makes no sense there is a panic.
func readable(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("it can't be read: %v", fault)
		}
	}()
	return do()
}

// bring brings what is new to the disk. When the file is broken or gone, all
// values go into another, because they are in memory.
func (f *File) bring() error {
	if f.broken || f.gone() {
		if err := f.anew(); err != nil {
			return err
		}
	}
	ended := false
	err := readable(func() error {
		err := f.flush()
		ended = true
		return err
	})
	f.broken = !ended
	return err
}

// gone tells whether somebody has deleted the file: what is written to it then
// is lost when the process ends. One that stands in its place is left alone: it may
// be yesterday's, for the next start.
func (f *File) gone() bool {
	_, err := os.Stat(f.path)
	return errors.Is(err, fs.ErrNotExist)
}

// anew makes another file, for all values.
func (f *File) anew() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.shut()
	if f.broken {
		if err := os.Rename(f.path, f.path+setAside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f.broken = true // until there is another
	if err := f.open(); err != nil {
		return err
	}
	for _, r := range f.rooms {
		err := f.db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists(r.name)
			return err
		})
		if err != nil {
			return err
		}
		r.memory.renew()
	}
	f.broken = false
	f.log.Warn("the file of the store was deleted or broken, and is made anew from memory", "target", f.path)
	return nil
}

// shut closes the file. After a fault bbolt holds its own locks for ever, and
// would wait for them: then only the file is closed, and what it was mapped to is
// left.
func (f *File) shut() error {
	if f.broken {
		return f.file.Close()
	}
	return f.db.Close()
}

// renew has all keys written that there are.
func (m *Memory) renew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.entries {
		m.dirty[key] = struct{}{}
	}
}
