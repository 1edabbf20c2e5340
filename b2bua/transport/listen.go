package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ListenerConfig describes one entry of the configuration.
type ListenerConfig struct {
	Name      string
	Network   string    // "udp", "tcp" or "tls"
	Address   string    // host:port; port 0 takes a free one
	Advertise string    // host[:port] for Via and Contact; "" is the local address
	Identity  *Identity // required for tls and wss
	Origins   []string  // of pages whose browsers may come by WebSocket, "https://a.example"; nil: any
	DSCP      int       // of what is sent, 0 to 63 (RFC 2474)
}

// Listener is one socket that requests come in on and leave from.
type Listener struct {
	Name      string
	Network   string // "udp", "tcp", "tls", "ws" or "wss"
	Local     netip.AddrPort
	Advertise string

	packet   PacketConn
	stream   net.Listener
	identity atomic.Pointer[serving] // of a secured one
	dscp     int
	origins  []string
	sentBy   string // what SentBy would make anew for each message
}

// SentBy is host:port for Via and Contact.
func (l *Listener) SentBy() string {
	switch {
	case l.sentBy != "":
		return l.sentBy
	case l.Advertise != "":
		return l.Advertise
	}
	return l.Local.String()
}

// Stream tells a connection-oriented listener from a datagram one.
func (l *Listener) Stream() bool { return l.Network != "udp" }

func (l *Listener) close() {
	if l.packet != nil {
		_ = l.packet.Close()
	}
	if l.stream != nil {
		_ = l.stream.Close()
	}
}

// Listen opens a listener: one, or one per local address of that family when
// the address is unspecified. Messages may come in before it returns. When one
// can't be opened, none is.
func (t *Transport) Listen(c ListenerConfig) ([]*Listener, error) {
	if !slices.Contains([]string{"udp", "tcp", "tls", "ws", "wss"}, c.Network) {
		return nil, fmt.Errorf("listener %s: network %q is unknown", c.Name, c.Network)
	}
	if err := c.checkIdentity(); err != nil && !t.plain {
		return nil, fmt.Errorf("listener %s: %w", c.Name, err)
	}
	addrs, err := t.locals(c.Address)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", c.Name, err)
	}
	opened := make([]*Listener, 0, len(addrs))
	for _, local := range addrs {
		l, err := t.bind(c, local)
		if err != nil {
			for _, l := range opened {
				l.close()
			}
			return nil, fmt.Errorf("listener %s: %w", c.Name, err)
		}
		opened = append(opened, l)
	}
	for _, l := range opened {
		serve := func() { t.readPackets(l) }
		if l.Stream() {
			serve = func() { t.accept(l) }
		}
		if !t.spawn(serve) {
			l.close()
			return nil, ErrClosed
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = append(t.listeners, opened...)
	return opened, nil
}

func (t *Transport) bind(c ListenerConfig, local netip.AddrPort) (*Listener, error) {
	l := &Listener{Name: c.Name, Network: c.Network, Advertise: c.Advertise, dscp: c.DSCP, origins: c.Origins}
	var bound net.Addr
	if c.Network == "udp" {
		socket, err := t.config.Network.ListenPacket(context.Background(), local)
		if err != nil {
			return nil, err
		}
		l.packet, bound = socket, socket.LocalAddr()
	} else {
		socket, err := t.config.Network.Listen(context.Background(), local)
		if err != nil {
			return nil, err
		}
		l.stream, bound = socket, socket.Addr()
	}
	if err := errors.Join(mark(l.packet, c.DSCP), mark(l.stream, c.DSCP)); err != nil {
		l.close()
		return nil, fmt.Errorf("dscp: %w", err)
	}
	var ok bool
	if l.Local, ok = addrPort(bound); !ok {
		l.close()
		return nil, fmt.Errorf("%s is not an address", bound)
	}
	l.sentBy = l.SentBy()
	if c.Identity != nil {
		l.SetIdentity(*c.Identity)
	}
	return l, nil
}

// locals reads host:port; a name is looked up, an unspecified address stands
// for all of its family.
func (t *Transport) locals(address string) ([]netip.AddrPort, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q is not a number up to 65535", text)
	}
	a, err := netip.ParseAddr(host)
	switch {
	case host == "":
		a = netip.IPv4Unspecified()
	case err != nil:
		found, err := t.lookup(host)
		if err != nil {
			return nil, err
		}
		a = found[0]
	}
	if !a.IsUnspecified() {
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), uint16(port))}, nil
	}
	all, err := t.config.Network.LocalAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.AddrPort
	for _, one := range all {
		if one.Is4() == a.Is4() {
			addrs = append(addrs, netip.AddrPortFrom(one, uint16(port)))
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("no local address for %s", strings.TrimSuffix(address, ":"+text))
	}
	return addrs, nil
}

// lookup is for names in the configuration.
func (t *Transport) lookup(host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	addrs, err := t.config.Network.LookupNetIP(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no address for " + host)
	}
	return addrs, err
}
