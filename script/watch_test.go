package script

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"legwork/b2bua"
)

// coded is a main.lua that rejects with a code.
func coded(code int) string {
	return fmt.Sprintf("return {on_invite = function() return b2b.reject(%d) end}\n", code)
}

// watched is a policy over path that is being watched.
func watched(t *testing.T, path string, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{log: &safeBuffer{}, errors: map[string]int{}, reports: make(chan Report, 1000)}
	fast := func(c *Config) { c.Source.Path, c.Settle, c.Poll = path, 20*time.Millisecond, time.Hour }
	p, err := New(context.Background(), r.config(t, append([]func(*Config){fast}, change...)...))
	if err != nil {
		t.Fatal(err)
	}
	r.Policy = p
	<-r.reports
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { p.Watch(ctx) })
	t.Cleanup(func() {
		cancel()
		work.Wait()
		p.Close()
	})
	return r
}

// becomes waits for the script that rejects with a code.
func (r *rig) becomes(t *testing.T, code int) {
	t.Helper()
	for {
		c := r.call(t)
		d := c.invite()
		c.Close()
		if reflect.DeepEqual(d.Decision, b2bua.Reject{Code: code}) {
			return
		}
		select {
		case <-r.reports:
		case <-time.After(20 * time.Second):
			t.Fatalf("the change was not seen: %#v %s", d, r.log)
		}
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryWayOfSavingIsSeen(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "main.lua")
	write(t, dir, map[string]string{"main.lua": coded(481)})
	r := watched(t, main)

	write(t, dir, map[string]string{"main.lua": coded(482)}) // truncate and write
	r.becomes(t, 482)

	write(t, dir, map[string]string{".main.lua.swp": coded(483)}) // vim: write aside, rename over
	do(t, os.Rename(filepath.Join(dir, ".main.lua.swp"), main))
	r.becomes(t, 483)

	do(t, os.Rename(main, main+"~")) // backup first, then a new file
	write(t, dir, map[string]string{"main.lua": coded(484)})
	r.becomes(t, 484)

	f, err := os.OpenFile(main, os.O_WRONLY|os.O_TRUNC, 0) // echo > file: empty for a while
	do(t, err)
	_, err = f.WriteString(coded(485))
	do(t, err)
	do(t, f.Close())
	r.becomes(t, 485)

	do(t, os.Remove(main))
	write(t, dir, map[string]string{"main.lua": coded(486)})
	r.becomes(t, 486)
}

func TestScriptsAreLookedAtWhereTheSystemHasNoMoreWatchers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"main.lua": coded(480)})
	r := watched(t, filepath.Join(dir, "main.lua"), func(c *Config) {
		c.Poll = 50 * time.Millisecond
		c.Notify = func() (*fsnotify.Watcher, error) { return nil, syscall.EMFILE }
	})
	for _, code := range []int{481, 482} {
		write(t, dir, map[string]string{"main.lua": coded(code)})
		r.becomes(t, code)
	}
}

func TestANewFolderIsWatchedToo(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"main.lua": coded(481)})
	r := watched(t, filepath.Join(dir, "main.lua"))
	write(t, dir, map[string]string{"a/b/c.lua": "return 482", "main.lua": "local c = require 'a.b.c'\nreturn {on_invite = function() return b2b.reject(c) end}"})
	r.becomes(t, 482)
	write(t, dir, map[string]string{"a/b/c.lua": "return 483"})
	r.becomes(t, 483)
	do(t, os.RemoveAll(filepath.Join(dir, "a")))
	write(t, dir, map[string]string{"a/b/c.lua": "return 484"})
	r.becomes(t, 484)
}

func TestABrokenSaveIsMendedByTheNext(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"main.lua": coded(481)})
	r := watched(t, filepath.Join(dir, "main.lua"))
	for i := range 3 {
		write(t, dir, map[string]string{"main.lua": "return {"})
		if rep := <-r.reports; rep.Err == nil || rep.Changed {
			t.Fatalf("%+v", rep)
		}
		r.becomes(t, 481+i)
		write(t, dir, map[string]string{"main.lua": coded(482 + i)})
		r.becomes(t, 482+i)
	}
	write(t, dir, map[string]string{"main.lua": "\n"})
	if rep := <-r.reports; rep.Err == nil || !strings.Contains(rep.Err.Error(), "empty") {
		t.Fatalf("%+v", rep)
	}
	r.becomes(t, 484)
}

func TestAReleaseLinkIsFollowed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"releases/1/scripts/main.lua": coded(481), "releases/2/scripts/main.lua": coded(482), "releases/3/scripts/main.lua": coded(483)})
	swap := func(to string) {
		do(t, os.Symlink(filepath.Join("releases", to), filepath.Join(dir, "new")))
		do(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "current")))
	}
	swap("1")
	r := watched(t, filepath.Join(dir, "current", "scripts", "main.lua"))
	swap("2")
	r.becomes(t, 482)
	write(t, dir, map[string]string{"releases/2/scripts/main.lua": coded(484)})
	r.becomes(t, 484)
	swap("3")
	r.becomes(t, 483)
}

func TestAConfigMapIsFollowed(t *testing.T) {
	dir := t.TempDir()
	publish := func(version, text string) {
		write(t, dir, map[string]string{version + "/main.lua": text})
		do(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		do(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	publish("..2026_1", coded(481))
	do(t, os.Symlink("..data/main.lua", filepath.Join(dir, "main.lua")))
	r := watched(t, filepath.Join(dir, "main.lua"))
	publish("..2026_2", coded(482))
	do(t, os.RemoveAll(filepath.Join(dir, "..2026_1")))
	r.becomes(t, 482)
	publish("..2026_3", coded(483))
	r.becomes(t, 483)
}

func TestALinkedFileIsFollowed(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, elsewhere, map[string]string{"a.lua": coded(481), "b.lua": coded(482)})
	do(t, os.Symlink(filepath.Join(elsewhere, "link.lua"), filepath.Join(dir, "main.lua")))
	do(t, os.Symlink("a.lua", filepath.Join(elsewhere, "link.lua")))
	r := watched(t, filepath.Join(dir, "main.lua"))
	do(t, os.Remove(filepath.Join(elsewhere, "link.lua")))
	do(t, os.Symlink("b.lua", filepath.Join(elsewhere, "link.lua")))
	r.becomes(t, 482)
	write(t, elsewhere, map[string]string{"b.lua": coded(483)})
	r.becomes(t, 483)
}

func TestTheFolderOfALinkThatLeadsNowhereIsWatched(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	do(t, os.Symlink(filepath.Join(elsewhere, "not", "yet.lua"), filepath.Join(dir, "main.lua")))
	got := linkFolders(filepath.Join(dir, "main.lua"))
	if want := []string{dir, dir, filepath.Join(elsewhere, "not")}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestThePollSeesWhatNoEventTold(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"main.lua": coded(481)})
	r := watched(t, filepath.Join(dir, "main.lua"), func(c *Config) { c.Poll = 50 * time.Millisecond })
	elsewhere := t.TempDir() // a second name of the file, in a folder that is not watched
	do(t, os.Link(filepath.Join(dir, "main.lua"), filepath.Join(elsewhere, "same.lua")))
	write(t, elsewhere, map[string]string{"same.lua": coded(482)})
	r.becomes(t, 482)
}

func TestATableIsPartOfTheGeneration(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"main.lua": coded(481), "prefixes.csv": "prefix,trunk\n49,pbx\n"})
	r := watched(t, filepath.Join(dir, "main.lua"))
	write(t, dir, map[string]string{"prefixes.csv": "prefix,trunk\n49,carrier\n50,pbx\n"})
	for rep := range r.reports {
		if rep.Changed {
			break
		}
	}
}

// TestReloadsUnderLoadFailNoCall swaps good and broken scripts by turns while
// calls run from beginning to end.
func TestReloadsUnderLoadFailNoCall(t *testing.T) {
	script := func(n int) string {
		return fmt.Sprintf(`local M = {}
function M.on_invite(call) call.data.n = %d; return b2b.route{to={trunk="pbx"}} end
function M.on_branch(call, leg, req) req.h["X-N"] = tostring(call.data.n == %d) end
M.responses = b2b.response_map{[503] = 480}
return M`, n, n)
	}
	r, err := try(t, map[string]string{"main.lua": script(0)})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var calls sync.WaitGroup
	for range 200 {
		calls.Go(func() {
			for {
				c := r.call(t)
				if _, ok := c.invite().Decision.(b2bua.Route); !ok {
					t.Error("a call was not routed")
				}
				if c.branch().Get("X-N") != "true" {
					t.Error("a call changed its generation")
				}
				c.Final(c.view, answerTo(t, 503), b2bua.OriginPeer)
				c.End(t.Context(), c.view, &b2bua.Record{})
				c.Close()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for i := 1; i <= 100; i++ {
		text := script(i)
		if i%2 == 0 {
			text = "return {"
		}
		write(t, r.dir, map[string]string{"main.lua": text})
		if _, err := r.Reload(t.Context()); (err != nil) != (i%2 == 0) {
			t.Errorf("reload %d: %v", i, err)
		}
	}
	close(stop)
	calls.Wait()
	if s := r.Status(); s.Calls != 0 || len(s.Generations) != 1 {
		t.Errorf("%+v", s)
	}
	if strings.Contains(r.log.String(), "hook failed") {
		t.Error("a hook failed")
	}
}
