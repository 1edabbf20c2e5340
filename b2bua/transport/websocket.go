package transport

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// SIP over WebSocket (RFC 7118): one message in each WebSocket message.

const (
	pingEvery    = 30 * time.Second // of silence; the second time the peer is gone
	mostGreeting = 16 << 10         // bytes of the HTTP request
)

var (
	errProtocol = errors.New("the client does not offer the subprotocol sip")
	errOrigin   = errors.New("pages of this origin may not come here")
)

// Web tells whether peers come by WebSocket; they can't be dialled.
func (l *Listener) Web() bool { return l.Network == "ws" || l.Network == "wss" }

// webSocket is the server's side of one. Read is not for it: next is.
type webSocket struct {
	net.Conn
	in *bufio.Reader
	mu sync.Mutex // lets one frame out at a time
}

// upgrade does the handshake of RFC 6455 section 4.2. A browser says which page
// it speaks for: from an address that is trusted, any could make calls else.
func upgrade(socket net.Conn, origins []string) (*webSocket, error) {
	offered := false
	u := ws.Upgrader{
		Protocol: func(name []byte) bool {
			offered = offered || string(name) == "sip"
			return string(name) == "sip"
		},
		OnHeader: func(name, value []byte) error {
			of := func(origin string) bool { return strings.EqualFold(origin, string(value)) }
			if len(origins) > 0 && strings.EqualFold(string(name), "Origin") && !slices.ContainsFunc(origins, of) {
				return ws.RejectConnectionError(ws.RejectionStatus(403), ws.RejectionReason(errOrigin.Error()))
			}
			return nil
		},
		OnBeforeUpgrade: func() (ws.HandshakeHeader, error) {
			if !offered {
				return nil, ws.RejectConnectionError(ws.RejectionStatus(400), ws.RejectionReason(errProtocol.Error()))
			}
			return nil, nil
		},
	}
	if _, err := u.Upgrade(struct {
		io.Reader
		io.Writer
	}{io.LimitReader(socket, mostGreeting), socket}); err != nil {
		return nil, err
	}
	return &webSocket{Conn: socket, in: bufio.NewReader(socket)}, nil
}

// Write sends b as one message: as text, if it is that (RFC 7118 section 5.2).
func (w *webSocket) Write(b []byte) (int, error) {
	f := ws.NewBinaryFrame(b)
	if utf8.Valid(b) {
		f = ws.NewTextFrame(b)
	}
	return len(b), w.write(f)
}

func (w *webSocket) write(f ws.Frame) error {
	b, err := ws.CompileFrame(f)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err = w.Conn.Write(b)
	return err
}

// next returns the next whole message of up to most bytes; pings are answered on
// the way.
func (w *webSocket) next(most int) ([]byte, error) {
	var b []byte
	state := ws.StateServerSide
	for {
		if !state.Fragmented() {
			if err := w.wait(); err != nil {
				return nil, err
			}
		}
		h, err := ws.ReadHeader(w.in)
		if err != nil {
			return nil, err
		}
		if err := ws.CheckHeader(h, state); err != nil {
			return nil, w.fail(ws.StatusProtocolError, err)
		}
		if h.Length > int64(most-len(b)) {
			return nil, w.fail(ws.StatusMessageTooBig, errTooLarge)
		}
		part := make([]byte, h.Length)
		if _, err := io.ReadFull(w.in, part); err != nil {
			return nil, err
		}
		ws.Cipher(part, h.Mask, 0)
		if h.OpCode.IsControl() {
			if err := w.control(h.OpCode, part); err != nil {
				return nil, err
			}
			continue
		}
		if b = append(b, part...); h.Fin {
			return b, nil
		}
		state = state.Set(ws.StateFragmented)
	}
}

// wait returns when a frame has begun, which must then come to its end, and that
// of its message, in time. A peer that keeps silent is asked whether it is there.
func (w *webSocket) wait() error {
	for asked := false; ; asked = true {
		_ = w.SetReadDeadline(time.Now().Add(pingEvery))
		_, err := w.in.Peek(1)
		switch {
		case err == nil:
			return w.SetReadDeadline(time.Now().Add(messageLimit))
		case asked || !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		if err := w.write(ws.NewPingFrame(nil)); err != nil {
			return err
		}
	}
}

// control obeys a control frame (RFC 6455 section 5.5).
func (w *webSocket) control(code ws.OpCode, payload []byte) error {
	switch code {
	case ws.OpPing:
		return w.write(ws.NewPongFrame(payload))
	case ws.OpClose:
		_ = w.write(ws.NewCloseFrame(payload[:min(len(payload), 2)]))
		return io.EOF
	}
	return nil
}

// fail tells the peer why it is cut off.
func (w *webSocket) fail(code ws.StatusCode, why error) error {
	_ = w.write(ws.NewCloseFrame(ws.NewCloseFrameBody(code, why.Error())))
	return why
}

// readMessages is the reader of a WebSocket; it ends with the connection.
func (c *conn) readMessages(w *webSocket) {
	defer c.close(ErrClosed)
	for {
		b, err := w.next(c.transport.config.MaxMessage)
		switch {
		case err != nil:
			c.transport.log.Debug("websocket ended", "source", c.flow.Remote, "transport", c.flow.Listener.Name, "err", err)
			return
		case string(b) == "\r\n\r\n": // RFC 5626 section 4.4.1
			_ = c.send([]byte("\r\n"), func(error) {})
		case c.turned(b):
			return
		case !blank(b):
			c.transport.receive(b, c.flow)
		}
	}
}
