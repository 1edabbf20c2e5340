package transport

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// sockets are two UDP sockets of the machine.
func sockets(t *testing.T, address string) (a, b PacketConn) {
	t.Helper()
	for _, to := range []*PacketConn{&a, &b} {
		c, err := System{}.ListenPacket(t.Context(), netip.MustParseAddrPort(address))
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { c.Close() })
		*to = c
	}
	return a, b
}

func addressOf(t *testing.T, c PacketConn) netip.AddrPort {
	t.Helper()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestDatagramsArriveWholeWithTheirSource(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		a, b := sockets(t, address)
		for _, size := range []int{0, 1, 1500, 60_000} {
			sent := bytes.Repeat([]byte("x"), size)
			if n, err := a.WriteToUDPAddrPort(sent, addressOf(t, b)); n != size || err != nil {
				t.Fatal(address, size, n, err)
			}
			buf := make([]byte, 1<<16)
			n, from, err := b.ReadFromUDPAddrPort(buf)
			if err != nil || from != addressOf(t, a) || !bytes.Equal(buf[:n], sent) {
				t.Errorf("%s: %d bytes of %d from %s: %v", address, n, size, from, err)
			}
		}
	}
}

func TestDatagramsOfManySendersAreNotMixed(t *testing.T) {
	a, b := sockets(t, "127.0.0.1:0")
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			for range 50 {
				if _, err := a.WriteToUDPAddrPort(bytes.Repeat([]byte{'a' + byte(i)}, 100), addressOf(t, b)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	buf := make([]byte, 1<<16)
	for range 8 * 50 {
		n, _, err := b.ReadFromUDPAddrPort(buf)
		if err != nil || n != 100 || strings.Trim(string(buf[:n]), string(buf[:1])) != "" {
			t.Fatalf("%q: %v", buf[:n], err)
		}
	}
	senders.Wait()
}

func TestALinkLocalSourceHasItsInterface(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		addrs, _ := i.Addrs()
		for _, one := range addrs {
			prefix, err := netip.ParsePrefix(one.String())
			if err != nil || !prefix.Addr().IsLinkLocalUnicast() || !prefix.Addr().Is6() {
				continue
			}
			a, b := sockets(t, netip.AddrPortFrom(prefix.Addr().WithZone(i.Name), 0).String())
			if _, err := a.WriteToUDPAddrPort([]byte("x"), addressOf(t, b)); err != nil {
				t.Fatal(err)
			}
			if _, from, err := b.ReadFromUDPAddrPort(make([]byte, 9)); err != nil || from != addressOf(t, a) {
				t.Errorf("from %s, want %s: %v", from, addressOf(t, a), err)
			}
			return
		}
	}
	t.Skip("no interface has a link-local address")
}

func TestADatagramForTheOtherFamilyIsRefused(t *testing.T) {
	a, _ := sockets(t, "127.0.0.1:0")
	for _, to := range []string{"[2001:db8::1]:5060", "[fe80::1%none]:5060"} {
		if _, err := a.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort(to)); err == nil || !strings.Contains(err.Error(), "family") {
			t.Error(to, err)
		}
	}
	if _, err := a.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("[::ffff:127.0.0.1]:9")); err != nil {
		t.Error("IPv4 in the clothes of IPv6:", err)
	}
}

func TestClosingEndsARead(t *testing.T) {
	a, _ := sockets(t, "127.0.0.1:0")
	ended := make(chan error)
	go func() {
		_, _, err := a.ReadFromUDPAddrPort(make([]byte, 9))
		ended <- err
	}()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := a.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("127.0.0.1:9")); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
