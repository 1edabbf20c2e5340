package transport

import (
	"io"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// marked is the code point that a socket sends with.
func marked(t *testing.T, socket any) int {
	t.Helper()
	raw, err := socket.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	tos := -1
	_ = raw.Control(func(fd uintptr) { tos, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS) })
	return tos >> 2
}

func TestAMarkedListenerMarksAllThatLeaves(t *testing.T) {
	r, far := open(t, Config{}), open(t, Config{})
	for _, network := range []string{"udp", "tcp"} {
		if _, err := r.Listen(ListenerConfig{Name: network, Network: network, Address: "127.0.0.1:0", DSCP: 24}); err != nil {
			t.Fatal(err)
		}
	}
	if got := marked(t, r.listeners[0].packet); got != 24 {
		t.Errorf("udp: %d", got)
	}
	c := dialTCP(t, r.listeners[1])
	_, _ = io.WriteString(c, options(viaTCP, "1"))
	if got := marked(t, r.next().f.conn.socket); got != 24 {
		t.Errorf("accepted: %d", got)
	}
	there := far.listen("tcp")
	f, err := r.Flow(Hop{Network: "tcp", Remote: there.Local}, "")
	if err != nil {
		t.Fatal(err)
	}
	r.Send(f, []byte(options(viaTCP, "1")), func(err error) { t.Error(err) })
	back := far.next().f
	far.Send(back, []byte(options(viaTCP, "2")), nil)
	if got := marked(t, r.next().f.conn.socket); got != 24 {
		t.Errorf("dialled: %d", got)
	}
	if got := marked(t, back.conn.socket); got != 0 {
		t.Errorf("the other side: %d", got)
	}
}
