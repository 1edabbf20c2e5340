package script

import (
	"errors"
	"strconv"
	"strings"

	"legwork/script/lua"
)

// Problem is something wrong with the scripts, and where.
type Problem struct {
	File      string // relative to the scripts' folder; "" when no file is to blame
	Of        Param  // where File is "": the line of the configuration to blame
	Line, Col int    // 0: unknown
	Msg       string // with the cure
	Warning   bool   // it would run
	Traceback string
}

// Param is one of the params of a trunk.
type Param struct{ Trunk, Name string }

func (p Problem) String() string {
	if p.File == "" {
		return p.Msg
	}
	return p.place() + ": " + p.Msg
}

// place is "main.lua:12".
func (p Problem) place() string {
	s := p.File
	for _, n := range [...]int{p.Line, p.Col} {
		if n > 0 {
			s += ":" + strconv.Itoa(n)
		}
	}
	return s
}

// Problems is all that is wrong, not only the first.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, 0, len(p))
	for _, one := range p {
		lines = append(lines, one.String())
	}
	return strings.Join(lines, "\n")
}

// errors leaves out the warnings.
func (p Problems) errors() Problems {
	var all Problems
	for _, one := range p {
		if !one.Warning {
			all = append(all, one)
		}
	}
	return all
}

// problemOf reads what package lua reports.
func problemOf(err error) Problem {
	var e *lua.Error
	if !errors.As(err, &e) {
		return Problem{Msg: err.Error()}
	}
	return Problem{File: e.File, Line: e.Line, Col: e.Col, Msg: e.Msg, Traceback: e.Traceback}
}
