// Package simnet is a network in memory with SIP agents on it, for virtual
// time: inside testing/synctest, three SIP stacks play an hour's call in
// milliseconds and always alike.
//
// It knows sockets and messages, no calls. Start with Network, which carries
// packets and loses, doubles, delays and reorders them from a seed, then Agent,
// which is one scripted neighbour.
package simnet

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"legwork/b2bua/resolve"
	"legwork/b2bua/transport"
)

// Faults is how bad a network is. The zero value delivers everything at once
// and in order.
type Faults struct {
	Seed      uint64
	Lose      float64       // share of datagrams that vanish
	Double    float64       // share that arrives twice
	Reorder   float64       // share that is held back for Jitter
	Delay     time.Duration // of every datagram
	Jitter    time.Duration // of those held back and of the second of two
	Unrefused bool          // no word comes back from a closed port
}

// Packet is a datagram on its way.
type Packet struct {
	From, To netip.AddrPort
	Bytes    []byte
}

// Network connects sockets by address. All methods may be used from any
// goroutine.
type Network struct {
	mu        sync.Mutex // guards all below
	faults    Faults
	random    *rand.Rand
	sockets   map[netip.AddrPort]*socket
	listeners map[netip.AddrPort]*listener
	hosts     map[string][]netip.Addr
	servers   map[string][]resolve.SRV
	rules     map[string][]resolve.NAPTR
	onPath    func(p Packet) bool
	refuse    func(p Packet) bool
	flying    flights
	seq       int
	timer     *time.Timer
	nextPort  uint16
	everyone  *socket                 // takes datagrams for nobody
	paths     map[netip.AddrPort]path // by how everyone sees the sender
	accepts   *listener               // takes streams to nobody
}

// New makes a network with the faults.
func New(f Faults) *Network {
	return &Network{
		faults: f, random: rand.New(rand.NewPCG(f.Seed, 1)), nextPort: 20000,
		sockets: map[netip.AddrPort]*socket{}, listeners: map[netip.AddrPort]*listener{}, hosts: map[string][]netip.Addr{},
		servers: map[string][]resolve.SRV{}, rules: map[string][]resolve.NAPTR{},
		paths: map[netip.AddrPort]path{},
	}
}

// path is between a sender and an address that everyone stands in for.
type path struct{ from, to netip.AddrPort }

// Host gives a name its addresses.
func (n *Network) Host(name string, addrs ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[name] = addrs
}

// Service gives "_sip._udp.name" its servers, lowest priority first.
func (n *Network) Service(name string, servers ...resolve.SRV) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[name] = servers
}

// Rules gives a name its NAPTR records, in the order in which they apply.
func (n *Network) Rules(name string, rules ...resolve.NAPTR) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rules[name] = rules
}

// OnPath sees every datagram before the faults do; false takes it off the
// path. It must not call the network.
func (n *Network) OnPath(f func(p Packet) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.onPath = f
}

// Refuse closes ports that Everyone would have answered for: f is asked for each
// datagram to them, and with no bytes for each stream that is dialled there. It
// must not call the network.
func (n *Network) Refuse(f func(p Packet) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = f
}

// Everyone makes an agent's socket or listener, or both of one address, take
// what is for addresses that nobody has, and of names that nobody has: they get
// one from 198.18.0.0/24. What the agent sends back comes from where it was
// asked; for that it sees each sender at a port of its own.
func (n *Network) Everyone(addr netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.everyone, n.accepts = n.sockets[addr], n.listeners[addr]
}

// ListenPacket opens a UDP socket; see transport.Network.
func (n *Network) ListenPacket(_ context.Context, local netip.AddrPort) (transport.PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	local = n.freePort(local)
	if n.sockets[local] != nil {
		return nil, fmt.Errorf("address %s is in use", local)
	}
	s := &socket{network: n, local: local}
	s.ready = sync.NewCond(&s.mu)
	n.sockets[local] = s
	return s, nil
}

func (n *Network) freePort(local netip.AddrPort) netip.AddrPort {
	if local.Port() != 0 {
		return local
	}
	n.nextPort++
	return netip.AddrPortFrom(local.Addr(), n.nextPort)
}

// LookupNetIP answers from the names given by Host.
func (n *Network) LookupNetIP(_ context.Context, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if addrs := n.hosts[host]; len(addrs) > 0 {
		return addrs, nil
	}
	if n.everyone != nil {
		addr := netip.AddrFrom4([4]byte{198, 18, 0, byte(len(n.hosts) + 1)})
		n.hosts[host] = []netip.Addr{addr}
		return n.hosts[host], nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true, UnwrapErr: resolve.ErrNotFound}
}

// LookupSRV answers from what Service gave.
func (n *Network) LookupSRV(_ context.Context, name string) ([]resolve.SRV, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if list := n.servers[name]; len(list) > 0 {
		return list, nil
	}
	return nil, resolve.ErrNotFound
}

// LookupNAPTR answers from what Rules gave.
func (n *Network) LookupNAPTR(_ context.Context, name string) ([]resolve.NAPTR, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if list := n.rules[name]; len(list) > 0 {
		return list, nil
	}
	return nil, resolve.ErrNotFound
}

// LocalAddrs has none: sockets here name their address.
func (n *Network) LocalAddrs() ([]netip.Addr, error) { return nil, nil }

// SourceAddr lets the transport take the first socket of the family.
func (n *Network) SourceAddr(remote netip.Addr) (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for local := range n.sockets {
		if local.Addr().Is4() == remote.Is4() {
			return local.Addr(), nil
		}
	}
	return netip.Addr{}, errors.New("no route")
}

// send puts a datagram on its way.
func (n *Network) send(p Packet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if back, ok := n.paths[p.To]; ok {
		p.From, p.To = back.to, back.from
	}
	if n.onPath != nil && !n.onPath(p) {
		return
	}
	f := &n.faults
	if n.chance(f.Lose) {
		return
	}
	delay := f.Delay
	if n.chance(f.Reorder) {
		delay += f.Jitter
	}
	n.fly(p, delay)
	if n.chance(f.Double) {
		n.fly(p, delay+f.Jitter)
	}
}

func (n *Network) chance(share float64) bool { return share > 0 && n.random.Float64() < share }

// fly delivers, at once without a delay; else in order of time and then of
// sending: timers of the same instant would run in any order.
func (n *Network) fly(p Packet, delay time.Duration) {
	if delay <= 0 {
		n.deliver(p)
		return
	}
	n.seq++
	heap.Push(&n.flying, flight{Packet: p, at: time.Now().Add(delay), seq: n.seq})
	n.arm()
}

func (n *Network) arm() {
	if n.timer != nil {
		n.timer.Stop()
	}
	if len(n.flying) > 0 {
		n.timer = time.AfterFunc(time.Until(n.flying[0].at), n.land)
	}
}

// land delivers what is due.
func (n *Network) land() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.flying) > 0 && !n.flying[0].at.After(time.Now()) {
		n.deliver(heap.Pop(&n.flying).(flight).Packet)
	}
	n.arm()
}

func (n *Network) deliver(p Packet) {
	to := n.sockets[p.To]
	if to == nil && n.everyone != nil && (n.refuse == nil || !n.refuse(p)) {
		to = n.everyone
		p.From = n.seen(path{p.From, p.To})
	}
	if to != nil {
		to.put(p)
		return
	}
	if from := n.sockets[p.From]; from != nil && from.refused != nil && !n.faults.Unrefused {
		go from.refused(p.To, errors.New("connection refused"))
	}
}

// seen is the address of a path's sender for everyone.
func (n *Network) seen(one path) netip.AddrPort {
	for at, known := range n.paths {
		if known == one {
			return at
		}
	}
	at := n.freePort(netip.AddrPortFrom(one.from.Addr(), 0))
	n.paths[at] = one
	return at
}

// flight is a packet in the air.
type flight struct {
	Packet
	at  time.Time
	seq int
}

type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	if f[i].at.Equal(f[j].at) {
		return f[i].seq < f[j].seq
	}
	return f[i].at.Before(f[j].at)
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

// Push is heap.Interface's.
func (f *flights) Push(x any) { *f = append(*f, x.(flight)) }

// Pop is heap.Interface's.
func (f *flights) Pop() any {
	last := len(*f) - 1
	x := (*f)[last]
	*f = (*f)[:last]
	return x
}

// socket is one UDP socket.
type socket struct {
	network *Network
	local   netip.AddrPort
	refused func(remote netip.AddrPort, err error) // guarded by the network

	mu     sync.Mutex // guards inbox and closed
	ready  *sync.Cond
	inbox  []Packet
	closed bool
}

func (s *socket) put(p Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbox = append(s.inbox, p)
	s.ready.Signal()
}

// ReadFromUDPAddrPort waits for a datagram.
func (s *socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.inbox) == 0 && !s.closed {
		s.ready.Wait()
	}
	if s.closed {
		return 0, netip.AddrPort{}, net.ErrClosed
	}
	p := s.inbox[0]
	s.inbox = s.inbox[1:]
	return copy(b, p.Bytes), p.From, nil
}

// WriteToUDPAddrPort sends a copy of b.
func (s *socket) WriteToUDPAddrPort(b []byte, remote netip.AddrPort) (int, error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	s.network.send(Packet{From: s.local, To: remote, Bytes: append([]byte(nil), b...)})
	return len(b), nil
}

// OnRefused is transport's way to hear of closed ports.
func (s *socket) OnRefused(f func(remote netip.AddrPort, err error)) {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	s.refused = f
}

// LocalAddr is the socket's address.
func (s *socket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.local) }

// Close frees the address.
func (s *socket) Close() error {
	s.network.mu.Lock()
	delete(s.network.sockets, s.local)
	s.network.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.ready.Broadcast()
	return nil
}

// Inject puts a datagram on the network after a delay, past OnPath and faults.
func (n *Network) Inject(p Packet, delay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fly(p, delay)
}
