package transport

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/message"
)

// lines reads what comes until the connection ends, for whoever asks.
func lines(peer net.Conn) func() string {
	heard := make(chan string, 100)
	go func() {
		defer close(heard)
		b := make([]byte, 4096)
		for {
			n, err := peer.Read(b)
			if err != nil {
				return
			}
			heard <- string(b[:n])
		}
	}()
	return func() string {
		all := ""
		for {
			synctest.Wait()
			select {
			case s, ok := <-heard:
				if !ok {
					return all + "."
				}
				all += s
			default:
				return all
			}
		}
	}
}

// dialled is a connection that we opened, on virtual time.
func dialled(t *testing.T, story func(r *rig, peer net.Conn, heard func() string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, in: make(chan arrived, 10), refused: make(chan Flow, 10)}
		r.Transport = New(Config{Network: names{}, Handler: func(m *message.Message, f Flow) { r.in <- arrived{m, f} }})
		ours, theirs := net.Pipe()
		r.mu.Lock()
		c := r.enter(Flow{Listener: &Listener{Name: "edge", Network: "tcp"}, Remote: netip.MustParseAddrPort("192.0.2.9:5060")})
		c.socket = ours
		r.mu.Unlock()
		r.spawn(c.read)
		story(r, theirs, lines(theirs))
		_ = theirs.Close()
		r.Close()
	})
}

func TestASilentConnectionThatWeOpenedIsPinged(t *testing.T) {
	dialled(t, func(r *rig, peer net.Conn, heard func() string) {
		for range 100 {
			time.Sleep(100 * time.Second)
			if got := heard(); got != "\r\n\r\n" {
				t.Errorf("%q is no ping", got)
			}
			_, _ = io.WriteString(peer, "\r\n") // the pong, which asks for none
		}
		_, _ = io.WriteString(peer, "\r\n\r\n")
		if got := heard(); got != "\r\n" {
			t.Errorf("a ping gets %q", got)
		}
		_, _ = io.WriteString(peer, options(viaTCP, "1"))
		if a := <-r.in; a.m.CallID() != "1" {
			t.Errorf("%s", a.m)
		}
	})
}

func TestAPeerThatAnswersNoPingIsIdle(t *testing.T) {
	dialled(t, func(_ *rig, peer net.Conn, heard func() string) {
		time.Sleep(idleLimit - time.Minute)
		if got := heard(); got == "" || strings.Trim(got, "\r\n") != "" {
			t.Errorf("%q", got)
		}
		time.Sleep(4 * time.Minute)
		if got := heard(); !strings.HasSuffix(got, ".") {
			t.Errorf("still open: %q", got)
		}
	})
}

func TestAConnectionThatIsNeededOutlivesSilence(t *testing.T) {
	for name, need := range map[string]func(r *rig, f Flow){
		"named by a token": func(r *rig, f Flow) { r.Token(f) },
		"watched":          func(_ *rig, f Flow) { f.Watch(func() {}) },
	} {
		pipe(t, func(r *rig, peer net.Conn) {
			heard := lines(peer)
			_, _ = io.WriteString(peer, options(viaTCP, "1"))
			need(r, (<-r.in).f)
			time.Sleep(3 * time.Hour)
			if got := heard(); got != "" {
				t.Errorf("%s: %q", name, got)
			}
			_, _ = io.WriteString(peer, options(viaTCP, "2"))
			if a := <-r.in; a.m.CallID() != "2" {
				t.Errorf("%s: %s", name, a.m)
			}
		})
	}
}
