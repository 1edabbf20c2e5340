package script

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// maxSettle bounds how long a folder that keeps changing is waited for.
const maxSettle = 2 * time.Second

// maxRounds bounds how often folders are followed that change meanwhile.
const maxRounds = 10

// Watch makes saved files live until ctx ends. It hears of changes from the
// system and looks by itself now and then, because network file systems and
// links tell nothing. Scripts that ship with the program are not watched.
//
// A file is saved in many ways: written in place, renamed over, swapped behind
// one or two links. So whatever happens in the watched folders only means that
// the folder is read again, once it has been quiet for Config.Settle.
func (p *Policy) Watch(ctx context.Context) {
	if p.cfg.Source.FS != nil {
		<-ctx.Done()
		return
	}
	w := &watcher{p: p, quiet: time.NewTimer(0)}
	system, err := p.cfg.Notify()
	if err == nil {
		defer system.Close()
		w.system, w.events, w.errors = system, system.Events, system.Errors
	} else { // the machine has so many watchers for each user and no more
		p.cfg.Log.Warn("the system does not tell when scripts are saved; they are looked at now and then", "err", err)
	}
	defer w.quiet.Stop()
	w.run(ctx)
}

// watcher belongs to the goroutine of Watch.
type watcher struct {
	p      *Policy
	system *fsnotify.Watcher // nil: it tells nothing
	events <-chan fsnotify.Event
	errors <-chan error
	quiet  *time.Timer
	since  time.Time // the first change that was not yet acted on
	seen   string    // what the last look found
}

// run begins with a look: a file may have been saved between load and watch.
func (w *watcher) run(ctx context.Context) {
	poll := time.NewTicker(w.p.cfg.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-w.events:
			if ok && ev.Op != fsnotify.Chmod {
				w.changed()
			}
		case err, ok := <-w.errors:
			if ok { // events were lost
				w.p.cfg.Log.Debug("watch scripts", "err", err)
				w.changed()
			}
		case <-poll.C:
			w.look()
		case <-w.quiet.C:
			w.since = time.Time{}
			for range maxRounds {
				if !w.follow() {
					break
				}
			}
			w.reload(ctx)
		}
	}
}

// changed waits until nothing more changes, but not for ever.
func (w *watcher) changed() {
	if w.since.IsZero() {
		w.since = time.Now()
	}
	w.quiet.Reset(max(min(w.p.cfg.Settle, maxSettle-time.Since(w.since)), 0))
}

// look sees what no event told.
func (w *watcher) look() {
	snap, err := w.p.cfg.Source.read(w.p.profiles())
	seen := fmt.Sprint(err)
	if err == nil {
		seen = snap.stamp
	}
	if seen != w.seen {
		w.seen = seen
		w.changed()
	}
}

func (w *watcher) reload(ctx context.Context) {
	w.p.load.Lock()
	defer w.p.load.Unlock()
	_, _ = w.p.reload(ctx, false) // reported by Policy
}

// follow watches all folders that matter as they are now, by their real paths,
// and no others; while the scripts can't be read, also those that mattered before.
// True means that there were new ones, whose last change nothing told: then the
// folders may be others by now, and want to be followed again.
func (w *watcher) follow() (added bool) {
	if w.system == nil {
		return false
	}
	folders, err := w.p.folders()
	want := map[string]bool{}
	for _, dir := range folders {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			want[real] = true
		}
	}
	watched := w.system.WatchList()
	for _, known := range watched {
		if err == nil && !want[known] {
			_ = w.system.Remove(known) // it may be gone already
		}
	}
	for dir := range want {
		added = added || !slices.Contains(watched, dir)
		if err := w.system.Add(dir); err != nil {
			w.p.cfg.Log.Debug("watch scripts", "err", err)
		}
	}
	return added
}

// folders are those of the scripts and of the profiles outside of them, and
// those in which a link to one of them could be swapped.
func (p *Policy) folders() ([]string, error) {
	main := p.cfg.Source.Path
	folders, links := []string{filepath.Dir(main)}, []string{main}
	snap, err := p.cfg.Source.read(p.profiles())
	if err == nil {
		folders, links = snap.folders, append(links, snap.links...)
	}
	all := slices.Clone(folders)
	for _, path := range slices.Concat(folders, links) {
		all = append(all, linkFolders(path)...)
	}
	return all, err
}

// linkFolders are the folders in which a swap changes what path means: the
// parents of path, of each link on the way, and of where they lead.
func linkFolders(path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	folders := []string{filepath.Dir(path)}
	for range 40 { // as many links as Linux follows
		dir, target, rest := firstLink(path)
		if target == "" {
			return append(folders, filepath.Dir(path))
		}
		folders = append(folders, dir)
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = filepath.Join(target, rest)
	}
	return folders
}

// firstLink finds the first component of path that is a link: the folder it is
// in, what it says, and what follows.
func firstLink(path string) (dir, target, rest string) {
	var tail []string
	for at := path; at != filepath.Dir(at); at = filepath.Dir(at) {
		tail = append(tail, filepath.Base(at))
	}
	dir = string(filepath.Separator)
	for i := len(tail) - 1; i >= 0; i-- {
		one := filepath.Join(dir, tail[i])
		if target, err := os.Readlink(one); err == nil {
			for k := i - 1; k >= 0; k-- {
				rest = filepath.Join(rest, tail[k])
			}
			return dir, target, rest
		}
		dir = one
	}
	return "", "", ""
}
