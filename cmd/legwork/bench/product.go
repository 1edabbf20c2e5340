package main

import (
	"bytes"
	"context"
	_ "embed" // the configurations below
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"legwork/cmd/legwork/sipptest"
)

//go:embed kamailio.cfg
var kamailioConfig string

//go:embed legwork.yaml
var legworkConfig string

// product is a running SIP element between caller and callee.
type product struct {
	name   string
	listen string // where callers send to
	callee string // where it sends its calls
	admin  string // Legwork's HTTP address; empty for Kamailio
	dir    string // its files, removed by stop
	cmd    *exec.Cmd
	log    bytes.Buffer  // what it says; read after gone
	gone   chan struct{} // closed when it has ended
}

// start runs a product and returns when it answers SIP.
func (p plan) start(ctx context.Context, name string) (*product, error) {
	dir, err := os.MkdirTemp("", "legwork-bench-")
	if err != nil {
		return nil, err
	}
	b := &product{name: name, dir: dir, gone: make(chan struct{})}
	for _, addr := range []*string{&b.listen, &b.callee, &b.admin} {
		if *addr, err = sipptest.FreeAddress(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	if b.cmd, err = p.command(ctx, b); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	b.cmd.Cancel = func() error { return b.cmd.Process.Signal(syscall.SIGTERM) }
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that stop reaches its children
	b.cmd.WaitDelay = 5 * time.Second
	if err := b.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), os.RemoveAll(dir))
	}
	go func() {
		_ = b.cmd.Wait() // how it went shows in answers and in its log
		close(b.gone)
	}()
	if err := b.answers(ctx); err != nil {
		b.stop()
		return nil, fmt.Errorf("%w\n%s", err, b.said())
	}
	return b, nil
}

// command writes a product's configuration and says how to run it.
func (p plan) command(ctx context.Context, b *product) (*exec.Cmd, error) {
	script, err := filepath.Abs(p.script)
	if err != nil {
		return nil, err
	}
	text, file := legworkConfig, filepath.Join(b.dir, "legwork.yaml")
	if b.name == "kamailio" {
		text, file = kamailioConfig, filepath.Join(b.dir, "kamailio.cfg")
		b.admin = ""
	}
	var out bytes.Buffer
	err = template.Must(template.New(b.name).Parse(text)).Execute(&out, map[string]any{
		"Listen": b.listen, "Callee": b.callee, "Admin": b.admin, "Script": script, "Timers": p.timers,
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		return nil, err
	}
	if b.name == "kamailio" {
		// -DD: stay in front; 512 MB shared, 16 MB private memory, taken as needed.
		return exec.CommandContext(ctx, p.kamailio, "-f", file, "-m", "512", "-M", "16",
			"-Y", b.dir, "-P", filepath.Join(b.dir, "pid"), "-DD", "-E"), nil
	}
	return exec.CommandContext(ctx, p.legwork, "run", "-c", file), nil
}

// answers waits for any answer to OPTIONS: the socket is open and the product
// reads it.
func (b *product) answers(ctx context.Context) error {
	conn, err := net.Dial("udp4", b.listen)
	if err != nil {
		return err
	}
	defer conn.Close()
	const tries = 100
	buf := make([]byte, 4096)
	for try := range tries {
		select {
		case <-b.gone:
			return fmt.Errorf("%s ended at once", b.name)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if _, err := conn.Write(options(conn.LocalAddr().String(), b.listen, try)); err != nil {
			continue // refused: not open yet
		}
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := conn.Read(buf); err == nil && strings.HasPrefix(string(buf[:n]), "SIP/2.0 ") {
			return nil
		}
	}
	return fmt.Errorf("%s does not answer OPTIONS on %s", b.name, b.listen)
}

func options(local, remote string, try int) []byte {
	return fmt.Appendf(nil, "OPTIONS sip:%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[1]s;branch=z9hG4bKready%[3]d\r\n"+
		"Max-Forwards: 70\r\nFrom: <sip:bench@%[1]s>;tag=ready\r\nTo: <sip:%[2]s>\r\nCall-ID: ready-%[3]d@%[1]s\r\n"+
		"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", local, remote, try)
}

// said is what a product that has ended wrote.
func (b *product) said() string {
	select {
	case <-b.gone:
		return b.log.String()
	case <-time.After(time.Second):
		return ""
	}
}

// stop ends the product and removes its files.
func (b *product) stop() {
	_ = b.cmd.Process.Signal(syscall.SIGTERM) // it may have gone by itself
	select {
	case <-b.gone:
	case <-time.After(40 * time.Second):
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
		<-b.gone
	}
	_ = os.RemoveAll(b.dir) // a folder left in /tmp harms nothing
}
