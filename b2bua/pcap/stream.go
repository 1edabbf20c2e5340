package pcap

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/tcpassembly"
)

// New implements tcpassembly.StreamFactory.
func (s *sorter) New(between, ports gopacket.Flow) tcpassembly.Stream {
	raw := func(e gopacket.Endpoint) uint16 {
		b := e.Raw()
		if len(b) != 2 {
			return 0
		}
		return uint16(b[0])<<8 | uint16(b[1])
	}
	source, destination := raw(ports.Src()), raw(ports.Dst())
	from, to := ends(between, source, destination)
	return &stream{sorter: s, from: from, to: to, port: min(source, destination)}
}

// stream is one direction of a connection.
type stream struct {
	*sorter
	from, to netip.AddrPort
	port     uint16
	buf      []byte
	counted  bool
}

// Reassembled implements tcpassembly.Stream.
func (c *stream) Reassembled(parts []tcpassembly.Reassembly) {
	for _, part := range parts {
		if part.Skip > 0 {
			c.buf = nil // the rest of this message is lost
		}
		if len(c.buf)+len(part.Bytes) > 2*maxMessage {
			c.buf = nil
		}
		c.buf = append(c.buf, part.Bytes...)
		c.cut(part.Seen)
	}
}

// ReassemblyComplete implements tcpassembly.Stream.
func (c *stream) ReassemblyComplete() { c.buf = nil }

// cut takes whole messages; what is no message is passed over to the next start
// line.
func (c *stream) cut(at time.Time) {
	for len(c.buf) > 0 {
		c.buf = bytes.TrimLeft(c.buf, "\r\n")
		line, _, ok := bytes.Cut(c.buf, []byte("\r\n"))
		switch {
		case !ok && len(c.buf) < 4096 && !bytes.Contains(c.buf[:min(len(c.buf), 8)], []byte{0}):
			return // a start line may yet come
		case !ok || !looksLikeSIP(c.buf):
			c.foreign()
			c.buf = c.buf[min(len(line)+2, len(c.buf)):]
			continue
		}
		size, ok := length(c.buf)
		if !ok {
			return
		}
		if size > maxMessage {
			c.broken++
			c.buf = c.buf[len(line)+2:]
			continue
		}
		if size > len(c.buf) {
			return
		}
		c.keep(c.buf[:size], Message{At: at, From: c.from, To: c.to, Transport: "tcp"})
		c.buf = c.buf[size:]
	}
	c.buf = nil
}

// foreign counts a connection of something else once.
func (c *stream) foreign() {
	if c.counted {
		return
	}
	c.counted = true
	what := fmt.Sprintf("TCP port %d", c.port)
	if len(c.buf) > 2 && c.buf[0] >= 0x14 && c.buf[0] <= 0x17 && c.buf[1] == 3 {
		what += " (TLS)"
	}
	c.count(what)
}

// length is that of the message at the start; false when its head is not whole.
func length(b []byte) (n int, ok bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return maxMessage + 1, len(b) > maxMessage
	}
	for line := range bytes.SplitSeq(b[:end], []byte("\r\n")) {
		name, value, found := bytes.Cut(line, []byte(":"))
		name = bytes.TrimSpace(name)
		if !found || !bytes.EqualFold(name, []byte("Content-Length")) && !bytes.EqualFold(name, []byte("l")) {
			continue
		}
		body, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
		if err != nil {
			break
		}
		return end + 4 + int(body), true
	}
	return end + 4, true
}
