package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain builds the program once; tests run it as people do.
func TestMain(m *testing.M) { os.Exit(buildAndTest(m)) }

const binaryVariable = "LEGWORK_TEST_BINARY"

func buildAndTest(m *testing.M) int {
	dir, err := os.MkdirTemp("", "legwork-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "legwork")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	os.Setenv(binaryVariable, binary)
	return m.Run()
}

func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Getenv(binaryVariable), args...)
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	return cmd
}

// outcome is what a command did.
type outcome struct {
	out, err string
	code     int
}

// run runs a command to its end in a folder.
func run(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// running is a legwork run of a test's own.
type running struct {
	t     *testing.T
	dir   string // of legwork.yaml
	cmd   *exec.Cmd
	udp   string // address of its first UDP listener
	tcp   string
	admin string
	errs  io.Closer // our end of its standard error
	ended chan struct{}

	mu   sync.Mutex // guards log
	log  strings.Builder
	line *sync.Cond // of mu
}

// deployment is examples/hello on free ports, with its phones anywhere on
// loopback and its PBX at an address.
func deployment(t *testing.T, pbx, more string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/hello")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "legwork.yaml"), `listen:
  - {name: udp, transport: udp, address: "127.0.0.1:0"}
  - {name: tcp, transport: tcp, address: "127.0.0.1:0"}
script: main.lua
admin: {address: "127.0.0.1:0"}
limits: {per_source_cps: 0}
trunks:
  phones: {match: ["127.0.0.0/8"]}
  pbx:
    targets: ["sip:`+pbx+`"]
`+more)
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// serve starts a deployment and waits until it is ready.
func serve(t *testing.T, dir string) *running {
	t.Helper()
	r := &running{t: t, dir: dir, ended: make(chan struct{})}
	r.line = sync.NewCond(&r.mu)
	r.cmd = command(t.Context(), "run", "-c", filepath.Join(dir, "legwork.yaml"))
	errs, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.errs = errs
	go r.read(errs)
	t.Cleanup(func() {
		r.signal(syscall.SIGKILL)
		<-r.ended
	})
	ready := r.waitFor(`msg=ready listen="udp ([\d.:]+), tcp ([\d.:]+)[^"]*"(?: .*admin=http://([\d.:]+))?`)
	r.udp, r.tcp, r.admin = ready[1], ready[2], ready[3]
	return r
}

func (r *running) read(log io.Reader) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		r.mu.Lock()
		r.log.WriteString(lines.Text() + "\n")
		r.line.Broadcast()
		r.mu.Unlock()
	}
	_ = r.cmd.Wait()
	r.mu.Lock()
	close(r.ended)
	r.line.Broadcast()
	r.mu.Unlock()
}

// waitFor waits for a line of the log, and fails when it ends without one.
func (r *running) waitFor(pattern string) []string {
	r.t.Helper()
	want := regexp.MustCompile(pattern)
	late := time.AfterFunc(30*time.Second, func() { r.signal(syscall.SIGKILL) })
	defer late.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if found := want.FindStringSubmatch(r.log.String()); found != nil {
			return found
		}
		select {
		case <-r.ended:
			r.t.Fatalf("ended without %s in the log:\n%s", pattern, r.log.String())
		default:
			r.line.Wait()
		}
	}
}

func (r *running) signal(s syscall.Signal) { _ = r.cmd.Process.Signal(s) }

// hangup sends SIGHUP and waits until it has been obeyed.
func (r *running) hangup() {
	r.t.Helper()
	r.signal(syscall.SIGHUP)
	r.waitFor(`msg=reloaded by=SIGHUP`)
}

// exit waits for the end and returns the exit status.
func (r *running) exit() int {
	<-r.ended
	return r.cmd.ProcessState.ExitCode()
}

func (r *running) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}
