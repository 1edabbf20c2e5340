package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"legwork/b2bua/resolve"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/cmd/legwork/config"
)

const deadFirst = `
local M = {}
function M.on_invite(call)
  local first = call.req.h["X-First"]
  local targets = { { trunk = "pbx" } }
  if first then
    table.insert(targets, 1, first)
  end
  return b2b.route { to = targets, try = 0.5 }
end
return M
`

// BenchmarkFailover measures on real sockets how long after the caller's INVITE
// the second target gets its own, when the first is dead in one of many ways and
// its try is half a second. Each call has a dead target of its own: one that was
// met is remembered.
func BenchmarkFailover(b *testing.B) {
	for _, one := range []struct {
		name  string
		first func(b *testing.B, call int) string
	}{
		{"none", func(*testing.B, int) string { return "" }},
		{"silent", func(b *testing.B, _ int) string { return "sip:x@" + silentSocket(b) }},
		{"ICMP refused", func(b *testing.B, _ int) string { return "sip:x@" + closedSocket(b) }},
		{"TCP refused", func(b *testing.B, _ int) string { return "sip:x@" + closedSocket(b) + ";transport=tcp" }},
		{"TCP silent", func(b *testing.B, _ int) string { return "sip:x@" + silentStream(b) + ";transport=tcp" }},
		{"no such name", func(_ *testing.B, n int) string { return fmt.Sprintf("sip:x@missing%d.example", n) }},
		{"name of a dead address", func(b *testing.B, _ int) string {
			_, port, _ := net.SplitHostPort(closedSocket(b))
			return "sip:x@dead.example:" + port
		}},
		{"name server silent", func(_ *testing.B, n int) string { return fmt.Sprintf("sip:x@unheard%d.example", n) }},
	} {
		b.Run(one.name, func(b *testing.B) {
			servers := []string{nameServer(b, "dead.example. 60 IN A 127.0.0.1")}
			if one.name == "name server silent" {
				servers = []string{silentSocket(b)}
			}
			failover(b, servers, func(n int) string { return one.first(b, n) })
		})
	}
}

func failover(b *testing.B, servers []string, first func(call int) string) {
	alice, bob := agentOf(b), agentOf(b)
	at := failoverEngine(b, servers, bob.Addr.String())
	var all, most time.Duration
	b.ResetTimer()
	for n := range b.N {
		invite := alice.Invite("sip:4711@"+at, "")
		if dead := first(n); dead != "" {
			invite.Set("X-First", dead)
		}
		began := time.Now()
		if _, err := alice.Send(invite, at); err != nil {
			b.Fatal(err)
		}
		in, err := bob.Next(patience, "INVITE")
		if err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		all, most = all+took, max(most, took)
		in.Reply(486, nil)
		if _, err := alice.Next(patience, "486"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(all.Seconds()*1000/float64(b.N), "ms/call")
	b.ReportMetric(most.Seconds()*1000, "ms-at-most")
}

// failoverEngine serves deadFirst and returns its address.
func failoverEngine(b *testing.B, servers []string, pbx string) string {
	b.Helper()
	script := filepath.Join(b.TempDir(), "main.lua")
	if err := os.WriteFile(script, []byte(deadFirst), 0o600); err != nil {
		b.Fatal(err)
	}
	names := resolve.New(resolve.Config{Servers: servers, Hosts: os.DevNull, ResolvConf: os.DevNull})
	b.Cleanup(names.Close)
	cfg := config.Default()
	cfg.Admin.Address, cfg.Script, cfg.Limits.PerSourceCPS = "", script, 0
	cfg.Listen = []config.Listener{{Name: "udp", Transport: "udp", Address: "127.0.0.1:0"}, {Name: "tcp", Transport: "tcp", Address: "127.0.0.1:0"}}
	cfg.Trunks = map[string]*config.Trunk{"phones": {Match: []string{"127.0.0.1"}}, "pbx": {Targets: []config.Target{{URI: "sip:" + pbx}}}}
	e, err := start(b.Context(), setup{Config: cfg, Network: transport.System{DNS: names}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.shutdown(b.Context()); err != nil {
			b.Log(err)
		}
	})
	return e.listeners[0].Local.String()
}

func agentOf(b *testing.B) *simnet.Agent {
	b.Helper()
	a, err := simnet.NewAgent(transport.System{}, "udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(a.Close)
	return a
}

// silentSocket takes datagrams and says nothing.
func silentSocket(b *testing.B) string {
	b.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c.LocalAddr().String()
}

// silentStream takes connections and says nothing.
func silentStream(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// closedSocket is an address that nobody listens on, over UDP or TCP.
func closedSocket(b *testing.B) string {
	b.Helper()
	for {
		at := "127.0.0.1:" + strconv.Itoa(closedPort(b))
		if free(at) {
			return at
		}
	}
}
