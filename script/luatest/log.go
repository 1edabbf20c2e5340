package luatest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// log keeps what the engine complains of, hooks that failed above all, and
// apart from it what scripts and tests print.
type log struct {
	mu     sync.Mutex // guards all below
	errors []string
	said   []string
}

// maxLines bounds each of the two lists of one test.
const maxLines = 100

// Enabled is slog.Handler's.
func (l *log) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle keeps an error with its traceback, or a line that was printed.
func (l *log) Handle(_ context.Context, r slog.Record) error {
	at := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		at[a.Key] = a.Value.String()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case at["script"] != "" && at["line"] != "" && at["err"] == "":
		l.said = keep(l.said, fmt.Sprintf("%s:%s: %s", at["script"], at["line"], r.Message))
	case r.Level >= slog.LevelError:
		l.errors = keep(l.errors, complaint(r.Message, at))
	}
	return nil
}

func keep(lines []string, line string) []string {
	switch len(lines) {
	case maxLines:
		return lines
	case maxLines - 1:
		line = "... and more"
	}
	return append(lines, line)
}

func complaint(line string, at map[string]string) string {
	if hook := at["hook"]; hook != "" {
		line = hook + " failed"
	}
	if at["script"] != "" {
		line += fmt.Sprintf(" at %s:%s", at["script"], at["line"])
	}
	if at["err"] != "" {
		line += ": " + at["err"]
	}
	if at["traceback"] != "" {
		line += "\n" + at["traceback"]
	}
	return line
}

// WithAttrs is slog.Handler's; what a logger adds is not shown.
func (l *log) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup is slog.Handler's.
func (l *log) WithGroup(string) slog.Handler { return l }

// hush forgets what was printed so far: scripts are loaded again for each test.
func (l *log) hush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = nil
}

// tell adds what was logged to a test's result.
func (l *log) tell(r *Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Errors, r.Output = slices.Clone(l.errors), slices.Clone(l.said)
}
