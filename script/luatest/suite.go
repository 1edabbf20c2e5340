// Package luatest runs the tests that people write in Lua, *_test.lua, on the
// real engine and on virtual time (contract/lua-api.md section 8): no socket is
// opened and an hour's wait costs a millisecond.
//
// Each test has an engine, scripts and agents of its own, in a bubble of its
// own (testing/synctest), so tests cannot disturb each other. It knows no
// configuration file and no command line; whoever runs it brings the bubble,
// because only package testing can make one.
//
// Start with Run, then stage.go (a test's world), call.go (what agents do by
// themselves), say.go (what tests make them do) and library.go (what Lua sees).
// print.go tells people and machines.
package luatest

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/registrar"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
	"legwork/script"
	"legwork/script/canned"
	"legwork/script/lib"
	"legwork/script/lua"
)

// Config says what is tested.
type Config struct {
	Source script.Source // the scripts
	Trunks []trunk.Trunk // those of the configuration, or of Invent
	// Server is the engine's; Policy, Observers, Network, Log, Rand,
	// Settings.Trunks and Settings.Registrar are filled in here.
	Server b2bua.Config
	// Registrar makes one without bindings, for each test anew; nil: there is
	// none.
	Registrar func() (*registrar.Registrar, error)
	// Lib is the libraries'; Rand and Log are filled in here, and each test
	// begins with an empty store.
	Lib lib.Config
	// Record lets look-ups go live, and writes their answers down; nil: nothing
	// leaves, stubs answer.
	Record *canned.Recorder
	// Files are the tests to run, relative to the scripts' folder, and folders
	// that stand for all below; none: all.
	Files []string
	Match *regexp.Regexp // names of the tests to run; nil: all
	// Bubble runs f in a bubble of testing/synctest. Required.
	Bubble func(f func())
	Cover  bool          // measures which lines of the scripts are run
	faults simnet.Faults // of the network
	// style is the language of stubs that are missing.
	style canned.Style
	// Ran hears of each test when it is over; nil: nobody does.
	Ran func(Result)

	cover *lua.Coverage // made by Run
}

// Result is what came of one test.
type Result struct {
	File string        `json:"file"` // relative to the scripts' folder
	Line int           `json:"line"`
	Name string        `json:"name"`
	Took time.Duration `json:"-"`
	// Failure is nil when the test passed.
	Failure *Failure `json:"failure,omitempty"`
	// Errors are those of the scripts, with tracebacks; a test may pass with some.
	Errors []string `json:"errors,omitempty"`
	Output []string `json:"output,omitempty"` // printed by the test and by the scripts meanwhile
	// Lookups are those that no stub answered, as the lines that would; of a test
	// without stubs only when it failed.
	Lookups []string `json:"lookups,omitempty"`
}

// Failure is why a test did not pass.
type Failure struct {
	File      string   `json:"file"`
	Line      int      `json:"line"` // 0: no line is to blame
	Message   string   `json:"message"`
	Traceback string   `json:"traceback,omitempty"`
	Ladders   []string `json:"ladders,omitempty"` // of the test's last calls
}

// Report is what came of a run.
type Report struct {
	Results  []Result
	Coverage []Covered // by file; nil: it was not measured
	Took     time.Duration
}

// Count tells how many passed and failed.
func (r *Report) Count() (passed, failed int) {
	for _, one := range r.Results {
		if one.Failure == nil {
			passed++
		} else {
			failed++
		}
	}
	return passed, failed
}

// Run runs the tests in the order of files and lines. The error is that of a
// folder that cannot be read or of files that are not there; a file that does
// not compile is a failed test.
func Run(cfg Config) (*Report, error) {
	began := time.Now()
	snap, err := cfg.Source.Read()
	if err != nil {
		return nil, err
	}
	files, err := chosen(snap.Tests(), cfg.Files)
	if err != nil {
		return nil, err
	}
	if cfg.Cover {
		cfg.cover = &lua.Coverage{}
	}
	cfg.style = canned.Lua
	r := &runner{cfg: &cfg, snap: snap}
	for _, file := range files {
		r.file(file)
	}
	if cfg.Cover {
		r.report.Coverage = r.covered()
	}
	r.report.Took = time.Since(began)
	return &r.report, nil
}

// chosen are the files of a folder that were asked for.
func chosen(all, wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return all, nil
	}
	var files []string
	for _, w := range wanted {
		w = filepath.ToSlash(filepath.Clean(w))
		before := len(files)
		for _, name := range all {
			if w == "." || name == w || strings.HasPrefix(name, w+"/") {
				files = append(files, name)
			}
		}
		if len(files) == before && w != "." {
			return nil, fmt.Errorf("%s: no such test among the scripts; tests are named *_test.lua", w)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// runner goes through the files.
type runner struct {
	cfg    *Config
	snap   *script.Snapshot
	report Report

	compiled lua.Compiled
}

// file finds out which tests a file holds and runs each.
func (r *runner) file(file string) {
	began := time.Now()
	var tests []declared
	result := Result{File: file, Line: 1, Name: "is loaded"}
	r.cfg.Bubble(func() {
		l, err := r.load(file, 0)
		if l != nil {
			defer l.stage.close()
			tests = l.tests
			l.stage.log.tell(&result)
		}
		if err != nil {
			result.Failure = failure(file, err)
		}
	})
	if result.Failure != nil {
		r.tell(result, began)
		return
	}
	for n, one := range tests {
		if r.cfg.Match == nil || r.cfg.Match.MatchString(one.name) {
			r.test(file, n, one)
		}
	}
}

// load builds a stage and runs the main part of a test's file on it. The
// library is nil when there is no stage.
func (r *runner) load(file string, seed uint64) (*library, error) {
	s, err := build(r.cfg, &r.compiled, seed)
	if err != nil {
		return nil, err
	}
	l, err := openLibrary(s, &r.compiled)
	if err != nil {
		s.close()
		return nil, err
	}
	proto, err := r.compiled.Compile(file, r.snap.Files[file])
	if err != nil {
		return l, err
	}
	return l, l.run(l.vm.VM().Function(proto), nil)
}

// test runs the n-th test of a file.
func (r *runner) test(file string, n int, one declared) {
	began := time.Now()
	result := Result{File: file, Line: one.line, Name: one.name}
	r.cfg.Bubble(func() {
		l, err := r.load(file, uint64(n+1))
		if l != nil {
			defer l.stage.close()
		}
		if err == nil && n >= len(l.tests) {
			err = errors.New("the file declares other tests when it is loaded again")
		}
		if err == nil {
			l.runs = true
			if n > 0 { // what is printed while files are loaded is shown once
				l.stage.log.hush()
			}
			err = l.run(l.tests[n].fn, nil)
		}
		if err != nil {
			result.Failure = failure(file, err)
		}
		if l == nil {
			return
		}
		if result.Failure != nil {
			result.Failure.Ladders = l.stage.ladders()
		}
		l.stage.log.tell(&result)
		if l.stage.stubbed || result.Failure != nil {
			result.Lookups = l.stage.stubs.Unanswered()
		}
	})
	r.tell(result, began)
}

func (r *runner) tell(result Result, began time.Time) {
	result.Took = time.Since(began)
	r.report.Results = append(r.report.Results, result)
	if r.cfg.Ran != nil {
		r.cfg.Ran(result)
	}
}

// failure reads an error of a test; one of the scripts, which are loaded first,
// names their file.
func failure(file string, err error) *Failure {
	if problems, ok := errors.AsType[script.Problems](err); ok && len(problems) > 0 {
		p := problems[0]
		return &Failure{File: p.File, Line: p.Line, Message: p.Msg, Traceback: p.Traceback}
	}
	e, ok := errors.AsType[*lua.Error](err)
	if !ok {
		return &Failure{File: file, Message: err.Error()}
	}
	f := &Failure{File: e.File, Line: e.Line, Message: e.Msg, Traceback: e.Traceback}
	if text, ok := strings.CutPrefix(f.Message, assertion); ok {
		f.Message, f.Traceback = text, ""
	}
	if f.File == "" {
		f.File = file
	}
	return f
}
