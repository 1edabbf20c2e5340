package main

import (
	"context"
	"os"
	"time"
)

// watchEvery is how often the configuration file is looked at. Looking at its
// state follows links and renames, so every way of saving is seen alike.
const watchEvery = 500 * time.Millisecond

// watch calls changed when the file is another than it was seen last and has
// stayed so for one look; until ctx ends.
func watch(ctx context.Context, path string, seen glance, changed func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := seen
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := look(path)
		if now != seen && now == last && now.there {
			seen = now
			changed()
		}
		last = now
	}
}

// glance is what tells one state of a file from another.
type glance struct {
	there bool
	size  int64
	time  time.Time
}

func look(path string) glance {
	st, err := os.Stat(path)
	if err != nil {
		return glance{}
	}
	return glance{true, st.Size(), st.ModTime()}
}
