package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"legwork/b2bua/trunk"
	"legwork/cmd/legwork/config"
	"legwork/script"
)

type checkCommand struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration; default: ./legwork.yaml if it is there, else what is built in."`
	Strict bool   `help:"Exit with 1 when there are warnings."`
	JSON   bool   `help:"Print JSON."`
}

// finding is one line of check's output.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
	Warning bool   `json:"warning"`
}

// verdict is all of check's output.
type verdict struct {
	Config   string              `json:"config,omitempty"`
	Script   string              `json:"script,omitempty"`
	Findings []finding           `json:"findings"`
	Profiles []script.ProfileRow `json:"profiles"`
}

// Run checks and says what it found: exit status 2 for errors, 1 for warnings
// with --strict.
func (c *checkCommand) Run(t *terminal) error {
	v := &verdict{Findings: []finding{}, Profiles: []script.ProfileRow{}}
	v.check(c.Config)
	errs, warnings := v.count()
	if c.JSON {
		if err := t.json(v); err != nil {
			return err
		}
	} else {
		v.print(t, errs, warnings)
	}
	switch {
	case errs > 0:
		return exit{code: 2}
	case warnings > 0 && c.Strict:
		return exit{code: 1}
	}
	return nil
}

func (v *verdict) check(named string) {
	path, cfg, err := readConfig(named)
	v.Config = path
	if problems, ok := errors.AsType[config.Problems](err); ok {
		for _, p := range problems {
			v.problem(p, false)
		}
		return
	}
	if err != nil {
		v.add(finding{Message: err.Error()})
		return
	}
	for _, w := range cfg.Warnings {
		v.problem(w, true)
	}
	table, err := neighbours(cfg, nil)
	if err != nil {
		v.add(finding{File: path, Message: err.Error()})
		return
	}
	v.checkScripts(cfg, table)
}

func (v *verdict) checkScripts(cfg *config.Config, table *trunk.Table) {
	v.Script = nearest(cfg.Script)
	libraries, err := newLibraries(noDatabases(cfg), nil, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		v.add(finding{Message: err.Error()})
		return
	}
	defer libraries.Close()
	problems, rows := script.Check(context.Background(), script.Config{
		Source: sourceOf(cfg), Trunks: func() *trunk.Table { return table }, States: trunk.NewStates(), Lib: libraries,
		Realm: func() string { return cfg.Users.Realm },
	})
	for _, p := range problemsFromHere(cfg, problems) {
		v.add(finding{File: nearest(p.File), Line: p.Line, Col: p.Col, Message: p.Msg, Warning: p.Warning})
	}
	v.Profiles = append(v.Profiles, rows...)
}

func (v *verdict) problem(p config.Problem, warning bool) {
	message := p.Msg
	if p.Cure != "" {
		message += "; " + p.Cure
	}
	v.add(finding{File: p.File, Line: p.Line, Col: p.Col, Message: message, Warning: warning})
}

func (v *verdict) add(f finding) { v.Findings = append(v.Findings, f) }

func (v *verdict) count() (errs, warnings int) {
	for _, f := range v.Findings {
		if f.Warning {
			warnings++
		} else {
			errs++
		}
	}
	return errs, warnings
}

func (v *verdict) print(t *terminal, errs, warnings int) {
	for _, f := range v.Findings {
		kind := t.paint(red, "error")
		if f.Warning {
			kind = "warning"
		}
		t.printf("%s%s: %s\n", f.place(), kind, printable(strings.ReplaceAll(f.Message, "\n", "; ")))
	}
	if errs > 0 {
		t.printf("%s, %s\n", counted(errs, "error"), counted(warnings, "warning"))
		return
	}
	if len(v.Profiles) > 0 {
		var rows [][]string
		for _, r := range v.Profiles {
			who := r.Trunk
			if who == "" {
				who = "(others)"
			}
			rows = append(rows, []string{who, r.Side, r.Key, fmt.Sprintf("%s:%d", r.File, r.Line)})
		}
		t.table("", []string{"TRUNK", "SIDE", "MESSAGE", "FUNCTION"}, rows)
	}
	t.printf("%s: %s\n", t.paint(green, "good"), counted(warnings, "warning"))
}

// place is "legwork.yaml:12:5: ", as far as it is known.
func (f finding) place() string {
	s := f.File
	if s == "" {
		return ""
	}
	for _, n := range []int{f.Line, f.Col} {
		if n > 0 {
			s += fmt.Sprintf(":%d", n)
		}
	}
	return s + ": "
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// nearest is the shorter of a path's absolute and relative form.
func nearest(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
