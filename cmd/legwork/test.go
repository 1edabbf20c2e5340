package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"testing"
	"time"

	"legwork/script/luatest"
)

type testCommand struct {
	Config string   `short:"c" type:"path" placeholder:"FILE" help:"Configuration; default: the legwork.yaml above the tests, else trunks are made up from what scripts and tests name."`
	Paths  []string `arg:"" optional:"" name:"path" help:"Test files (*_test.lua) or folders; default: all of the configuration's scripts."`
	Only   string   `name:"run" placeholder:"PATTERN" help:"Run only tests whose name matches the regular expression."`
	JUnit  string   `name:"junit" type:"path" placeholder:"FILE" help:"Write JUnit XML for build servers."`
	Cover  bool     `help:"Measure which lines of the scripts the tests run."`
	LCOV   string   `name:"lcov" type:"path" placeholder:"FILE" help:"Write the measured lines in lcov's format."`
	Watch  bool     `help:"Run them again whenever a file beside them or the configuration is saved; Ctrl-C ends it."`
	Folder string   `hidden:"" type:"existingdir" help:"Folder that stands in for that of the configuration's scripts."`
	JSON   bool     `help:"Print JSON."`
}

// Run runs the tests: exit status 1 when one fails, 2 for what the user has to
// mend first.
func (c *testCommand) Run(t *terminal) error {
	match, err := regexp.Compile(c.Only)
	if err != nil {
		return mend(fmt.Errorf("--run: %w", err))
	}
	suites, err := c.suites()
	if err != nil {
		return mend(err)
	}
	onVirtualTime(func(test *testing.T) int {
		seen := lookAt(suites)
		code := t.fail(c.play(t, test, suites, match))
		if c.Watch {
			c.again(t, suites, seen, func(now []*suite) { t.fail(c.play(t, test, now, match)) })
		}
		return code
	})
	return nil // not reached: onVirtualTime ends the process
}

// play runs the suites, one after the other.
func (c *testCommand) play(t *terminal, test *testing.T, suites []*suite, match *regexp.Regexp) error {
	began, p := time.Now(), progress{terminal: t, shown: time.Now()}
	var all luatest.Report
	for _, s := range suites {
		cfg := s.config()
		cfg.Cover = c.Cover || c.LCOV != ""
		cfg.Match, cfg.Ran, cfg.Bubble = match, p.ran, func(f func()) { bubble(test, f) }
		one, err := luatest.Run(cfg)
		if err != nil {
			return mend(err)
		}
		one.Rename(s.fromHere)
		all.Results = append(all.Results, one.Results...)
		all.Coverage = append(all.Coverage, one.Coverage...)
	}
	all.Took = time.Since(began)
	return c.report(t, &all)
}

func (c *testCommand) report(t *terminal, all *luatest.Report) (err error) {
	for _, one := range []struct {
		path  string
		write func(io.Writer) error
	}{{c.JUnit, all.WriteJUnit}, {c.LCOV, all.WriteLCOV}} {
		if one.path == "" {
			continue
		}
		file, err := os.Create(one.path)
		if err != nil {
			return mend(err)
		}
		if err := errors.Join(one.write(file), file.Close()); err != nil {
			return err
		}
	}
	if c.JSON {
		err = all.WriteJSON(t.out)
	} else {
		err = all.Print(t.out)
	}
	passed, failed := all.Count()
	switch {
	case err != nil:
		return err
	case failed > 0:
		return exit{code: 1}
	case passed == 0 && (c.Only != "" || len(c.Paths) > 0):
		return mend(errors.New("no test was run: no *_test.lua there holds one that matches"))
	}
	return nil
}

// progress tells on standard error how far a long run is.
type progress struct {
	*terminal
	shown        time.Time
	count, wrong int
}

func (p *progress) ran(r luatest.Result) {
	p.count++
	if r.Failure != nil {
		p.wrong++
	}
	if time.Since(p.shown) > time.Second {
		p.shown = time.Now()
		fmt.Fprintf(p.err, "%s run, %d failed\n", counted(p.count, "test"), p.wrong)
	}
}
