package main

import (
	"bytes"
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"legwork/cmd/legwork/sipptest"
)

// TestEveryCommandOfTheExamplesRuns types what the README of each example says,
// in its order, with other ports. What serves goes on beside the rest; what ends
// must end well, callers after two calls.
func TestEveryCommandOfTheExamplesRuns(t *testing.T) {
	pages, err := filepath.Glob("../../examples/*/README.md")
	if err != nil || len(pages) < 4 {
		t.Fatalf("%v, %v", pages, err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(filepath.Dir(page)), func(t *testing.T) {
			t.Parallel()
			root, ports := checkout(t)
			for _, line := range commandsOf(read(t, page)) {
				typed(t, root, ports.Replace(line))
			}
		})
	}
}

// commandsOf are the indented lines of a page outside of its fences; one that ends
// in a backslash goes on in the next.
func commandsOf(page string) (all []string) {
	page = regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(page, "")
	page = strings.ReplaceAll(page, "\\\n", " ")
	for _, at := range regexp.MustCompile(`(?m)^    (\S.*)$`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(at[1], "go test ") { // it is one of these
			all = append(all, at[1])
		}
	}
	return all
}

// checkout is a folder with the examples and the program where a checkout has
// them, and what stands for the ports in the pages.
func checkout(t *testing.T) (root string, ports *strings.Replacer) {
	t.Helper()
	root = t.TempDir()
	var pairs []string
	for _, port := range []string{"5060", "5061", "5080", "5090", "8080", "8060", "8000", "8443"} {
		pairs = append(pairs, port, freePort(t))
	}
	ports = strings.NewReplacer(pairs...)
	examples := filepath.Join(root, "examples")
	if err := os.CopyFS(examples, os.DirFS("../../examples")); err != nil {
		t.Fatal(err)
	}
	for _, deep := range []string{"*", "*/*"} {
		files, err := filepath.Glob(filepath.Join(examples, deep, "legwork.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text := read(t, file)
			if !strings.Contains(text, "\nadmin:") {
				text += "admin: {address: \"127.0.0.1:8060\"}\n" // the default
			}
			write(t, file, ports.Replace(text))
		}
	}
	if err := os.Mkdir(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.Getenv(binaryVariable), filepath.Join(root, "bin", "legwork")); err != nil {
		t.Fatal(err)
	}
	return root, ports
}

// freePort is free on every address, below those that the kernel gives away.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := 25_000 + mathrand.IntN(5_000)
		c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		if err != nil {
			continue
		}
		if c.Close() == nil && free(":"+strconv.Itoa(port)) {
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no port is free")
	return ""
}

var (
	serves      = regexp.MustCompile(`^bin/legwork run |^sipp -sn uas |^sipp -sf \S+ -i \S+ -p \d+$|^python3 -m http\.server (\d+)`)
	named       = regexp.MustCompile(` -c (\S+)`) // a configuration
	placesCalls = regexp.MustCompile(`^sipp .* -sn uac |^sipp -sn uac `)
)

// typed types one command.
func typed(t *testing.T, root, line string) {
	t.Helper()
	words := strings.Fields(line)
	if _, err := exec.LookPath(words[0]); err != nil && !strings.Contains(words[0], "/") {
		t.Skipf("%s is not in PATH", words[0])
	}
	if serves.MatchString(line) {
		beside(t, "sh", "-c", fmt.Sprintf("cd %s && exec %s", root, line))
		for _, at := range listensOn(t, root, line) {
			sipptest.Listening(t, at)
		}
		if config := named.FindStringSubmatch(line); config != nil && strings.Contains(read(t, filepath.Join(root, config[1])), "register:") {
			awaitRegistration(t, root, config[1])
		}
		return
	}
	if placesCalls.MatchString(line) && !strings.Contains(line, " -m ") {
		line += " -m 2"
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &out, &out
	cmd.WaitDelay = time.Second // what the shell has started may outlive it
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s", line, err, out.String())
	}
}

// listensOn are the addresses of what a command serves.
func listensOn(t *testing.T, root, line string) (all []string) {
	t.Helper()
	if config := named.FindStringSubmatch(line); config != nil {
		for _, at := range regexp.MustCompile(`address: "([\d.]+:\d+)"`).FindAllStringSubmatch(read(t, filepath.Join(root, config[1])), -1) {
			all = append(all, at[1])
		}
		return all
	}
	port := regexp.MustCompile(`(?:-p|http\.server) (\d+)`).FindStringSubmatch(line)
	host := regexp.MustCompile(`(?:-i|-b) (\S+)`).FindStringSubmatch(line)
	if port == nil || host == nil {
		t.Fatalf("%s: where?", line)
	}
	return []string{host[1] + ":" + port[1]}
}

// awaitRegistration waits until the program's own account has a registration.
func awaitRegistration(t *testing.T, root, config string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience / 2); ; <-tick.C {
		got := run(t, root, "trunks", "-c", config)
		if regexp.MustCompile(` until \d`).MatchString(got.out) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not registered: %+v", got)
		}
	}
}
