// Package sipptest runs SIPp scenarios on real sockets: a foreign SIP stack as
// caller and callee of whatever is under test, strict about every message.
//
// It does not know Legwork. Who writes an end-to-end test starts reading at
// Start and Run (tests.go); who needs a SIPp process without a test, as the
// bench does, at Launch. The scenarios are XML files in ../testdata/sipp.
package sipptest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Scenario is one SIPp process to be. It has a File or a Story.
type Scenario struct {
	File      string            // the XML; relative to the working directory
	Story     string            // the same in few words; story.go tells which
	Set       map[string]string // NAME: value, for each @NAME@ in File or Story
	Local     string            // address:port it binds; empty: a free port on 127.0.0.1
	Remote    string            // address:port it sends to; empty for a callee
	Transport string            // SIPp's -t, such as u1, t1 or tn; empty: u1
	Service   string            // user part of the Request-URI; empty: SIPp's "service"
	Calls     int               // ends after so many; 0: when Stop is called
	Rate      int               // calls a second; 0: SIPp's 10
	Pause     time.Duration     // length of each <pause/> without a length of its own
	Timeout   time.Duration     // the whole run; 0: one minute
	Args      []string          // anything else for SIPp's command line
	Dir       string            // where its files go; required by Launch, chosen by Start
}

// Process is a running SIPp. It belongs to the goroutine that launched it.
type Process struct {
	// Local is the address it bound.
	Local string

	cmd  *exec.Cmd
	dir  string
	done chan struct{} // closed when SIPp is gone
	err  error         // of cmd.Wait; read after done
}

// traced is the number of calls up to which SIPp writes down each message.
const traced = 10

// Launch starts SIPp and returns when its socket is open. The end of ctx kills
// it.
func Launch(ctx context.Context, bin string, s Scenario) (*Process, error) {
	if s.Local == "" {
		addr, err := FreeAddress()
		if err != nil {
			return nil, err
		}
		s.Local = addr
	}
	file, err := fill(s)
	if err != nil {
		return nil, err
	}
	args, err := commandLine(s, file)
	if err != nil {
		return nil, err
	}
	screen, err := os.Create(filepath.Join(s.Dir, "screen.log"))
	if err != nil {
		return nil, err
	}
	defer screen.Close()
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, screen, screen
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("sipp: %w", err)
	}
	p := &Process{Local: s.Local, cmd: cmd, dir: s.Dir, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, p.listening(ctx)
}

// fill writes the scenario with its @NAME@s replaced into Dir.
func fill(s Scenario) (string, error) {
	filled, err := s.text()
	if err != nil {
		return "", fmt.Errorf("sipp scenario: %w", err)
	}
	for name, value := range s.Set {
		if !strings.Contains(filled, "@"+name+"@") {
			return "", fmt.Errorf("sipp scenario %s: has no @%s@ to set", s.File, name)
		}
		filled = strings.ReplaceAll(filled, "@"+name+"@", value)
	}
	if name := regexp.MustCompile(`@[A-Z]+@`).FindString(filled); name != "" {
		return "", fmt.Errorf("sipp scenario %s: %s is not set", s.File, name)
	}
	file := filepath.Join(s.Dir, filepath.Base(cmp.Or(s.File, "story.xml")))
	return file, os.WriteFile(file, []byte(filled), 0o600)
}

func (s Scenario) text() (string, error) {
	if s.Story != "" {
		return compose(s.Story)
	}
	text, err := os.ReadFile(s.File)
	return string(text), err
}

func commandLine(s Scenario, file string) ([]string, error) {
	host, port, err := net.SplitHostPort(s.Local)
	if err != nil {
		return nil, fmt.Errorf("sipp: %w", err)
	}
	timeout := s.Timeout
	if timeout == 0 {
		timeout = time.Minute
	}
	args := []string{
		"-sf", file, "-i", host, "-p", port, "-bind_local", "-ci", "127.0.0.1", "-nostdin",
		"-timer_resol", "1", "-timeout", strconv.Itoa(max(1, int(timeout.Seconds()))), "-timeout_error",
		"-d", strconv.FormatInt(s.Pause.Milliseconds(), 10),
		"-trace_stat", "-stf", statFile, "-fd", "1", "-trace_counts", "-trace_err", "-error_file", errorFile,
	}
	if s.Transport != "" {
		args = append(args, "-t", s.Transport)
	}
	if s.Service != "" {
		args = append(args, "-s", s.Service)
	}
	if s.Rate > 0 {
		args = append(args, "-r", strconv.Itoa(s.Rate))
	}
	if s.Calls > 0 {
		args = append(args, "-m", strconv.Itoa(s.Calls))
		if s.Calls <= traced {
			args = append(args, "-trace_msg", "-message_file", messageFile)
		}
	}
	args = append(args, s.Args...)
	if s.Remote != "" {
		args = append(args, s.Remote)
	}
	return args, nil
}

// listening waits until SIPp's socket shows in the kernel's table, or SIPp is
// gone: a message that comes before it is lost.
func (p *Process) listening(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done:
			if p.cmd.ProcessState.ExitCode() == 0 {
				return nil // a short scenario may be over already
			}
			return fmt.Errorf("sipp went before it listened on %s: %w\n%s", p.Local, p.err, p.Trouble())
		case <-tick.C:
			if open, err := Bound(p.Local); open || err != nil {
				return err
			}
		}
	}
}

// Stop asks SIPp to take no further calls and to end when the present ones have;
// Wait says when it has.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sipp: %w", err)
	}
	return nil
}

// Wait waits until SIPp is gone and reads what it counted. A failed call is in
// the Result, not an error; a SIPp that could not run is an error.
func (p *Process) Wait() (Result, error) {
	<-p.done
	const failedCalls, noCalls = 1, 99
	switch code := p.cmd.ProcessState.ExitCode(); code {
	case 0, failedCalls, noCalls:
		return p.result()
	default:
		return Result{}, fmt.Errorf("sipp: %w\n%s", p.err, p.Trouble())
	}
}

// Trouble is what SIPp wrote about failed calls, shortened, and every message
// of a run of few calls.
func (p *Process) Trouble() string {
	var b strings.Builder
	for _, name := range []string{errorFile, messageFile} {
		if text := tail(filepath.Join(p.dir, name)); text != "" {
			fmt.Fprintf(&b, "--- %s\n%s\n", name, text)
		}
	}
	if b.Len() == 0 {
		b.WriteString(tail(filepath.Join(p.dir, "screen.log")))
	}
	return b.String()
}

// tail returns the end of a file that may not exist.
func tail(file string) string {
	const most = 16 << 10
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(text[max(0, len(text)-most):])
}
