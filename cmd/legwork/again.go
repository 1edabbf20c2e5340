package main

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"time"
)

const (
	lookEvery  = 200 * time.Millisecond
	maxWatched = 10_000 // files
)

// again plays the tests anew whenever what they stand on is another than it was
// and has been still for one look. It ends with the process.
func (c *testCommand) again(t *terminal, suites []*suite, seen map[string]glance, play func([]*suite)) {
	last := seen
	for range time.Tick(lookEvery) {
		now := lookAt(suites)
		if maps.Equal(now, last) && !maps.Equal(now, seen) {
			fmt.Fprintf(t.err, "--- %s\n", time.Now().Format(time.TimeOnly))
			fresh, err := c.suites()
			if err == nil {
				suites, now = fresh, lookAt(fresh)
				play(suites)
			} else {
				t.fail(err)
			}
			seen = now
		}
		last = now
	}
}

// lookAt sees the files of the suites: those of the scripts' folders and the
// configurations.
func lookAt(suites []*suite) map[string]glance {
	var files []string
	for _, s := range suites {
		if s.path != "" {
			files = append(files, s.path)
		}
		if s.source.FS != nil {
			continue
		}
		_ = filepath.WalkDir(filepath.Dir(s.source.Path), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil // a folder that goes away meanwhile
			case len(files) >= maxWatched:
				return fs.SkipAll
			case !d.IsDir():
				files = append(files, path)
			}
			return nil
		})
	}
	return look(files)
}
