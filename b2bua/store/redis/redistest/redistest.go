// Package redistest runs a real Redis for tests: redis-server of Debian, on a
// free port of loopback, keeping nothing on disk. Start reading at Start.
package redistest

import (
	"bufio"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ready is what redis-server prints when it serves.
const ready = "Ready to accept connections"

// tries is how often another port is taken because somebody else has it.
const tries = 5

// Server is a running Redis. Its methods are for the test's goroutine.
type Server struct {
	t       testing.TB
	port    int
	process *exec.Cmd // nil while it is down
}

// Start runs a Redis until the test ends. Without redis-server the test is
// skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: apt-get install redis-server")
	}
	s := &Server{t: t}
	t.Cleanup(s.Stop)
	for range tries {
		s.port = freePort(t)
		if s.run() {
			return s
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

// URL is the address of the server.
func (s *Server) URL() string { return "redis://127.0.0.1:" + strconv.Itoa(s.port) + "/0" }

// Stop kills the server, as a crash would.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait() // it was killed: nothing else is to be learned
	s.process = nil
}

// Again starts a stopped server at the same address, empty.
func (s *Server) Again() {
	s.t.Helper()
	if !s.run() {
		s.t.Fatal("redis-server does not start again")
	}
}

func (s *Server) run() bool {
	s.t.Helper()
	cmd := exec.Command("redis-server", "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.t.TempDir(), "--loglevel", "notice")
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.process = cmd
	hurry := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer hurry.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), ready) {
			go func() { // ends with the server
				for lines.Scan() {
				}
			}()
			return true
		}
	}
	s.Stop()
	return false
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
