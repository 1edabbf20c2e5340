package lib

import (
	"strconv"
	"strings"
	"time"

	"legwork/script/lua"
)

// Told is what a hook has asked, for the story of its call.
type Told struct {
	Limit bool // else it is a look-up
	Text  string
	Took  time.Duration
	File  string // of the script, with its line
	Line  int
}

// watcher hears what the running hook asks; nil: nobody does.
func (x *library) watcher(a args) func(Told) {
	if x.scope.Watch == nil {
		return nil
	}
	hear := x.scope.Watch(a.L)
	if hear == nil {
		return nil
	}
	file, line := lua.Where(a.L)
	return func(t Told) {
		t.File, t.Line = file, line
		hear(t)
	}
}

// limited tells of a limit that was asked.
func (x *library) limited(a args, what, key string, allowed bool) {
	hear := x.watcher(a)
	if hear == nil {
		return
	}
	verdict := " → refused"
	if allowed {
		verdict = " → allowed"
	}
	hear(Told{Limit: true, Text: "limit " + what + " " + strconv.Quote(key) + verdict})
}

// inWords is a look-up and what came of it, in one line.
func inWords(kind, key string, found Answer, err error) string {
	text := kind + " " + WithoutSecrets(key, "***")
	switch {
	case err != nil:
		reason, _, _ := strings.Cut(Reason(err), "; add ") // the line that would answer it is told elsewhere
		return text + " → " + reason
	case found.Status > 0:
		text += " → " + strconv.Itoa(found.Status)
	default:
		text += " → ok"
	}
	if found.Cached {
		text += ", cached"
	}
	return text
}
