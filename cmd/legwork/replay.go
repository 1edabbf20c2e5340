package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"

	"legwork/script"
	"legwork/script/luatest"
)

type replayCommand struct {
	Config string   `short:"c" placeholder:"FILE" help:"Configuration; default: ./legwork.yaml."`
	Log    string   `type:"path" placeholder:"FOLDER" help:"The log of decisions; default: replay.path of the configuration."`
	Script string   `placeholder:"PATH" help:"The new scripts: a folder with a main.lua, or a file; default: those of the configuration."`
	Since  string   `default:"24h" placeholder:"WHEN" help:"Calls that began later: a duration before now (24h), or a time (2026-11-20T08:00:00Z)."`
	Until  string   `placeholder:"WHEN" help:"Calls that began earlier; default: all."`
	Number string   `placeholder:"NUMBER" help:"Only calls from or to a user who is called so, or whose number holds these digits."`
	Trunk  string   `placeholder:"TRUNK" help:"Only calls that came from this trunk or went to it."`
	B      string   `name:"b" default:"180 200" placeholder:"ANSWERS" help:"What a target does that was not called before: codes and delays (\"180 5s 200\"), silent, or refuse."`
	Stub   []string `placeholder:"FILE.json" type:"path" help:"Answers to look-ups that the log does not have."`
	Limit  int      `default:"20" help:"Groups that are printed, and calls of each with --json; 0: all."`
	Open   int      `placeholder:"N" help:"Show the N-th of the calls that change: both ladders, and what is sent otherwise."`
	JSON   bool     `help:"Print JSON."`
	HTML   string   `name:"html" placeholder:"FILE" type:"path" help:"With --open: also write the call as it goes now as one page for a browser."`
	screen
}

// Run plays the calls again: exit status 0 also when some change, 2 for what the
// user has to mend.
func (c *replayCommand) Run(t *terminal) error {
	if c.HTML != "" && c.Open == 0 {
		return mend(errors.New("--html writes one call: say which with --open N"))
	}
	s, err := c.suite()
	if err != nil {
		return mend(err)
	}
	order, err := c.order()
	if err != nil {
		return mend(err)
	}
	calls, err := c.read(t, s)
	if err != nil {
		return mend(err)
	}
	if calls.asked == 0 {
		return mend(errors.New("the log holds no such call of that time"))
	}
	debug.SetGCPercent(300)
	debug.SetMemoryLimit(memoryAim)
	onVirtualTime(func(test *testing.T) int {
		r := &replayed{terminal: t, total: calls.asked}
		if err := r.play(test, s, order, calls); err != nil {
			return t.fail(mend(s.named(err)))
		}
		return t.fail(c.tell(t, r.report()))
	})
	return nil // not reached: onVirtualTime ends the process
}

// suite finds configuration and scripts.
func (c *replayCommand) suite() (*suite, error) {
	path, cfg, err := readConfig(c.Config)
	if err != nil {
		return nil, err
	}
	s := &suite{path: path, cfg: cfg, source: sourceOf(cfg)}
	if c.Script != "" {
		file := c.Script
		if st, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("--script: %w", err)
		} else if st.IsDir() {
			name := mainScript
			if cfg.Script != "" {
				name = filepath.Base(cfg.Script)
			}
			file = filepath.Join(file, name)
		}
		s.source = script.Source{Path: file}
	}
	return s, s.meet()
}

// order is how calls are played.
func (c *replayCommand) order() (luatest.Rerun, error) {
	var r luatest.Rerun
	one, err := luatest.ParseCallee(c.B)
	if err != nil {
		return r, fmt.Errorf("--b %w", err)
	}
	r.Unknown = one
	r.Stubs, err = stubsOf(c.Stub)
	return r, err
}

// memoryAim is how many bytes the garbage may grow to, more or less.
const memoryAim = 1536 << 20

// replayed gathers what came of the calls.
type replayed struct {
	*terminal
	total int

	mu   sync.Mutex // guards what follows
	done int
	list []again
	lost []string // why calls could not be played
}

// play plays the calls, in as many worlds as there are processors: each has a
// part of the time, and the calls that were in progress when that began.
func (r *replayed) play(test *testing.T, s *suite, order luatest.Rerun, log *logged) error {
	calls := log.calls
	worlds := min(runtime.GOMAXPROCS(0), 1+len(calls)/100)
	failed := make([]error, worlds)
	test.Run("worlds", func(test *testing.T) {
		for i := range worlds {
			from, to := i*len(calls)/worlds, (i+1)*len(calls)/worlds
			part := log.withEarlier(from, to)
			test.Run(fmt.Sprint(i), func(test *testing.T) {
				test.Parallel()
				cfg := s.config()
				cfg.Bubble = func(f func()) { bubble(test, f) }
				mine := order
				mine.Ran = r.take
				failed[i] = luatest.PlayAgain(cfg, mine, part)
			})
		}
	})
	return errors.Join(failed...)
}

// take compares a call. It is on virtual time: what it tells of progress is by
// calls alone.
func (r *replayed) take(a luatest.Again) {
	found, err := compared(a)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done++; r.done%5000 == 0 {
		fmt.Fprintf(r.err, "%d of %s played, %d change\n", r.done, counted(r.total, "call"), len(r.list))
	}
	if err != nil {
		r.lost = append(r.lost, err.Error())
	}
	if found != nil {
		r.list = append(r.list, *found)
	}
}
