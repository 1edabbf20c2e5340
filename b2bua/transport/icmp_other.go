//go:build !linux

package transport

import "net"

// tune enlarges the receive buffer as far as the system lets us.
func tune(c *net.UDPConn, _ bool) PacketConn {
	_ = c.SetReadBuffer(8 << 20)
	return c
}
