package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/message"
)

const viaTCP = "SIP/2.0/TCP x.example;branch=z9hG4bK1"

func dialTCP(t *testing.T, to *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", to.Local.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// readMessage reads one message without a body.
func readMessage(t *testing.T, c net.Conn) *message.Message {
	t.Helper()
	var b []byte
	for !strings.HasSuffix(string(b), "\r\n\r\n") {
		var one [1]byte
		if _, err := c.Read(one[:]); err != nil {
			t.Fatalf("%v after %q", err, b)
		}
		b = append(b, one[0])
	}
	m, err := message.Parse(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return m
}

func TestAStreamHasNoOtherBordersThanItsMessages(t *testing.T) {
	r := open(t, Config{})
	l := r.listen("tcp")
	one := options(viaTCP, "1")
	two := text("INFO sip:sbc.example SIP/2.0", "Via: "+viaTCP, "From: <sip:a@a.example>;tag=1", "To: <sip:b@b.example>",
		"Call-ID: 2", "CSeq: 2 INFO", "l : 12", "Content-Length: 12", "", "a", "", "\x00\xff", "bcd")
	for name, parts := range map[string][]string{
		"byte by byte":  strings.Split(one+two, ""),
		"both at once":  {one + two},
		"three halves":  {one[:100], one[100:] + two[:150], two[150:]},
		"between lines": {"\r\n" + one, "\r\n", two},
	} {
		c := dialTCP(t, l)
		for _, p := range parts {
			if _, err := io.WriteString(c, p); err != nil {
				t.Fatal(err)
			}
		}
		a, b := r.next(), r.next()
		if a.m.CallID() != "1" || b.m.CallID() != "2" || string(b.m.Body) != "a\r\n\r\n\x00\xff\r\nbcd" || string(b.m.Raw) != two {
			t.Errorf("%s: %s\n%s", name, a.m, b.m)
		}
		r.Send(ResponseFlow(a.m, a.f), a.m.Respond(200, "", "x").Bytes(), nil)
		if res := readMessage(t, c); res.Status != 200 {
			t.Errorf("%s: %s", name, res)
		}
	}
}

func TestAPingGetsItsPong(t *testing.T) {
	r := open(t, Config{})
	c := dialTCP(t, r.listen("tcp"))
	_, _ = io.WriteString(c, "\r\n\r\n"+options(viaTCP, "1")+"\r\n\r\n")
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "\r\n\r\n" {
		t.Errorf("%q %v", got, err)
	}
	r.next()
}

func TestWhatCanNotBeFramedIsRefusedAndCutOff(t *testing.T) {
	r := open(t, Config{MaxMessage: 3000})
	l := r.listen("tcp")
	good := options(viaTCP, "1")
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"no length":    {strings.Replace(good, "Content-Length: 0\r\n", "", 1), 411},
		"bad length":   {strings.Replace(good, "Content-Length: 0", "Content-Length: -9", 1), 400},
		"two lengths":  {strings.Replace(good, "Content-Length: 0", "l: 0\r\nContent-Length: 1", 1), 400},
		"long body":    {strings.Replace(good, "Content-Length: 0", "Content-Length: 99999999", 1), 513},
		"endless head": {good[:len(good)-2] + "X: " + strings.Repeat("x", 9000), 513},
	} {
		socket := dialTCP(t, l)
		_, _ = io.WriteString(socket, c.text)
		if res := readMessage(t, socket); res.Status != c.want || res.CallID() != "1" {
			t.Errorf("%s: %s", name, res)
		}
		_ = socket.(*net.TCPConn).CloseWrite()
		if rest, err := io.ReadAll(socket); err != nil || len(rest) > 0 {
			t.Errorf("%s: still open: %q %v", name, rest, err)
		}
	}
}

// pipe is an accepted connection on virtual time.
func pipe(t *testing.T, story func(r *rig, peer net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, in: make(chan arrived, 10), refused: make(chan Flow, 10)}
		r.Transport = New(Config{PerSource: 2, Network: names{}, Handler: func(m *message.Message, f Flow) { r.in <- arrived{m, f} }})
		ours, theirs := net.Pipe()
		if !r.adopt(&Listener{Name: "edge", Network: "tcp"}, netip.MustParseAddrPort("192.0.2.9:40000"), ours) {
			t.Error("not accepted")
		}
		story(r, theirs)
		_ = theirs.Close()
		r.Close()
	})
}

// closedAfter is how long the peer's connection stays open.
func closedAfter(peer net.Conn) time.Duration {
	start := time.Now()
	_, _ = io.Copy(io.Discard, peer)
	return time.Since(start)
}

func TestHalfAMessageAndSilenceIsCutOff(t *testing.T) {
	pipe(t, func(_ *rig, peer net.Conn) {
		_, _ = io.WriteString(peer, options(viaTCP, "1")[:50])
		if d := closedAfter(peer); d != messageLimit {
			t.Errorf("after %s", d)
		}
	})
}

func TestATrickleDoesNotKeepAMessageOpen(t *testing.T) {
	pipe(t, func(_ *rig, peer net.Conn) {
		start := time.Now()
		for _, c := range options(viaTCP, "1") {
			if _, err := peer.Write([]byte{byte(c)}); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if d := time.Since(start); d > messageLimit+time.Second {
			t.Errorf("open for %s", d)
		}
	})
}

func TestAnIdleConnectionStays(t *testing.T) {
	pipe(t, func(r *rig, peer net.Conn) {
		for _, id := range []string{"1", "2"} {
			time.Sleep(14 * time.Minute)
			_, _ = io.WriteString(peer, options(viaTCP, id)+"\r\n")
			if a := <-r.in; a.m.CallID() != id {
				t.Errorf("%s", a.m)
			}
		}
		if d := closedAfter(peer); d != idleLimit {
			t.Errorf("open for %s", d)
		}
	})
}

func TestASlowReaderDoesNotHoldUsUp(t *testing.T) {
	pipe(t, func(r *rig, peer net.Conn) {
		_, _ = io.WriteString(peer, options(viaTCP, "1"))
		a := <-r.in
		var failures, slow atomic.Int64
		for range 100 { // 6 MB that nobody reads
			r.Send(a.f, make([]byte, 60_000), func(err error) {
				failures.Add(1)
				if errors.Is(err, errSlow) {
					slow.Add(1)
				}
			})
		}
		if n := slow.Load(); n != 100-mostQueued/60_000 && n != 100-mostQueued/60_000-1 {
			t.Errorf("%d over the limit", n)
		}
		time.Sleep(writeLimit + time.Second)
		synctest.Wait()
		if n := failures.Load(); n != 100 {
			t.Errorf("%d of 100 reported as lost", n)
		}
	})
}

func TestOneAddressGetsSoManyConnections(t *testing.T) {
	pipe(t, func(r *rig, peer net.Conn) {
		l := &Listener{Name: "edge", Network: "tcp"}
		adopt := func(addr string) bool {
			ours, _ := net.Pipe()
			return r.adopt(l, netip.MustParseAddrPort(addr), ours)
		}
		if !adopt("192.0.2.9:40001") || adopt("192.0.2.9:40002") || !adopt("192.0.2.10:40000") {
			t.Error("the limit is not 2 for each address")
		}
		_ = peer.Close()
		synctest.Wait()
		if !adopt("192.0.2.9:40003") {
			t.Error("a closed connection still counts")
		}
		if n := r.Counters(); n.Connections != 3 || n.TurnedAway != 1 {
			t.Errorf("%+v", n)
		}
	})
}

func TestARequestDialsAndItsConnectionIsUsedAgain(t *testing.T) {
	r, far := open(t, Config{}), open(t, Config{})
	r.listen("tcp")
	there := far.listen("tcp")
	f, err := r.Flow(Hop{Network: "tcp", Remote: there.Local}, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		r.Send(f, []byte(options(viaTCP, fmt.Sprint(i))), func(err error) { t.Error(err) })
	}
	var back Flow
	for i := range 50 {
		a := far.next()
		if a.m.CallID() != fmt.Sprint(i) {
			t.Fatalf("%s came as %dth", a.m.CallID(), i)
		}
		back = a.f
	}
	far.Send(Flow{Listener: back.Listener, Remote: back.Remote}, []byte(options(viaTCP, "back")), nil)
	if a := r.next(); a.m.CallID() != "back" || a.f.Remote != there.Local {
		t.Errorf("%s from %s", a.m, a.f.Remote)
	}
	if r.Counters().Connections != 1 || far.Counters().Connections != 1 {
		t.Errorf("%d and %d connections", r.Counters().Connections, far.Counters().Connections)
	}
}

func TestAnAnswerDialsWhenItsConnectionIsGone(t *testing.T) {
	r, far := open(t, Config{}), open(t, Config{})
	l, there := r.listen("tcp"), far.listen("tcp")
	c := dialTCP(t, l)
	_, _ = io.WriteString(c, options(fmt.Sprintf("SIP/2.0/TCP 127.0.0.1:%d;branch=z9hG4bK1", there.Local.Port()), "1"))
	a := r.next()
	_ = c.Close()
	for r.Counters().Connections > 0 {
		select { // until the reader has seen it
		case <-r.in:
		case <-time.After(time.Millisecond):
		}
	}
	r.Send(ResponseFlow(a.m, a.f), a.m.Respond(200, "", "x").Bytes(), func(err error) { t.Error(err) })
	if got := far.next(); got.m.Status != 200 {
		t.Errorf("%s", got.m)
	}
}

func TestAnUnreachableTargetFailsEachMessageOnce(t *testing.T) {
	r := open(t, Config{})
	l := r.listen("tcp")
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	remote, _ := addrPort(gone.Addr())
	_ = gone.Close()
	failed := make(chan error, 10)
	for range 3 {
		r.Send(Flow{Listener: l, Remote: remote}, []byte("x"), func(err error) { failed <- err })
	}
	for range 3 {
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%v", err)
		}
	}
	r.Close()
	if n := len(failed); n != 0 {
		t.Errorf("%d too many", n)
	}
	r.Send(Flow{Listener: l, Remote: remote}, []byte("x"), func(err error) { failed <- err })
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestAResetIsReported(t *testing.T) {
	r := open(t, Config{})
	l := r.listen("tcp")
	c := dialTCP(t, l)
	_, _ = io.WriteString(c, options(viaTCP, "1"))
	a := r.next()
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	select {
	case f := <-r.refused:
		if f.Remote != a.f.Remote || f.conn != nil {
			t.Errorf("%+v", f)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody heard of it")
	}
}

// sick is a listener out of file descriptors.
type sick struct {
	net.Listener
	left atomic.Int64
}

func (s *sick) Accept() (net.Conn, error) {
	if s.left.Add(-1) >= 0 {
		return nil, errors.New("too many open files")
	}
	return s.Listener.Accept()
}

func TestAcceptErrorsPass(t *testing.T) {
	r := open(t, Config{})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sick{Listener: inner}
	s.left.Store(3)
	local, _ := addrPort(inner.Addr())
	l := &Listener{Network: "tcp", Local: local, stream: s}
	r.listeners = append(r.listeners, l)
	r.spawn(func() { r.accept(l) })
	_, _ = io.WriteString(dialTCP(t, l), options(viaTCP, "1"))
	r.next()
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte(options(viaTCP, "1")+"\r\n\r\n"+options(viaTCP, "2")), uint8(7))
	f.Add([]byte("\r\r\nINVITE\r\n\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		cut := func(step int) (all []string, end error) {
			in := frames{most: 2000}
			for rest := b; ; {
				frame, _, err := in.next()
				if err != nil {
					return all, err
				}
				if frame != nil {
					all = append(all, string(frame))
					continue
				}
				if len(rest) == 0 {
					return all, nil
				}
				n := min(step, len(rest))
				in.add(rest[:n])
				rest = rest[n:]
			}
		}
		whole, _ := cut(1 << 20)
		parts, _ := cut(max(int(step), 1))
		if len(parts) < len(whole) || strings.Join(parts[:len(whole)], "|") != strings.Join(whole, "|") {
			t.Errorf("%q\n%q", whole, parts)
		}
		for _, one := range whole {
			if one == "" {
				t.Error("an empty frame")
			}
		}
	})
}
