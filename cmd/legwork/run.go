package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"legwork/cmd/legwork/config"
)

// usualFile is read when there is one and -c names no other.
const usualFile = "legwork.yaml"

type runCommand struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration; default: ./legwork.yaml if it is there, else what is built in."`
}

// Run serves until SIGTERM, SIGINT or an operator's drain.
func (c *runCommand) Run(t *terminal) error {
	path, cfg, err := readConfig(c.Config)
	if err != nil {
		return err
	}
	tuneMemory()
	var log *slog.Logger
	lines := newSpool(t.err, func(n uint64) {
		log.Warn("the log could not be written, or was not read as fast as it came; lines are lost", "lines", n)
	})
	defer lines.close()
	log, level := newLog(lines, cfg.Log)
	signal.Ignore(syscall.SIGPIPE) // else who ends that reads our log, such as journald, ends us
	leave, renew := make(chan os.Signal, 4), make(chan os.Signal, 1)
	signal.Notify(leave, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(renew, syscall.SIGHUP) // apart, or many of them hide one that asks to leave
	defer signal.Stop(leave)
	defer signal.Stop(renew)
	exe, err := thisProgram()
	if err != nil {
		return err
	}
	e, err := start(context.Background(), setup{
		Path: path, Config: cfg, Log: log, LostLines: lines.losses.Load, Level: level, Watch: true, Tests: childTests(exe, path),
	})
	if err != nil {
		return err
	}
	e.tasks.Go(func() { giveBack(e.background) })
	log.Info("ready", e.ready()...)
	return e.serve(leave, renew)
}

// thisProgram is this program: what runs, also when its file has been replaced or
// removed since, where the system tells.
func thisProgram() (string, error) {
	const running = "/proc/self/exe"
	if _, err := os.Stat(running); err == nil {
		return running, nil
	}
	return os.Executable()
}

// readConfig reads the file named, or the usual one, or none.
func readConfig(named string) (path string, cfg *config.Config, err error) {
	if path = usually(named); path == "" {
		return "", config.Default(), nil
	}
	cfg, err = config.Load(path, os.LookupEnv)
	return path, cfg, unread(path, err)
}

// readAdmin is readConfig for who talks to a running Legwork.
func readAdmin(named string) (config.Admin, error) {
	path := usually(named)
	if path == "" {
		return config.Default().Admin, nil
	}
	there, err := config.LoadAdmin(path, os.LookupEnv)
	return there, unread(path, err)
}

// usually is the file named, or the usual one if it is there, or "".
func usually(named string) string {
	if named != "" {
		return named
	}
	if _, err := os.Stat(usualFile); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return usualFile
}

// unread says what to do about a file that can't be read.
func unread(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%s: there is no such file; legwork init writes one", path)
	case errors.Is(err, syscall.EISDIR):
		err = fmt.Errorf("%s is a folder; name the file in it", path)
	}
	return mend(err)
}

// ready are the attributes of the line that says that calls may come.
func (e *engine) ready() []any {
	file := e.Path
	if file == "" {
		file = "built in"
	}
	attrs := []any{
		slog.String("listen", strings.Join(e.addresses(), ", ")), slog.String("config", file),
		slog.String("script", e.policy.Status().Name), slog.Int("trunks", len(e.trunks.Load().Names())),
	}
	if e.admin != nil {
		attrs = append(attrs, slog.String("admin", e.admin.URL()))
	}
	return attrs
}

// serve runs until someone asks to leave, and then shuts down; renew asks to
// reload until then. More signals to leave end the wait for calls.
func (e *engine) serve(leave, renew <-chan os.Signal) error {
	e.tasks.Go(func() { e.hangups(e.background, renew) })
	select {
	case s := <-leave:
		e.Log.Info("draining", "by", s.String(), "calls", e.server.Active())
	case <-e.leaving:
		e.Log.Info("draining", "by", "admin", "calls", e.server.Active())
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- e.shutdown(ctx) }()
	for {
		select {
		case err := <-ended:
			e.Log.Info("ended")
			return err
		case s := <-leave:
			e.Log.Info("hanging up", "by", s.String(), "calls", e.server.Active())
			cancel()
		}
	}
}

// hangups does what SIGHUP asks for until ctx ends. Those that come meanwhile
// count as one: it begins after the last of them.
func (e *engine) hangups(ctx context.Context, renew <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-renew:
			e.hangup(ctx)
		}
	}
}

// hangup is one SIGHUP: reload, and files that were rotated. The end of ctx ends
// the scripts' tests.
func (e *engine) hangup(ctx context.Context) {
	if err := e.observers.reopen(); err != nil {
		e.Log.Error("records can not be written anew", "err", err)
	}
	if err := e.reload(ctx); err != nil {
		e.Log.Error("reload failed", "err", err)
		return
	}
	e.Log.Info("reloaded", "by", "SIGHUP", "script", e.policy.Status().Name)
}
