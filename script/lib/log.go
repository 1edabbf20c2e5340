package lib

import (
	"context"
	"log/slog"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// maxLogText is where a line of a script's log is cut.
const maxLogText = 4 << 10

func (x *library) logs() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"debug": function("b2b.log.debug", func(a args) int { return x.log(a, slog.LevelDebug) }),
		"info":  function("b2b.log.info", func(a args) int { return x.log(a, slog.LevelInfo) }),
		"warn":  function("b2b.log.warn", func(a args) int { return x.log(a, slog.LevelWarn) }),
		"error": function("b2b.log.error", func(a args) int { return x.log(a, slog.LevelError) }),
	}
}

// log writes what string.format makes of the arguments; a single argument is
// written as it is, or as tostring shows it. A level that is off costs nothing.
func (x *library) log(a args, level slog.Level) int {
	if a.L.GetTop() == 0 {
		a.text(1, "the text")
	}
	text := a.L.ToStringMeta(a.L.Get(1)).String()
	if !x.env.cfg.Log.Enabled(context.Background(), level) {
		return 0
	}
	if n := a.L.GetTop(); n > 1 {
		a.L.Insert(x.format, 1)
		a.L.Call(n, 1)
		text = a.L.Get(-1).String()
	}
	file, line := lua.Where(a.L)
	text = text[:min(len(text), maxLogText)]
	x.env.cfg.Log.Log(context.Background(), level, text, "script", file, "line", line)
	return 0
}
