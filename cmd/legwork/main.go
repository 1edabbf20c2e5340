// Command legwork is a SIP back-to-back user agent whose calls are decided by
// Lua scripts.
//
// Each command is one file: run.go serves, demo.go shows, check.go and init.go
// help to write a configuration, and the small ones (calls.go ...) ask a running
// process through its admin API (client.go). What all of them stand on is
// engine.go: the only place that knows both the configuration and the engine.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"legwork/b2bua/store/redis"

	"github.com/alecthomas/kong"
)

// commands is the command line.
type commands struct {
	Run     runCommand     `cmd:"" help:"Serve calls. SIGTERM drains, SIGHUP reloads."`
	Demo    demoCommand    `cmd:"" help:"Start the engine with two built-in agents on this machine, place calls and draw them."`
	Init    initCommand    `cmd:"" help:"Write a commented legwork.yaml, a script, its test and editor settings."`
	Check   checkCommand   `cmd:"" help:"Check configuration and scripts."`
	Explain explainCommand `cmd:"" help:"Play one call on the engine, on virtual time, and say why it goes as it goes."`
	Lab     labCommand     `cmd:"" help:"Play the scripts against neighbours that misbehave, on virtual time, and say what callers meet."`
	Test    testCommand    `cmd:"" help:"Run the scripts' tests, *_test.lua, on the engine and on virtual time."`
	Fixture fixtureCommand `cmd:"" help:"Print a Lua test of a call in a capture, to put beside the scripts."`
	Replay  replayCommand  `cmd:"" help:"Play the calls of a log of decisions again with other scripts, and list those that change."`
	Calls   callsCommand   `cmd:"" help:"List the calls of a running Legwork."`
	Call    callCommand    `cmd:"" help:"Show one call."`
	Ladder  ladderCommand  `cmd:"" help:"Draw the messages and decisions of one call."`
	Headers headersCommand `cmd:"" help:"Say where each header of each message of one call came from."`
	Trace   traceCommand   `cmd:"" help:"Show the calls of a number or a trunk as they end, and keep them, ring or not."`
	Hangup  hangupCommand  `cmd:"" help:"Hang up one call."`
	Trunks  trunksCommand  `cmd:"" help:"List the trunks and what is counted about them; enable or disable one."`
	Events  eventsCommand  `cmd:"" help:"Follow what happens: calls, trunks, registrations, bans, reloads."`
	Bans    bansCommand    `cmd:"" help:"List the sources that are banned, and why."`
	Unban   unbanCommand   `cmd:"" help:"Let a banned source in again."`
	Reload  reloadCommand  `cmd:"" help:"Load configuration and scripts anew; calls in progress keep theirs."`
	Deploy  deployCommand  `cmd:"" help:"Make other scripts live, at once or for a share of the calls; list the versions that are loaded."`
	Drain   drainCommand   `cmd:"" help:"Take no new calls, wait for those in progress, then end the process."`
	Stubs   stubsCommand   `cmd:"" help:"Write what editors need to know the Lua API."`
	Schema  schemaCommand  `cmd:"" help:"Print the JSON schema of legwork.yaml."`
	Version versionCommand `cmd:"" help:"Print version and Go version."`
}

func main() {
	redis.Quiet()
	os.Exit(execute(os.Args[1:], newTerminal(os.Stdout, os.Stderr)))
}

// execute runs one command line and returns the exit status: 0, or 2 for what
// the user has to mend, or what the command says.
func execute(args []string, t *terminal) int {
	var c commands
	ended := -1
	parser, err := kong.New(&c, kong.Name("legwork"),
		kong.Description("A SIP back-to-back user agent whose calls are decided by Lua scripts."),
		kong.Writers(t.out, t.err), kong.Exit(func(code int) { ended = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Bind(t))
	if err != nil {
		return t.fail(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	context, err := parser.Parse(args)
	switch {
	case ended >= 0: // --help was printed
		return ended
	case err != nil:
		fmt.Fprintf(t.err, "legwork: %v\nlegwork --help lists the commands\n", err)
		return 2
	}
	return t.fail(context.Run())
}

// exit is an error with an exit status of its own.
type exit struct {
	code int
	err  error // nil: all was said already
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// mend marks an error that the user has to mend: exit status 2.
func mend(err error) error {
	if err == nil {
		return nil
	}
	return exit{2, err}
}

// fail prints an error, one "legwork: " a message, and returns the exit status.
func (t *terminal) fail(err error) int {
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		for line := range strings.SplitSeq(text, "\n") {
			fmt.Fprintln(t.err, "legwork: "+printable(strings.ReplaceAll(line, "\t", "    ")))
		}
	}
	if e, ok := errors.AsType[exit](err); ok {
		return e.code
	}
	return 1
}
