package main

import (
	"context"
	"maps"
	"os"
	"time"
)

// watchEvery is how often the configuration's files are looked at. Looking at
// their state follows links and renames, so every way of saving is seen alike.
const watchEvery = 500 * time.Millisecond

// watch calls changed when a file is another than it was seen last and all of
// them have stayed as they are for one look; until ctx ends. A file that is new
// among files is one that was just read, and begins as it is.
func watch(ctx context.Context, files func() []string, seen map[string]glance, changed func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := seen
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := look(files())
		if maps.Equal(now, last) && differ(now, seen) {
			seen = now
			changed()
		}
		for path, g := range now {
			if _, known := seen[path]; !known {
				seen[path] = g
			}
		}
		last = now
	}
}

// differ tells whether a file that is there was another, or was not there.
func differ(now, seen map[string]glance) bool {
	for path, g := range now {
		if before, known := seen[path]; known && g.there && g != before {
			return true
		}
	}
	return false
}

// glance is what tells one state of a file from another.
type glance struct {
	there bool
	size  int64
	time  time.Time
}

func look(files []string) map[string]glance {
	all := make(map[string]glance, len(files))
	for _, path := range files {
		if st, err := os.Stat(path); err == nil {
			all[path] = glance{true, st.Size(), st.ModTime()}
		} else {
			all[path] = glance{}
		}
	}
	return all
}
