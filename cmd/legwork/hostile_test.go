package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/cmd/legwork/sipptest"
)

// soon has requests that nobody answers given up within a second.
const soon = "sip: {t1: 10ms, t2: 40ms}\n"

// metric reads one number of /metrics.
func (r *running) metric(name string) float64 {
	r.t.Helper()
	res, err := http.Get("http://" + r.admin + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		r.t.Fatalf("no metric %s", name)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// settles waits until a metric is at most a number.
func (r *running) settles(name string, most float64) {
	r.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(50 * time.Second); ; <-tick.C {
		n := r.metric(name)
		if n <= most {
			return
		}
		if time.Now().After(end) {
			r.t.Errorf("%s is %g, not %g", name, n, most)
			return
		}
	}
}

// unhurt fails when the program met a fault of its own.
func (r *running) unhurt() {
	r.t.Helper()
	if log := r.logged(); strings.Contains(log, "panic") || strings.Contains(log, "fault") || strings.Contains(log, "handling a message failed") {
		r.t.Error(log)
	}
}

// request is a request to nobody we know, as text.
func request(method, network, from string, more ...string) string {
	var b strings.Builder
	id := strconv.FormatUint(rand.Uint64(), 36)
	fmt.Fprintf(&b, "%s sip:nobody@legwork.example SIP/2.0\r\n", method)
	fmt.Fprintf(&b, "Via: SIP/2.0/%s %s;branch=z9hG4bK%s;rport\r\n", strings.ToUpper(network), from, id)
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: <sip:mallory@%s>;tag=%s\r\nTo: <sip:nobody@legwork.example>\r\n", from, id)
	fmt.Fprintf(&b, "Call-ID: %s\r\nCSeq: 1 %s\r\nContact: <sip:mallory@%s>\r\n", id, method, from)
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.String()
}

// garbage makes the nth datagram of a seed: noise, or a request that noise has
// been at.
func garbage(r *rand.Rand, from string) []byte {
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	methods := []string{"INVITE", "OPTIONS", "BYE", "CANCEL", "ACK", "REGISTER", "INFO", "PRACK", "SUBSCRIBE", "invite", "\x00", "FOO"}
	b := []byte(request(methods[r.IntN(len(methods))], "udp", from))
	switch r.IntN(12) {
	case 0:
		return nil
	case 1:
		return noise(r.IntN(2000))
	case 2:
		return noise(65507)
	case 3:
		return b[:r.IntN(len(b))]
	case 4:
		return bytes.ReplaceAll(b, []byte("\r\n"), []byte{0, '\r', '\n'})
	case 5:
		return bytes.Replace(b, []byte("Content-Length: 0"), fmt.Appendf(nil, "Content-Length: %d", r.Int64()-1<<62), 1)
	case 6:
		return bytes.Replace(b, []byte("Max-"), bytes.Repeat([]byte("X-Flood: 1\r\n"), 5000), 1)
	case 7:
		return bytes.Replace(b, []byte("Max-"), append([]byte("X-Long: "), append(bytes.Repeat([]byte("("), 60000), '\r', '\n')...), 1)
	case 8:
		return bytes.Replace(b, []byte("INVITE sip"), []byte("SIP/2.0 200 OK"), 1)
	}
	for range 1 + r.IntN(8) {
		b[r.IntN(len(b))] = byte(r.Uint32())
	}
	return b
}

func TestGarbageDisturbsNobody(t *testing.T) {
	pbx := phone(t, "uas.xml")
	r := serve(t, deployment(t, pbx.Local, "sip: {t1: 100ms}\n"))
	before := r.metric("go_goroutines")
	load := sipptest.Start(t, caller(r, "uac.xml", 400, 100))
	socket, err := net.Dial("udp", r.udp)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	random := rand.New(rand.NewPCG(3261, 1))
	tick := time.NewTicker(10 * time.Millisecond) // the kernel must not drop the calls' messages
	defer tick.Stop()
	for i := range 10_000 {
		if _, err := socket.Write(garbage(random, socket.LocalAddr().String())); err != nil {
			t.Fatal(err)
		}
		if i%30 == 0 {
			<-tick.C
		}
	}
	undisturbed(t, load, 400)
	if err := pbx.Stop(); err != nil {
		t.Fatal(err)
	}
	undisturbed(t, pbx, 400)
	r.settles("legwork_calls_active", 0)
	r.settles(`legwork_transactions{role="uas"}`, 0)
	r.settles("go_goroutines", before+20) // those that ask /metrics, and idle ones that wait for calls
	if rss := r.metric("process_resident_memory_bytes"); rss > 200<<20 {
		t.Errorf("%.0f MB resident", rss/(1<<20))
	}
	if r.metric("legwork_malformed_total") < 1000 {
		t.Error("little of it was refused")
	}
	r.unhurt()
}

// undisturbed allows repeats, which a busy machine has, and nothing else.
func undisturbed(t *testing.T, p *sipptest.Process, calls int) {
	t.Helper()
	got, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if got.Successful != calls || got.Failed+got.Unexpected > 0 {
		t.Errorf("%+v\n%s", got, p.Trouble())
	}
}

// stream connects to the program over TCP.
func (r *running) stream() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.tcp)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// status reads the first answer from a stream; 0 when it is closed without.
func status(c net.Conn) int {
	b := make([]byte, 4096)
	n, _ := c.Read(b)
	m, err := message.Parse(b[:n])
	if err != nil {
		return 0
	}
	return m.Status
}

func TestStreamsMayBeCutAnywhere(t *testing.T) {
	r := serve(t, deployment(t, "127.0.0.1:9", ""))
	options := request("OPTIONS", "tcp", "192.0.2.1:5060")
	for name, parts := range map[string][]string{
		"byte by byte": strings.Split(options, ""),
		"two halves":   {options[:70], options[70:]},
	} {
		c := r.stream()
		for _, p := range parts {
			_, _ = io.WriteString(c, p)
		}
		if got := status(c); got != 200 {
			t.Errorf("%s: %d", name, got)
		}
	}
	c := r.stream()
	_, _ = io.WriteString(c, options+request("MESSAGE", "tcp", "192.0.2.1:5060")+request("BYE", "tcp", "192.0.2.1:5060"))
	var got []byte
	for b := make([]byte, 4096); bytes.Count(got, []byte("\r\n\r\n")) < 3; {
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("%v after %s", err, got)
		}
		got = append(got, b[:n]...)
	}
	if !regexp.MustCompile(`(?s)^SIP/2.0 200 .*SIP/2.0 405 .*SIP/2.0 481 `).Match(got) {
		t.Errorf("three at once:\n%s", got)
	}
}

func TestALieAboutTheLengthIsCutOff(t *testing.T) {
	r := serve(t, deployment(t, "127.0.0.1:9", ""))
	options := request("OPTIONS", "tcp", "192.0.2.1:5060")
	for lie, want := range map[string]int{"-1": 400, "99999999999999999999": 400, "70000": 513, "x": 400, "0\r\nContent-Length: 5": 400} {
		c := r.stream()
		_, _ = io.WriteString(c, strings.Replace(options, "Content-Length: 0", "Content-Length: "+lie, 1))
		if got := status(c); got != want {
			t.Errorf("Content-Length %s: %d, want %d", lie, got, want)
		}
	}
	endless := r.stream()
	go func() { _, _ = endless.Write(append([]byte(options[:60]), bytes.Repeat([]byte("x"), 1<<20)...)) }()
	_, _ = io.Copy(io.Discard, endless) // ends when it is cut off
	r.settles("go_goroutines", 40)
	r.unhurt()
}

func TestIdleConnectionsLeaveRoomForOthers(t *testing.T) {
	r := serve(t, deployment(t, "127.0.0.1:9", ""))
	half := request("OPTIONS", "tcp", "192.0.2.1:5060")
	idle := make([]net.Conn, 300)
	for i := range idle {
		idle[i] = r.stream()
		_, _ = io.WriteString(idle[i], half[:len(half)/2])
	}
	other, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", r.tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_ = other.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(other, half)
	if got := status(other); got != 200 {
		t.Errorf("another source: %d", got)
	}
	if n := r.metric("process_open_fds"); n > 260 {
		t.Errorf("%g open files", n)
	}
	_, _ = io.WriteString(idle[0], half[len(half)/2:])
	if got := status(idle[0]); got != 200 {
		t.Errorf("the first of many: %d", got)
	}
	for _, c := range idle {
		_ = c.Close()
	}
	r.settles("process_open_fds", 30)
	r.settles("go_goroutines", 40)
}

func TestUnknownSourcesGetWhatTheConfigurationSays(t *testing.T) {
	for unknown, want := range map[string]int{"reject": 403, "allow": 200, "drop": 0} {
		t.Run(unknown, func(t *testing.T) {
			dir := deployment(t, "127.0.0.1:9", "unknown_sources: "+unknown+"\n")
			config := strings.Replace(read(t, dir+"/legwork.yaml"), "127.0.0.0/8", "127.0.0.2", 1)
			write(t, dir+"/legwork.yaml", config)
			r := serve(t, dir)
			stranger := r.stream()
			_, _ = io.WriteString(stranger, request("OPTIONS", "tcp", "192.0.2.1:5060"))
			if want == 0 { // and nothing for what comes after it
				_, _ = io.WriteString(stranger, request("INVITE", "tcp", "192.0.2.1:5060"))
				_ = stranger.(*net.TCPConn).CloseWrite()
			}
			if got := status(stranger); got != want {
				t.Errorf("%d, want %d", got, want)
			}
		})
	}
}

func tcpAgent(t *testing.T) *simnet.Agent {
	t.Helper()
	a, err := simnet.NewAgent(transport.System{}, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// talkOverTCP is a call from a raw stream, whose Contact is an agent's listening
// socket, to an agent.
func (r *running) talkOverTCP(alice, bob *simnet.Agent) net.Conn {
	r.t.Helper()
	c := r.stream()
	invite := alice.Invite("sip:4711@"+r.tcp, demoSDP)
	invite.Headers = append([]message.Header{{Name: "Via", Value: "SIP/2.0/TCP " + alice.Addr.String() + ";branch=z9hG4bKalice1"}}, invite.Headers...)
	_, _ = c.Write(invite.Bytes())
	next(r.t, bob, "INVITE").Reply(200, withSDP)
	var got []byte
	for b := make([]byte, 4096); !bytes.Contains(got, []byte("SIP/2.0 200 ")); {
		n, err := c.Read(b)
		if err != nil {
			r.t.Fatalf("%v after %s", err, got)
		}
		got = append(got, b[:n]...)
	}
	ok, err := message.Parse(got[bytes.Index(got, []byte("SIP/2.0 200 ")):])
	if err != nil {
		r.t.Fatal(err)
	}
	ack := alice.In(alice.Dialog(invite, ok, false), "ACK", 1)
	ack.Headers = append([]message.Header{{Name: "Via", Value: "SIP/2.0/TCP " + alice.Addr.String() + ";branch=z9hG4bKalice2"}}, ack.Headers...)
	_, _ = c.Write(ack.Bytes())
	next(r.t, bob, "ACK")
	return c
}

func TestByeFindsACallerWhoseConnectionIsGone(t *testing.T) {
	for name, reset := range map[string]bool{"closed": false, "reset": true} {
		t.Run(name, func(t *testing.T) {
			alice, bob := tcpAgent(t), agent(t)
			r := serve(t, deployment(t, bob.Addr.String(), soon))
			c := r.talkOverTCP(alice, bob)
			open := r.metric("process_open_fds")
			if reset {
				_ = c.(*net.TCPConn).SetLinger(0)
			}
			_ = c.Close()
			r.settles("process_open_fds", open-1) // the program has seen it
			r.hangUpAll()
			next(t, alice, "BYE").Reply(200, nil)
			next(t, bob, "BYE").Reply(200, nil)
			r.settles("legwork_calls_active", 0)
		})
	}
}

func TestAByeThatFindsNobodyEndsTheCall(t *testing.T) {
	alice, bob := agent(t), tcpAgent(t)
	r := serve(t, deployment(t, bob.Addr.String()+";transport=tcp", soon))
	r.talk(alice, bob)
	bob.Close()
	r.hangUpAll()
	next(t, alice, "BYE").Reply(200, nil)
	r.settles("legwork_calls_active", 0)
	r.unhurt()
}

// hangUpAll ends each call by the admin API.
func (r *running) hangUpAll() {
	r.t.Helper()
	for _, c := range strings.Fields(run(r.t, r.dir, "calls", "-c", "legwork.yaml", "--admin", r.admin).out) {
		if len(c) == 16 {
			run(r.t, r.dir, "hangup", c, "-c", "legwork.yaml", "--admin", r.admin)
		}
	}
}
