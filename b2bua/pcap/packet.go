package pcap

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/ip4defrag"
	"github.com/gopacket/gopacket/ip6defrag"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/tcpassembly"

	"legwork/b2bua/message"
)

// Bounds of what waits for the rest of it.
const (
	fragmentLife = 30 * time.Second
	tidyEvery    = 1000  // fragments
	maxPages     = 20000 // of segments, about 2 KB each
	maxPagesEach = 200
	maxOther     = 1000 // kinds of packets that are counted
)

// sorter takes packets apart and keeps the messages in them.
type sorter struct {
	found  []Message
	size   int // bytes
	broken int
	other  map[string]int // what is no SIP, counted

	fragments4 *ip4defrag.IPv4Defragmenter
	fragments6 *ip6defrag.IPv6Defragmenter
	fragments  int
	segments   *tcpassembly.Assembler
	newest     time.Time
}

func newSorter() *sorter {
	s := &sorter{other: map[string]int{}, fragments4: ip4defrag.NewIPv4Defragmenter(), fragments6: ip6defrag.NewIPv6Defragmenter()}
	s.segments = tcpassembly.NewAssembler(tcpassembly.NewStreamPool(s))
	s.segments.MaxBufferedPagesTotal, s.segments.MaxBufferedPagesPerConnection = maxPages, maxPagesEach
	return s
}

// lazily decodes no more layers than are asked for. What panics in a decoder
// becomes a layer that failed.
func lazily() gopacket.DecodeOptions { return gopacket.DecodeOptions{Lazy: true, NoCopy: true} }

// packet takes one. A decoder that panics costs the packet.
func (s *sorter) packet(data []byte, link layers.LinkType, at time.Time) {
	defer func() {
		if recover() != nil {
			s.count("broken packets")
		}
	}()
	s.newest = at
	p := gopacket.NewPacket(data, first(link), lazily())
	switch ip := p.NetworkLayer().(type) {
	case *layers.IPv4:
		s.fourth(p, ip, at)
	case *layers.IPv6:
		s.sixth(p, ip, at)
	default:
		s.count("no IP")
	}
}

// first is the decoder of a link's packets. The two links that carry bare IP of
// one version have none of their own.
func first(link layers.LinkType) gopacket.Decoder {
	switch link {
	case layers.LinkTypeIPv4:
		return layers.LayerTypeIPv4
	case layers.LinkTypeIPv6:
		return layers.LayerTypeIPv6
	default:
		return link
	}
}

func (s *sorter) fourth(p gopacket.Packet, ip *layers.IPv4, at time.Time) {
	if ip.Flags&layers.IPv4MoreFragments == 0 && ip.FragOffset == 0 {
		s.transport(p, ip.NetworkFlow(), ip.Protocol.String(), at)
		return
	}
	if s.fragments++; s.fragments%tidyEvery == 0 {
		s.fragments4.DiscardOlderThan(at.Add(-fragmentLife))
	}
	whole, err := s.fragments4.DefragIPv4WithTimestamp(ip, at)
	if err != nil {
		s.count("broken fragments")
		return
	}
	if whole != nil {
		s.transport(gopacket.NewPacket(whole.Payload, whole.Protocol.LayerType(), lazily()), whole.NetworkFlow(), whole.Protocol.String(), at)
	}
}

func (s *sorter) sixth(p gopacket.Packet, ip *layers.IPv6, at time.Time) {
	fragment, ok := p.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment)
	if !ok {
		s.transport(p, ip.NetworkFlow(), ip.NextHeader.String(), at)
		return
	}
	if s.fragments++; s.fragments%tidyEvery == 0 {
		s.fragments6.DiscardOlderThan(at.Add(-fragmentLife))
	}
	if whole := s.fragments6.DefragIPv6(ip, fragment); whole != nil {
		s.transport(gopacket.NewPacket(whole.Payload, whole.NextHeader.LayerType(), lazily()), ip.NetworkFlow(), whole.NextHeader.String(), at)
	}
}

// transport takes what is in a whole IP packet.
func (s *sorter) transport(p gopacket.Packet, between gopacket.Flow, protocol string, at time.Time) {
	if udp, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP); ok {
		s.datagram(udp, between, at)
		return
	}
	if tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP); ok {
		s.segments.AssembleWithTimestamp(between, tcp, at)
		return
	}
	s.count(protocol)
}

func (s *sorter) datagram(udp *layers.UDP, between gopacket.Flow, at time.Time) {
	data := udp.Payload
	if !looksLikeSIP(data) {
		if len(bytes.Trim(data, "\r\n\x00")) > 0 {
			s.count(fmt.Sprintf("UDP port %d", min(uint16(udp.SrcPort), uint16(udp.DstPort))))
		}
		return
	}
	from, to := ends(between, uint16(udp.SrcPort), uint16(udp.DstPort))
	s.keep(data, Message{At: at, From: from, To: to, Transport: "udp"})
}

func ends(between gopacket.Flow, source, destination uint16) (from, to netip.AddrPort) {
	a, _ := netip.AddrFromSlice(between.Src().Raw())
	b, _ := netip.AddrFromSlice(between.Dst().Raw())
	return netip.AddrPortFrom(a.Unmap(), source), netip.AddrPortFrom(b.Unmap(), destination)
}

// keep reads a message; data is the packet's.
func (s *sorter) keep(data []byte, m Message) bool {
	if len(s.found) >= maxMessages || s.size > maxBytes || len(data) > maxMessage {
		return false
	}
	read, err := message.Parse(bytes.Clone(data))
	if err != nil {
		s.broken++
		return false
	}
	m.Message = read
	s.found = append(s.found, m)
	s.size += len(data)
	return true
}

// looksLikeSIP goes by the start line.
func looksLikeSIP(data []byte) bool {
	data = bytes.TrimLeft(data[:min(len(data), 4096)], "\r\n")
	line, _, ok := bytes.Cut(data, []byte("\r\n"))
	return ok && (bytes.HasPrefix(line, []byte("SIP/2.0 ")) || bytes.HasSuffix(line, []byte(" SIP/2.0")))
}

func (s *sorter) count(what string) {
	if _, known := s.other[what]; known || len(s.other) < maxOther {
		s.other[what]++
	}
}

// flush takes what still waits for a segment that never came.
func (s *sorter) flush() {
	defer func() {
		if recover() != nil {
			s.count("broken packets")
		}
	}()
	s.segments.FlushAll()
}

// inOrder sorts by time; what came at the same time stays as it is.
func (s *sorter) inOrder() []Message {
	slices.SortStableFunc(s.found, func(a, b Message) int { return a.At.Compare(b.At) })
	return s.found
}

// mostTold bounds the kinds of packets that an error lists.
const mostTold = 4

// nothing says what is there instead of SIP.
func (s *sorter) nothing(c *Capture) error {
	held := slices.SortedFunc(maps.Keys(s.other), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.other[b], s.other[a]), strings.Compare(a, b))
	})
	var list []string
	for _, what := range held[:min(len(held), mostTold)] {
		list = append(list, fmt.Sprintf("%d %s", s.other[what], what))
	}
	if len(held) > mostTold {
		list = append(list, "...")
	}
	if s.broken > 0 {
		list = append([]string{fmt.Sprintf("%d begin like SIP and are broken", s.broken)}, list...)
	}
	text := fmt.Sprintf("%d packets", c.Packets)
	if len(list) > 0 {
		text += ": " + strings.Join(list, ", ")
	}
	if c.Cut != nil {
		return fmt.Errorf("%w in %s; %w", ErrNoSIP, text, c.Cut)
	}
	return fmt.Errorf("%w in %s", ErrNoSIP, text)
}
