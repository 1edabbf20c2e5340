package transport

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// readPackets reads a UDP socket until it is closed. Each message gets memory
// of its own, because it is kept.
func (t *Transport) readPackets(l *Listener) {
	if s, ok := l.packet.(interface {
		OnRefused(func(netip.AddrPort, error))
	}); ok && t.config.Refused != nil {
		s.OnRefused(func(remote netip.AddrPort, err error) {
			t.config.Refused(Flow{Listener: l, Remote: plain(remote)}, err)
		})
	}
	buf := make([]byte, 1<<16)
	var pause backoff
	for {
		n, from, err := l.packet.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !pause.wait(t.done) {
				return
			}
			t.log.Debug("udp read failed", "transport", l.Name, "err", err)
			continue
		}
		pause = 0
		from = plain(from)
		if blank(buf[:n]) || t.turned(l, from.Addr(), buf[:n]) {
			continue
		}
		t.receive(append([]byte(nil), buf[:n]...), Flow{Listener: l, Remote: from})
	}
}

// blank tells keep-alives (RFC 5626 section 3.5.1 and the NULs of older NAT
// openers) from messages.
func blank(b []byte) bool {
	for _, c := range b {
		if c != '\r' && c != '\n' && c != 0 && c != ' ' {
			return false
		}
	}
	return true
}

// backoff is the pause behind a socket error; it doubles up to a second.
type backoff time.Duration

// wait is false when done was closed meanwhile.
func (b *backoff) wait(done <-chan struct{}) bool {
	*b = min(max(2**b, backoff(5*time.Millisecond)), backoff(time.Second))
	timer := time.NewTimer(time.Duration(*b))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done:
		return false
	}
}
