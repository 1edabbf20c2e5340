package sql

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A cluster is a real PostgreSQL on a free port of loopback, with its files in a
// folder of the test.
type cluster struct {
	t       testing.TB
	bin     string // folder of its programs
	dir     string
	port    int
	process *exec.Cmd // nil while it is down
}

// startPostgres runs one until the test ends. Without PostgreSQL the test is
// skipped.
func startPostgres(t testing.TB) *cluster {
	t.Helper()
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(programs) == 0 {
		t.Skip("PostgreSQL is not installed: apt-get install postgresql")
	}
	c := &cluster{t: t, bin: filepath.Dir(slices.Max(programs))}
	c.dir = c.folder()
	if out, err := c.command("initdb", "-D", c.dir, "-U", "legwork", "-A", "trust", "-N", "--no-instructions").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	t.Cleanup(c.stop)
	for range 5 {
		c.port = freePort(t)
		if c.run() {
			return c
		}
	}
	t.Fatal("postgres does not start")
	return nil
}

func (c *cluster) dsn() string {
	return "postgres://legwork:hunter2@127.0.0.1:" + strconv.Itoa(c.port) + "/postgres?sslmode=disable"
}

// folder is one that whoever runs the server may write to: t.TempDir is below
// a folder that only root may enter.
func (c *cluster) folder() string {
	c.t.Helper()
	dir, err := os.MkdirTemp("", "legwork-postgres-")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if who := c.account(); who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			c.t.Fatal(err)
		}
	}
	return dir
}

// account is who runs the server instead of root, which PostgreSQL refuses; nil:
// whoever runs the test.
func (c *cluster) account() *syscall.Credential {
	c.t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		c.t.Skip("there is no account postgres, and root may not run it")
	}
	uid, _ := strconv.ParseUint(who.Uid, 10, 32)
	gid, _ := strconv.ParseUint(who.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (c *cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	if who := c.account(); who != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	}
	return cmd
}

func (c *cluster) run() bool {
	c.t.Helper()
	cmd := c.command("postgres", "-D", c.dir, "-p", strconv.Itoa(c.port), "-k", c.dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=8MB")
	out, err := cmd.StderrPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.process = cmd
	hurry := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer hurry.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "ready to accept connections") {
			go func() { // ends with the server
				for lines.Scan() {
				}
			}()
			return true
		}
	}
	c.stop()
	return false
}

// stop ends the server at once, with all that it has begun.
func (c *cluster) stop() {
	if c.process == nil {
		return
	}
	_ = c.process.Process.Signal(syscall.SIGQUIT)
	_ = c.process.Wait() // nothing else is to be learned
	c.process = nil
}

// again starts a stopped server at the same address.
func (c *cluster) again() {
	c.t.Helper()
	if !c.run() {
		c.t.Fatal("postgres does not start again")
	}
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
