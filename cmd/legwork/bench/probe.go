package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// probe is a second caller beside SIPp that times INVITE to 180: SIPp's own
// clock moves in steps of 4 ms. It sends nothing twice, so a lost message is a
// lost call.
type probe struct {
	conn net.Conn
	uri  string // what is called
	wave wave
	wg   sync.WaitGroup
	stop context.CancelFunc

	mu    sync.Mutex // guards calls and times
	calls map[string]*probeCall
	times []time.Duration
}

type probeCall struct {
	sent   time.Time
	ring   time.Duration // INVITE to 180; 0 while it has not rung
	over   bool          // the BYE was answered
	routes []string
	target string
	to     string
}

// setUp is what the probe saw.
type setUp struct {
	times []time.Duration // sorted; one for each complete call
	lost  int
}

// probeEvery is the time between two calls of the probe: often enough for a
// p99, too seldom to be a load.
const probeEvery = 20 * time.Millisecond

func startProbe(ctx context.Context, remote, number string, w wave) (*probe, error) {
	conn, err := net.Dial("udp4", remote)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	p := &probe{conn: conn, uri: "sip:" + number + "@" + remote, wave: w, stop: stop, calls: map[string]*probeCall{}}
	p.wg.Go(p.read)
	p.wg.Go(func() { p.place(ctx) })
	return p, nil
}

// place calls as long as SIPp begins calls.
func (p *probe) place(ctx context.Context) {
	every := time.NewTicker(probeEvery)
	defer every.Stop()
	left := int(time.Duration(p.wave.calls) * time.Second / time.Duration(p.wave.rate) / probeEvery)
	for n := range left {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		p.mu.Lock()
		id := fmt.Sprintf("probe-%d@%s", n, p.conn.LocalAddr())
		p.calls[id] = &probeCall{sent: time.Now()}
		p.mu.Unlock()
		p.send("INVITE "+p.uri, id, "INVITE", 1, nil, "", sdp)
	}
}

const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"

func (p *probe) send(line, id, method string, cseq int, routes []string, to, body string) {
	local := p.conn.LocalAddr()
	if to == "" {
		to = "<" + p.uri + ">"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s\r\nMax-Forwards: 70\r\n", line, local, method, strings.Map(token, id))
	for _, route := range routes {
		fmt.Fprintf(&b, "Route: %s\r\n", route)
	}
	fmt.Fprintf(&b, "From: <sip:probe@%[1]s>;tag=probe\r\nTo: %[2]s\r\nCall-ID: %[3]s\r\nCSeq: %[4]d %[5]s\r\nContact: <sip:probe@%[1]s>\r\n",
		local, to, id, cseq, method)
	if body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	_, _ = p.conn.Write([]byte(b.String())) // a message that did not leave is a lost call
}

// token drops what a Via branch may not hold.
func token(r rune) rune {
	if strings.ContainsRune("@:", r) {
		return '.'
	}
	return r
}

func (p *probe) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := p.conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.receive(time.Now(), string(buf[:n]))
		}
	}
}

// receive takes a response; requests and answers to no call are not for it.
func (p *probe) receive(now time.Time, text string) {
	head, _, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	field := map[string][]string{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		field[strings.ToLower(name)] = append(field[strings.ToLower(name)], strings.TrimSpace(value))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	id := first(field["call-id"])
	c := p.calls[id]
	switch {
	case c == nil:
	case strings.HasPrefix(text, "SIP/2.0 180 ") && c.ring == 0:
		c.ring = now.Sub(c.sent)
	case strings.HasPrefix(text, "SIP/2.0 200 ") && strings.HasSuffix(first(field["cseq"]), " BYE"):
		if !c.over && c.ring > 0 {
			p.times = append(p.times, c.ring)
		}
		c.over = true
	case strings.HasPrefix(text, "SIP/2.0 200 ") && c.target == "":
		p.answered(c, id, field)
	}
}

// answered acknowledges, and hangs up after the wave's hold: a BYE right behind
// the ACK may overtake it in a proxy of several processes.
func (p *probe) answered(c *probeCall, id string, field map[string][]string) {
	_, uri, _ := strings.Cut(first(field["contact"]), "<")
	c.target, _, _ = strings.Cut(uri, ">")
	c.to = first(field["to"])
	for _, value := range field["record-route"] {
		c.routes = append(c.routes, strings.Split(value, ",")...)
	}
	slices.Reverse(c.routes) // RFC 3261 section 12.1.2
	line, routes, to := c.target, c.routes, c.to
	p.send("ACK "+line, id, "ACK", 1, routes, to, "")
	time.AfterFunc(p.wave.hold, func() { p.send("BYE "+line, id, "BYE", 2, routes, to, "") })
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// end waits a little for what is under way and returns what was seen.
func (p *probe) end() setUp {
	patience := time.After(2*time.Second + p.wave.hold)
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for waiting := true; waiting; {
		select {
		case <-patience:
			waiting = false
		case <-every.C:
			waiting = p.pending() > 0
		}
	}
	p.stop()
	_ = p.conn.Close()
	p.wg.Wait()
	slices.Sort(p.times)
	return setUp{times: p.times, lost: len(p.calls) - len(p.times)}
}

func (p *probe) pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls) - len(p.times)
}

// percentile is in milliseconds; 0 without a call.
func (s setUp) percentile(n int) float64 {
	if len(s.times) == 0 {
		return 0
	}
	return s.times[min(len(s.times)-1, len(s.times)*n/100)].Seconds() * 1000
}
