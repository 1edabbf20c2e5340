package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
)

// browser is the client's end of a WebSocket.
type browser struct {
	*testing.T
	net.Conn
	buffered *bufio.Reader
}

func (b browser) Read(p []byte) (int, error) {
	if b.buffered != nil && b.buffered.Buffered() > 0 {
		return b.buffered.Read(p)
	}
	return b.Conn.Read(p)
}

func browse(t *testing.T, d ws.Dialer, url string) (browser, error) {
	t.Helper()
	c, buffered, _, err := d.Dial(context.Background(), url)
	if err != nil {
		return browser{}, err
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return browser{t, c, buffered}, nil
}

func (b browser) send(frames ...ws.Frame) {
	b.Helper()
	for _, f := range frames {
		if err := ws.WriteFrame(b, ws.MaskFrame(f)); err != nil {
			b.Fatal(err)
		}
	}
}

// receive is the next data frame; control frames are answered.
func (b browser) receive() (string, error) {
	got, err := wsutil.ReadServerText(b)
	return string(got), err
}

func TestABrowserSpeaksSIPOverBothKindsOfWebSocket(t *testing.T) {
	ca := authority(t)
	for network, d := range map[string]ws.Dialer{
		"ws":  {Protocols: []string{"chat", "sip"}},
		"wss": {Protocols: []string{"sip"}, TLSConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: "web.example"}},
	} {
		server := newParty(t, network, transport.Identity{Certificate: certificate(t, ca, "web.example")})
		b, err := browse(t, d, network+"://"+server.listener.Local.String()+"/sip")
		if err != nil {
			t.Fatal(err)
		}
		b.send(ws.NewTextFrame([]byte("\r\n\r\n")))
		if got, err := b.receive(); got != "\r\n" {
			t.Errorf("%s: pong %q %v", network, got, err)
		}
		b.send(ws.NewTextFrame([]byte(strings.ReplaceAll(ping, "TLS a.example", "WS q7.invalid"))))
		a := server.next()
		if a.f.Network() != network || a.f.Param() != "ws" || a.f.Secure() != (network == "wss") || !a.f.Stream() {
			t.Errorf("%s: %+v", network, a.f)
		}
		server.Send(transport.ResponseFlow(a.m, a.f), a.m.Respond(200, "", "x").Bytes(), func(err error) { t.Error(err) })
		if got, err := b.receive(); !strings.HasPrefix(got, "SIP/2.0 200 OK\r\nVia: SIP/2.0/WS q7.invalid;branch=z9hG4bK1;received=127.0.0.1") {
			t.Errorf("%s: %q %v", network, got, err)
		}
		if f, ok := server.Redeem(server.Token(a.f)); !ok || f != a.f {
			t.Errorf("%s: the flow can't be kept", network)
		}
	}
}

func TestAWebSocketWithoutTheSubprotocolIsRefused(t *testing.T) {
	server := newParty(t, "ws", transport.Identity{})
	for _, protocols := range [][]string{nil, {"chat"}, {"SIP"}} {
		_, err := browse(t, ws.Dialer{Protocols: protocols}, "ws://"+server.listener.Local.String())
		if status, ok := errors.AsType[ws.StatusError](err); !ok || status != 400 {
			t.Errorf("%q: %v", protocols, err)
		}
	}
	server.Close() // the refusal is counted behind the answer
	if n := server.Counters().Handshakes; n != 3 {
		t.Errorf("%d handshakes failed", n)
	}
}

func TestOnlyPagesOfTheListedOriginsComeIn(t *testing.T) {
	server := newParty(t, "udp", transport.Identity{})
	l, err := server.Listen(transport.ListenerConfig{Network: "ws", Address: "127.0.0.1:0", Origins: []string{"https://phone.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]ws.StatusError{"https://phone.example": 0, "": 0, "https://other.example": 403, "null": 403, "https://phone.example.other.example": 403} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		_, err := browse(t, ws.Dialer{Protocols: []string{"sip"}, Header: ws.HandshakeHeaderHTTP(header)}, "ws://"+l[0].Local.String())
		if got, _ := errors.AsType[ws.StatusError](err); got != want || want == 0 && err != nil {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

func TestAMessageComesInAsManyFramesAsItsSenderLikes(t *testing.T) {
	server := newParty(t, "ws", transport.Identity{})
	b, err := browse(t, ws.Dialer{Protocols: []string{"sip"}}, "ws://"+server.listener.Local.String())
	if err != nil {
		t.Fatal(err)
	}
	whole := []byte(ping)
	b.send(
		ws.NewFrame(ws.OpBinary, false, whole[:10]), ws.NewPingFrame([]byte("there?")), ws.NewFrame(ws.OpContinuation, false, nil),
		ws.NewFrame(ws.OpContinuation, true, whole[10:]), ws.NewBinaryFrame(whole),
	)
	for range 2 {
		if a := server.next(); !bytes.Equal(a.m.Raw, whole) {
			t.Errorf("%s", a.m.Raw)
		}
	}
	if f, err := ws.ReadFrame(b); err != nil || f.Header.OpCode != ws.OpPong || string(f.Payload) != "there?" {
		t.Errorf("%+v %v", f, err)
	}
}

func TestAWebSocketThatBreaksTheRulesIsClosed(t *testing.T) {
	server := newParty(t, "ws", transport.Identity{})
	large := ws.MaskFrame(ws.NewBinaryFrame(make([]byte, 65536)))
	for name, c := range map[string]struct {
		frame ws.Frame
		code  ws.StatusCode
	}{
		"unmasked":     {ws.NewTextFrame([]byte(ping)), ws.StatusProtocolError},
		"continuation": {ws.MaskFrame(ws.NewFrame(ws.OpContinuation, true, nil)), ws.StatusProtocolError},
		"too large":    {large, ws.StatusMessageTooBig},
		"closed":       {ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, ""))), ws.StatusGoingAway},
	} {
		b, err := browse(t, ws.Dialer{Protocols: []string{"sip"}}, "ws://"+server.listener.Local.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = ws.WriteFrame(b, c.frame)
		f, err := ws.ReadFrame(b)
		code, _ := ws.ParseCloseFrameData(f.Payload)
		if err != nil || f.Header.OpCode != ws.OpClose || code != c.code {
			t.Errorf("%s: %+v %d %v", name, f.Header, code, err)
		}
		if _, err := b.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: still open", name)
		}
	}
}

func TestAWebSocketThatIsGoneCanNotBeDialled(t *testing.T) {
	server := newParty(t, "ws", transport.Identity{})
	b, err := browse(t, ws.Dialer{Protocols: []string{"sip"}}, "ws://"+server.listener.Local.String())
	if err != nil {
		t.Fatal(err)
	}
	b.send(ws.NewTextFrame([]byte(ping)), ws.NewCloseFrame(nil))
	a := server.next()
	_, _ = io.Copy(io.Discard, b)
	for server.Counters().Connections > 0 {
		runtime.Gosched() // until the reader has seen it
	}
	var failed error
	if server.Send(a.f, []byte(ping), func(err error) { failed = err }); !errors.Is(failed, transport.ErrClosed) {
		t.Errorf("%v", failed)
	}
	if _, err := server.Resolve(context.Background(), "sip:q7@127.0.0.1;transport=ws"); err == nil || !strings.Contains(err.Error(), "can't be dialled") {
		t.Errorf("%v", err)
	}
}

// quiet plays a WebSocket on virtual time.
func quiet(t *testing.T, story func(server *transport.Transport, client net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := simnet.New(simnet.Faults{})
		server := transport.New(transport.Config{Network: network, Handler: func(*message.Message, transport.Flow) {}})
		l, err := server.Listen(transport.ListenerConfig{Network: "ws", Address: "192.0.2.10:80"})
		if err != nil {
			t.Fatal(err)
		}
		c, err := network.Dial(t.Context(), netip.MustParseAddr("192.0.2.1"), l[0].Local)
		if err != nil {
			t.Fatal(err)
		}
		story(server, c)
		_ = c.Close()
		server.Close()
	})
}

func TestASilentBrowserIsAskedWhetherItIsThere(t *testing.T) {
	quiet(t, func(_ *transport.Transport, c net.Conn) {
		start := time.Now()
		if _, _, err := (ws.Dialer{Protocols: []string{"sip"}}).Upgrade(c, &url.URL{Host: "192.0.2.10"}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			f, err := ws.ReadFrame(c)
			if err != nil || f.Header.OpCode != ws.OpPing {
				t.Fatalf("%+v %v", f, err)
			}
			_ = ws.WriteFrame(c, ws.MaskFrame(ws.NewPongFrame(f.Payload)))
		}
		_, _ = io.Copy(io.Discard, c) // from now on it is silent
		if d := time.Since(start); d != 5*30*time.Second {
			t.Errorf("open for %s", d)
		}
	})
}

func TestAHalfOpenedWebSocketIsClosed(t *testing.T) {
	quiet(t, func(server *transport.Transport, c net.Conn) {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nX-Slow: ")
		start := time.Now()
		_, _ = io.Copy(io.Discard, c)
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("open for %s", d)
		}
		if n := server.Counters(); n.Handshakes != 1 || n.Connections != 0 {
			t.Errorf("%+v", n)
		}
	})
}
