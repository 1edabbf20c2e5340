package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"legwork/cmd/legwork/sipptest"
)

// flowScript routes by the user part, which names the flow.
const flowScript = `
local M = {}

local routes = {
  one = function() return { to = { trunk = "first" } } end,
  both = function() return { to = { { trunk = "first" }, { trunk = "second" } }, try = 0.4 } end,
  refers = function() return { to = { trunk = "first" }, refer = "local" } end,
  target = function() return { to = { trunk = "second" } } end,
  brief = function() return { to = { { trunk = "first" }, { trunk = "second" } }, ring = 0.3 } end,
}

function M.on_invite(call)
  local route = routes[call.req.uri.user]
  return route and b2b.route(route()) or nil
end

return M
`

// between is the transport of the caller and of the callees: SIPp's -t.
type between struct{ caller, callee string }

func (b between) String() string { return b.caller + " to " + b.callee }

// flow is one story that SIPp plays through the program.
type flow struct {
	user          string // of flowScript; "": one
	caller        string // scenarios
	first, second string // second may be "": nobody is there
	refused       string // @STATUS@ of the caller, where its scenario has one
	pause         time.Duration
	more          string // configuration
	repeats       bool   // are what the flow is about; SIPp knows them over UDP only
}

var flows = map[string]flow{
	"C1 basic call":                    {caller: "uac", first: "uas"},
	"C1 callee hangs up":               {caller: "uac_hungup", first: "uas_bye"},
	"C3 busy":                          {caller: "uac_refused", refused: "486", first: "uas_busy"},
	"C4 cancelled while ringing":       {caller: "uac_cancel", first: "uas_ringing"},
	"C6 nobody answers":                {user: "brief", caller: "uac_ringing_refused", refused: "480", first: "uas_ringing"},
	"C7 overloaded, then the next":     {user: "both", caller: "uac", first: "uas_503", second: "uas"},
	"C7 silent, then the next":         {user: "both", caller: "uac", first: "uas_silent", second: "uas", pause: 700 * time.Millisecond, repeats: true},
	"C12 late offer":                   {caller: "uac_late_offer", first: "uas_late_offer"},
	"C15 first ACK lost":               {caller: "uac_late_ack", first: "uas", pause: 700 * time.Millisecond, repeats: true},
	"C15 every ACK lost":               {caller: "uac_no_ack", first: "uas", more: "sip: {t1: 20ms}\n", repeats: true},
	"C20 caller holds and resumes":     {caller: "uac_reinvite", first: "uas_reinvite"},
	"C20 callee holds and resumes":     {caller: "uac_held", first: "uas_hold"},
	"C25 session timers":               {caller: "uac_timer", first: "uas_timer", more: "sip: {timer: {expires: 300}}\n"},
	"C26 transfer done here":           {user: "refers", caller: "uac_transferred", first: "uas_refer", second: "uas", pause: 300 * time.Millisecond},
	"C29 a digit":                      {caller: "uac_info", first: "uas_info"},
	"C7 nobody listens, then the next": {user: "both", caller: "uac", second: "uas"},
}

func TestEveryFlowCrosses(t *testing.T) {
	sipptest.Find(t)
	for name, f := range flows {
		for _, b := range []between{{"u1", "u1"}, {"t1", "t1"}, {"tn", "t1"}, {"t1", "u1"}, {"u1", "t1"}} {
			if f.repeats && b.caller != "u1" {
				continue
			}
			t.Run(name+"/"+b.String(), func(t *testing.T) {
				t.Parallel()
				f.play(t, b, "127.0.0.1")
			})
		}
	}
}

func TestEveryFlowCrossesOverIPv6(t *testing.T) {
	sipptest.Find(t)
	if c, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
		t.Skip("this machine has no IPv6 loopback: ", err)
	} else {
		_ = c.Close()
	}
	for _, name := range []string{"C1 basic call", "C1 callee hangs up", "C4 cancelled while ringing", "C7 overloaded, then the next", "C20 caller holds and resumes"} {
		for _, b := range []between{{"u1", "u1"}, {"t1", "u1"}} {
			t.Run(name+"/"+b.String(), func(t *testing.T) {
				t.Parallel()
				flows[name].play(t, b, "::1")
			})
		}
	}
}

// play runs the flow between SIPps at an address.
func (f flow) play(t *testing.T, b between, host string) {
	first, firstAt := f.callee(t, b, host, f.first)
	second, secondAt := f.callee(t, b, host, f.second)
	r := serve(t, flowDeployment(t, host, trunkURI(firstAt, b.callee), trunkURI(secondAt, b.callee), f.more))
	s := sipptest.Scenario{
		File: "testdata/sipp/" + f.caller + ".xml", Transport: b.caller, Service: f.user, Calls: 1,
		Local: freeAddress(t, host), Remote: r.listening(b.caller, host), Pause: max(f.pause, 30*time.Millisecond),
		Args: []string{"-max_socket", "100"},
	}
	if s.Service == "" {
		s.Service = "one"
	}
	if f.refused != "" {
		s.Set = map[string]string{"STATUS": f.refused}
	}
	f.finish(t, sipptest.Start(t, s))
	for _, p := range []*sipptest.Process{first, second} {
		if p != nil {
			f.finish(t, p)
		}
	}
	if t.Failed() {
		t.Log(r.logged())
	}
}

// callee starts a scenario, or finds an address that nobody listens on.
func (f flow) callee(t *testing.T, b between, host, scenario string) (*sipptest.Process, string) {
	t.Helper()
	local := freeAddress(t, host)
	if scenario == "" {
		return nil, local
	}
	return sipptest.Start(t, sipptest.Scenario{
		File: "testdata/sipp/" + scenario + ".xml", Transport: strings.Replace(b.callee, "tn", "t1", 1), Calls: 1,
		Local: local, Pause: max(f.pause, 30*time.Millisecond),
	}), local
}

func (f flow) finish(t *testing.T, p *sipptest.Process) {
	t.Helper()
	if !f.repeats {
		sipptest.Finish(t, p)
		return
	}
	got, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if got.Successful != 1 || got.Unexpected+got.Stray+got.Failed > 0 {
		t.Errorf("%+v\n%s", got, p.Trouble())
	}
}

// flowDeployment serves flowScript to anybody on loopback.
func flowDeployment(t *testing.T, host, first, second, more string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "main.lua"), flowScript)
	listen := `  - {name: udp, transport: udp, address: "127.0.0.1:0"}
  - {name: tcp, transport: tcp, address: "127.0.0.1:0"}
`
	if host == "::1" {
		listen += `  - {name: udp6, transport: udp, address: "[::1]:0"}
  - {name: tcp6, transport: tcp, address: "[::1]:0"}
`
	}
	write(t, filepath.Join(dir, "legwork.yaml"), "listen:\n"+listen+`script: main.lua
admin: {address: "127.0.0.1:0"}
limits: {per_source_cps: 0}
log: {level: debug}
trunks:
  phones: {match: ["127.0.0.0/8", "::1/128"]}
  first: {targets: ["`+first+`"]}
  second: {targets: ["`+second+`"]}
`+more)
	return dir
}

func trunkURI(addr, transport string) string {
	if transport[0] == 't' {
		return "sip:" + addr + ";transport=tcp"
	}
	return "sip:" + addr
}

// listening is the listener for SIPp's transport at an address.
func (r *running) listening(transport, host string) string {
	r.t.Helper()
	network := map[byte]string{'u': "udp", 't': "tcp"}[transport[0]]
	if host == "127.0.0.1" {
		return map[string]string{"udp": r.udp, "tcp": r.tcp}[network]
	}
	return r.waitFor(network + ` (\[` + host + `\]:\d+)`)[1]
}

// freeAddress is sipptest.Address, for ::1 too.
func freeAddress(t *testing.T, host string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(sipptest.Address(t))
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(host, port)
}
