package main

import (
	"bufio"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/admin"
)

// following is a legwork events that is under way.
type following struct {
	t     *testing.T
	lines <-chan string // closed at its end
}

// follow starts legwork events, and returns once it hears something.
func (r *running) follow(args ...string) *following {
	r.t.Helper()
	cmd := command(r.t.Context(), append([]string{"events", "--admin", r.admin}, args...)...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() { // ends with the process
		defer close(lines)
		for read := bufio.NewScanner(out); read.Scan(); {
			lines <- read.Text()
		}
		if err := cmd.Wait(); err != nil && r.t.Context().Err() == nil {
			r.t.Errorf("legwork events: %v", err)
		}
	}()
	for range 50 {
		if len(lines) > 0 {
			break
		}
		r.ask("trunks", "disable", "pbx")
		r.ask("trunks", "enable", "pbx").expect(r.t, 0)
	}
	return &following{r.t, lines}
}

// until is the first line that says so, of those that come.
func (f *following) until(words ...string) string {
	f.t.Helper()
	var seen []string
	for late := time.After(patience); ; {
		select {
		case line, more := <-f.lines:
			if !more {
				f.t.Fatalf("the stream has ended before %q:\n%s", words, strings.Join(seen, "\n"))
			}
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return line
			}
			seen = append(seen, line)
		case <-late:
			f.t.Fatalf("no %q among\n%s", words, strings.Join(seen, "\n"))
		}
	}
}

func TestEventsAreFollowedToTheEnd(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	people, machines := r.follow(), r.follow("--json", "--types", "call,trunk,drain")
	call := r.talk(alice, bob)
	id := r.id()
	people.until("call.started", id, "sip:alice@", "→ sip:4711@", "(phones → -)")
	people.until("call.answered", id, "(phones → pbx) 200 OK")
	call.hangUp()
	people.until("call.ended", id, "200 OK by caller after ")
	main := filepath.Join(r.dir, "main.lua")
	write(t, main, read(t, main)+"nonsense\n")
	people.until("script.failed", "main.lua:3")
	r.ask("reload").expect(t, 2)
	yaml := filepath.Join(r.dir, "legwork.yaml")
	write(t, yaml, read(t, yaml)+"nonsense: 1\n")
	people.until("config.failed", `unknown key "nonsense"`)
	r.ask("drain")
	people.until("drain.began")
	var last admin.Event
	for line := range machines.lines {
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if last.Type == admin.CallEnded && (last.Call != id || last.TargetTrunk != "pbx" || last.HungUpBy != "caller" || last.Duration <= 0) {
			t.Errorf("%+v", last)
		}
	}
	if last.Type != admin.DrainBegan {
		t.Errorf("the last event is %+v", last)
	}
	if code := r.exit(); code != 0 {
		t.Errorf("exit %d\n%s", code, r.logged())
	}
}

func TestATypeOfEventThatThereIsNotIsNamed(t *testing.T) {
	r := serve(t, deployment(t, "192.0.2.1", ""))
	r.ask("events", "--types", "calls").expect(t, 1, `^legwork: there are no events of type "calls"; types are call\.started, `)
}
