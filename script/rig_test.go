package script

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
	"legwork/script/lib"
	"legwork/script/lua"
)

// rig is a policy over files of its own, and what it told.
type rig struct {
	*Policy
	dir     string
	log     *safeBuffer
	mu      sync.Mutex
	errors  map[string]int
	reports chan Report
}

// safeBuffer is a log that a test reads while others write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (r *rig) count(hook string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errors[hook]
}

// table has the trunks pbx and carrier.
func table(t testing.TB, change ...func(name string, one *trunk.Trunk)) *trunk.Table {
	t.Helper()
	trunks := []trunk.Trunk{
		{Name: "carrier", Match: []string{"192.0.2.0/28"}, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.4"}}},
		{Name: "pbx", Match: []string{"192.0.2.99"}, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.99"}}},
	}
	for i := range trunks {
		for _, f := range change {
			f(trunks[i].Name, &trunks[i])
		}
	}
	made, err := trunk.NewTable(trunks, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// write makes a folder of these files.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *rig) config(t testing.TB, change ...func(*Config)) Config {
	trunks := table(t)
	cfg := Config{
		Source: Source{Path: filepath.Join(r.dir, "main.lua")}, Machines: 2,
		Trunks: func() *trunk.Table { return trunks }, States: trunk.NewStates(), Lib: libraries(t),
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
		Errors: func(hook string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.errors[hook]++
		},
		Reloaded: func(rep Report) { r.reports <- rep },
	}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

func libraries(t testing.TB) *lib.Env {
	t.Helper()
	env, err := lib.NewEnv(lib.Config{ReasonPhrase: message.ReasonPhrase, Redis: map[string]lib.Redis{"cache": lib.Nowhere{}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(env.Close)
	return env
}

// try makes a policy of a folder, or says why not.
func try(t testing.TB, files map[string]string, change ...func(*Config)) (*rig, error) {
	t.Helper()
	r := &rig{dir: t.TempDir(), log: &safeBuffer{}, errors: map[string]int{}, reports: make(chan Report, 1000)}
	write(t, r.dir, files)
	p, err := New(context.Background(), r.config(t, change...))
	if err != nil {
		return r, err
	}
	r.Policy = p
	t.Cleanup(p.Close)
	return r, nil
}

// run makes a policy of one main.lua, given without its first and last line.
func run(t testing.TB, body string, change ...func(*Config)) *rig {
	t.Helper()
	r, err := try(t, map[string]string{"main.lua": "local M = {}\n" + body + "\nreturn M\n"}, change...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// refused is the error of a script that does not load.
func refused(t testing.TB, body string, change ...func(*Config)) string {
	t.Helper()
	_, err := try(t, map[string]string{"main.lua": "local M = {}\n" + body + "\nreturn M\n"}, change...)
	if err == nil {
		t.Fatal("it loaded")
	}
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("not Problems: %v", err)
	}
	return err.Error()
}

// fakeCall is the engine's side of one call.
type fakeCall struct {
	mu    sync.Mutex
	notes []string
	codes []int
	ends  []func()
	told  []b2bua.Event
	deaf  bool
}

func (f *fakeCall) Watched() bool { return !f.deaf }

func (f *fakeCall) Tell(ev b2bua.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, ev)
}

func (f *fakeCall) Note(text, where string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, where+" "+text)
}

func (f *fakeCall) HangUp(code int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.codes = append(f.codes, code)
}

func (f *fakeCall) OnEnd(end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = append(f.ends, end)
}

const inviteText = "INVITE sip:+4930123@sbc.example SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK1\r\n" +
	"Max-Forwards: 70\r\n" +
	"f: \"Alice, A.\" <sip:+49891@carrier.example>;tag=a1\r\n" +
	"To: <sip:+4930123@sbc.example>\r\n" +
	"Call-ID: c1@192.0.2.4\r\n" +
	"CSeq: 7 INVITE\r\n" +
	"Contact: <sip:alice@192.0.2.4:5060>\r\n" +
	"P-Asserted-Identity: <sip:+4989555@carrier.example>\r\n" +
	"Diversion: <sip:a@carrier.example>;reason=unconditional, <sip:b@carrier.example>\r\n" +
	"Supported: timer, 100rel\r\n" +
	"X-A: one\r\n" +
	"x-a: two\r\n" +
	"c: application/sdp\r\n" +
	"Content-Length: 222\r\n" +
	"\r\n" + sdpText

const sdpText = "v=0\r\no=- 1 1 IN IP4 192.0.2.4\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\n" +
	"m=audio 4000 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:18 G729/8000\r\n" +
	"a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"

func parse(t testing.TB, text string) *message.Message {
	t.Helper()
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	kept := lines[:0]
	for _, l := range lines {
		if !strings.HasPrefix(l, "Content-Length") {
			kept = append(kept, l)
		}
	}
	m, err := message.Parse([]byte(strings.Join(kept, "\r\n") + "\r\n\r\n" + body))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func invite(t testing.TB) *message.Message { return parse(t, inviteText) }

// answerTo is a response of a callee.
func answerTo(t testing.TB, code int, more ...string) *message.Message {
	t.Helper()
	res := invite(t).Respond(code, "", "b1")
	for _, h := range more {
		name, value, _ := strings.Cut(h, ": ")
		res.Add(name, value)
	}
	return res
}

// call is one call over the policy.
type call struct {
	t      testing.TB
	engine *fakeCall
	b2bua.Router
	view b2bua.View
}

func (r *rig) call(t testing.TB) *call {
	c := &call{t: t, engine: &fakeCall{}}
	c.Router = r.Router(c.engine)
	a := b2bua.Leg{Role: b2bua.RoleA, Trunk: "carrier", Local: "192.0.2.1:5060", Remote: "192.0.2.4:5060"}
	c.view = b2bua.View{
		ID: "call-1", Request: invite(t), Started: time.Now(), A: a,
		Source: b2bua.Source{IP: "192.0.2.4", Port: 5060, Transport: "udp", Trunk: "carrier"},
	}
	return c
}

func (c *call) invite() b2bua.Decided { return c.Invite(context.Background(), c.view) }

// legB is the first callee.
func (c *call) legB() b2bua.Leg {
	return b2bua.Leg{
		Role: b2bua.RoleB, Index: 1, Trunk: "pbx", Target: "sip:+4930123@192.0.2.99", Local: "192.0.2.1:5060", Remote: "192.0.2.99:5060",
	}
}

// branch runs on_branch on an INVITE and gives it back.
func (c *call) branch() *message.Message {
	c.t.Helper()
	req := invite(c.t)
	c.Branch(c.view, c.legB(), req)
	return req
}

// edited runs a body of on_branch and gives the message back, or fails on an
// error of the script.
func edited(t testing.TB, body string) *message.Message {
	t.Helper()
	r := run(t, "function M.on_branch(call, leg, req)\n"+body+"\nend")
	c := r.call(t)
	defer c.Close()
	req := c.branch()
	if r.count("on_branch") > 0 {
		t.Fatalf("%s", r.log)
	}
	return req
}

// fault is the log of a body of on_branch that errs; the message must be as
// it was.
func fault(t testing.TB, body string) string {
	t.Helper()
	r := run(t, "function M.on_branch(call, leg, req)\n"+body+"\nend")
	c := r.call(t)
	defer c.Close()
	before := invite(t).String()
	if after := c.branch().String(); after != before {
		t.Errorf("the message was changed:\n%s", after)
	}
	if r.count("on_branch") != 1 {
		t.Fatalf("%d errors: %s", r.count("on_branch"), r.log)
	}
	return r.log.String()
}

func wantIn(t testing.TB, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in:\n%s", part, got)
		}
	}
}

// withWait gives scripts require "wait": wait.seconds(n).
func withWait(c *Config) {
	c.libraries = map[string]func(*glua.LState) glua.LValue{"wait": func(L *glua.LState) glua.LValue {
		t := L.NewTable()
		lua.Register(L, t, map[string]glua.LGFunction{"seconds": func(L *glua.LState) int {
			n := time.Duration(L.CheckInt(1)) * time.Second
			err := lua.Wait(L, func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(n):
					return nil
				}
			})
			must(L, err)
			return 0
		}})
		return t
	}}
}
