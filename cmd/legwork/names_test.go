package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/miekg/dns"

	"legwork/b2bua/resolve"
	"legwork/b2bua/transport"
	"legwork/cmd/legwork/config"
)

// nameServer answers SRV and A on a loopback port.
func nameServer(t testing.TB, records ...string) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: socket, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		for _, text := range records {
			rr, err := dns.NewRR(text)
			if err == nil && rr.Header().Name == q.Question[0].Name && rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = s.Shutdown() })
	return socket.LocalAddr().String()
}

// closedPort is one that nobody listens on.
func closedPort(t testing.TB) int {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	return socket.LocalAddr().(*net.UDPAddr).Port
}

func TestADeadServerOfARealNameIsLeftForTheNext(t *testing.T) {
	alice, bob := agent(t), agent(t)
	server := nameServer(t,
		fmt.Sprintf("_sip._udp.pbx.example. 60 IN SRV 1 1 %d dead.pbx.example.", closedPort(t)),
		fmt.Sprintf("_sip._udp.pbx.example. 60 IN SRV 2 1 %d live.pbx.example.", bob.Addr.Port()),
		"dead.pbx.example. 60 IN A 127.0.0.1", "live.pbx.example. 60 IN A 127.0.0.1")
	names := resolve.New(resolve.Config{Servers: []string{server}, Hosts: os.DevNull, ResolvConf: os.DevNull})
	t.Cleanup(names.Close)
	cfg := config.Default()
	cfg.Admin.Address = ""
	cfg.Listen = []config.Listener{{Name: "udp", Transport: "udp", Address: "127.0.0.1:0"}}
	cfg.Trunks = map[string]*config.Trunk{"phones": {Match: []string{"127.0.0.1"}}, "pbx": {Targets: []config.Target{{URI: "sip:pbx.example"}}}}
	cfg.DefaultRoute = "pbx"
	e, err := start(t.Context(), setup{Config: cfg, Network: transport.System{DNS: names}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	at := e.listeners[0].Local.String()
	began := time.Now()
	if _, err := alice.Send(alice.Invite("sip:4711@"+at, ""), at); err != nil {
		t.Fatal(err)
	}
	invite := next(t, bob, "INVITE")
	if invite.URI != "sip:4711@pbx.example" {
		t.Error("Request-URI", invite.URI)
	}
	t.Logf("the second server was asked after %s", time.Since(began))
	invite.Reply(486, nil)
	next(t, alice, "486")
	if err := e.shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
