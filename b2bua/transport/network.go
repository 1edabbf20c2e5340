package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"legwork/b2bua/resolve"
)

// Network opens sockets and looks names up. System is the real one.
type Network interface {
	ListenPacket(ctx context.Context, local netip.AddrPort) (PacketConn, error)
	Listen(ctx context.Context, local netip.AddrPort) (net.Listener, error)
	// Dial opens a stream from local, or from any address when it is not valid.
	Dial(ctx context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error)
	LookupNetIP(ctx context.Context, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, name string) ([]resolve.SRV, error)
	LookupNAPTR(ctx context.Context, name string) ([]resolve.NAPTR, error)
	// LocalAddrs are the addresses that an unspecified one stands for.
	LocalAddrs() ([]netip.Addr, error)
	// SourceAddr is the local address that the route to remote begins with.
	SourceAddr(remote netip.Addr) (netip.Addr, error)
}

// Private is a Network that nobody listens in on, as that of a rehearsal without
// sockets: over it tls and wss are said, and nothing is encrypted or proved.
type Private interface{ Private() }

// PacketConn is a UDP socket; *net.UDPConn has the right methods.
//
// One that hears of unreachable targets also has OnRefused(func(remote
// netip.AddrPort, err error)); it is called once before the first read.
type PacketConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, remote netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// System is the machine's network. Names are asked of DNS, which keeps what it
// hears; when it is nil, each look-up begins anew.
type System struct{ DNS *resolve.Client }

// family keeps a socket to one kind of address, so that an IPv4 source never
// looks like an IPv6 one.
func family(network string, a netip.Addr) string {
	if a.Is4() {
		return network + "4"
	}
	return network + "6"
}

// ListenPacket opens a UDP socket with a large receive buffer.
func (System) ListenPacket(_ context.Context, local netip.AddrPort) (PacketConn, error) {
	c, err := net.ListenUDP(family("udp", local.Addr()), net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, err
	}
	return tune(c, local.Addr().Is4()), nil
}

// Listen opens a TCP listener.
func (System) Listen(ctx context.Context, local netip.AddrPort) (net.Listener, error) {
	var c net.ListenConfig
	return c.Listen(ctx, family("tcp", local.Addr()), local.String())
}

// Dial connects over TCP.
func (System) Dial(ctx context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	if local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return d.DialContext(ctx, family("tcp", remote.Addr()), remote.String())
}

func (s System) names() *resolve.Client {
	if s.DNS == nil {
		return resolve.New(resolve.Config{})
	}
	return s.DNS
}

// LookupNetIP finds the addresses of a host.
func (s System) LookupNetIP(ctx context.Context, host string) ([]netip.Addr, error) {
	return s.names().LookupNetIP(ctx, host)
}

// LookupSRV finds the servers of a service.
func (s System) LookupSRV(ctx context.Context, name string) ([]resolve.SRV, error) {
	return s.names().LookupSRV(ctx, name)
}

// LookupNAPTR finds the rules that lead on from a name.
func (s System) LookupNAPTR(ctx context.Context, name string) ([]resolve.NAPTR, error) {
	return s.names().LookupNAPTR(ctx, name)
}

// LocalAddrs are the addresses of all interfaces, without link-local ones.
func (System) LocalAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, one := range all {
		p, err := netip.ParsePrefix(one.String())
		if err == nil && !p.Addr().IsLinkLocalUnicast() && !p.Addr().IsMulticast() {
			addrs = append(addrs, p.Addr().Unmap())
		}
	}
	return addrs, nil
}

// SourceAddr asks the routing table; nothing is sent.
func (System) SourceAddr(remote netip.Addr) (netip.Addr, error) {
	c, err := net.DialUDP(family("udp", remote), nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(remote, 5060)))
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() { _ = c.Close() }()
	local, ok := addrPort(c.LocalAddr())
	if !ok {
		return netip.Addr{}, fmt.Errorf("no source address for %s", remote)
	}
	return local.Addr(), nil
}

// addrPort reads the address of a socket, without IPv4-mapping or zone.
func addrPort(a net.Addr) (netip.AddrPort, bool) {
	var p netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		p = a.AddrPort()
	case *net.TCPAddr:
		p = a.AddrPort()
	default:
		var err error
		if p, err = netip.ParseAddrPort(a.String()); err != nil {
			return netip.AddrPort{}, false
		}
	}
	return plain(p), p.IsValid()
}

func plain(p netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
