package transport

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// said is a connection on which the client has said everything.
type said struct {
	net.Conn
	io.Reader
}

func (s said) Read(b []byte) (int, error)     { return s.Reader.Read(b) }
func (said) Write(b []byte) (int, error)      { return len(b), nil }
func (said) SetReadDeadline(time.Time) error  { return nil }
func (said) SetWriteDeadline(time.Time) error { return nil }

func FuzzWebSocket(f *testing.F) {
	frame := func(f ws.Frame) []byte {
		b, _ := ws.CompileFrame(ws.MaskFrameWith(f, [4]byte{1, 2, 3, 4}))
		return b
	}
	f.Add(frame(ws.NewTextFrame([]byte(options(viaTCP, "1")))))
	f.Add(append(frame(ws.NewFrame(ws.OpText, false, []byte("a"))), frame(ws.NewFrame(ws.OpContinuation, true, []byte("b")))...))
	f.Add(append(frame(ws.NewPingFrame([]byte("x"))), frame(ws.NewCloseFrame(nil))...))
	f.Add([]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		const most = 2000
		socket := said{Reader: bytes.NewReader(b)}
		w := &webSocket{Conn: socket, in: bufio.NewReader(socket)}
		total := 0
		for {
			m, err := w.next(most)
			if err != nil {
				return
			}
			if total += len(m); len(m) > most || total > len(b) {
				t.Fatalf("%d bytes of %d", total, len(b))
			}
		}
	})
}
