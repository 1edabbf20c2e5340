package main

import (
	"io"
	"log/slog"

	"legwork/b2bua/message"
	"legwork/cmd/legwork/config"
)

// newLog makes the process's log; its level may change while it runs.
func newLog(w io.Writer, c config.Log) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(levelOf(c.Level))
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: masked}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), level
	}
	return slog.New(slog.NewTextHandler(w, options)), level
}

// masked keeps secrets out of the log, whoever writes them: in URIs, in text of
// peers and in the errors of libraries.
func masked(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(message.Mask(v))
	case error:
		a.Value = slog.StringValue(message.Mask(v.Error()))
	}
	return a
}

// levelOf reads a level that config has checked.
func levelOf(name string) slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(name)) // config knows no others
	return level
}
