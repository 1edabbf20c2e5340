package transport

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// receiveBuffer holds what arrives while a reader is kept from its CPU.
const receiveBuffer = 8 << 20

// udpSocket is a UDP socket that reports the ICMP errors of what it sent. The
// kernel queues them with the address that refused (IP_RECVERR, ip(7)), and
// fails the next read or write, whomever that was for.
type udpSocket struct {
	*net.UDPConn
	raw       syscall.RawConn
	v4        bool
	datagrams datagrams
	refused   func(remote netip.AddrPort, err error)
}

// tune enlarges the receive buffer as far as the system lets us and asks for
// ICMP errors. What it can't have it does without.
func tune(c *net.UDPConn, v4 bool) PacketConn {
	raw, err := c.SyscallConn()
	if err != nil {
		return c
	}
	_ = raw.Control(func(fd uintptr) {
		s := int(fd)
		if unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
			_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
		if v4 {
			_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		} else {
			_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		}
	})
	return &udpSocket{UDPConn: c, raw: raw, v4: v4, datagrams: datagrams{sync.Pool{New: newDatagram}}}
}

// OnRefused sets who hears of unreachable addresses.
func (s *udpSocket) OnRefused(f func(remote netip.AddrPort, err error)) { s.refused = f }

// ReadFromUDPAddrPort reads a datagram; ICMP errors on the way are reported.
func (s *udpSocket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := s.datagrams.read(s.raw, b)
		if err == nil || errors.Is(err, net.ErrClosed) || s.drain() == 0 {
			return n, from, err
		}
	}
}

// WriteToUDPAddrPort writes a datagram, a second time when the first failed for
// an earlier one.
func (s *udpSocket) WriteToUDPAddrPort(b []byte, remote netip.AddrPort) (int, error) {
	n, err := s.datagrams.write(s.raw, b, remote, s.v4)
	if err == nil || errors.Is(err, net.ErrClosed) || s.drain() == 0 {
		return n, err
	}
	return s.datagrams.write(s.raw, b, remote, s.v4)
}

// drain reports and counts what the kernel has queued.
func (s *udpSocket) drain() (found int) {
	type refusal struct {
		remote netip.AddrPort
		err    error
	}
	var refusals []refusal
	_ = s.raw.Control(func(fd uintptr) {
		var payload [1]byte
		var control [512]byte
		for range 256 {
			_, n, _, to, err := unix.Recvmsg(int(fd), payload[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			found++
			if remote, ok := sockaddr(to); ok {
				if why := icmpError(control[:n]); why != nil {
					refusals = append(refusals, refusal{remote, why})
				}
			}
		}
	})
	for _, r := range refusals {
		if s.refused != nil {
			s.refused(r.remote, r.err)
		}
	}
	return found
}

// icmpError reads struct sock_extended_err: nil when nobody refused.
func icmpError(control []byte) error {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if len(m.Data) < 5 || m.Data[4] != unix.SO_EE_ORIGIN_ICMP && m.Data[4] != unix.SO_EE_ORIGIN_ICMP6 {
			continue
		}
		switch errno := syscall.Errno(binary.NativeEndian.Uint32(m.Data)); errno {
		case syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH:
			return errno
		}
	}
	return nil
}

func sockaddr(a unix.Sockaddr) (netip.AddrPort, bool) {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), true
	case *unix.SockaddrInet6:
		return plain(netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))), true
	}
	return netip.AddrPort{}, false
}
