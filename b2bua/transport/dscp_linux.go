package transport

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// mark writes the differentiated services code point of what a socket sends
// (RFC 2474). A connection in memory has none.
func mark(socket any, dscp int) error {
	c, ok := socket.(syscall.Conn)
	if !ok || dscp == 0 {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = markDescriptor(int(fd), dscp<<2) })
	if err == nil {
		err = failed
	}
	return err
}

// markDescriptor sets both, since an IPv6 socket knows both.
func markDescriptor(fd, tos int) error {
	v4 := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, tos)
	v6 := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos)
	if v4 != nil && v6 != nil {
		return v4
	}
	return nil
}
