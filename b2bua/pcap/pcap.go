// Package pcap reads the SIP messages out of a capture, pcap or pcapng, as
// tcpdump, Wireshark and sngrep write them: over UDP and TCP, IPv4 and IPv6, with
// fragments and segments put together.
//
// It knows no ports and no dialogs: what begins like a SIP message is one. What
// is encrypted stays so. Captures come from anywhere, so all that is read is
// bounded.
//
// Start with Read; packet.go takes packets apart, stream.go cuts TCP into
// messages, and call.go finds a call among them.
package pcap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"legwork/b2bua/message"
)

// A Message is one that was seen.
type Message struct {
	At        time.Time
	From, To  netip.AddrPort
	Transport string // "udp" or "tcp"
	*message.Message
}

// A Capture is what was read.
type Capture struct {
	Messages []Message // in the order of their time in the file
	Packets  int
	Broken   int   // what began like a SIP message and is none
	Cut      error // why the file was not read to its end; nil: it was
}

// Bounds of a capture. What is beyond them is not read.
const (
	maxPackets  = 5_000_000
	maxMessages = 200_000
	maxBytes    = 512 << 20 // of messages
	maxMessage  = 256 << 10
)

// Errors that callers tell apart.
var (
	ErrNoCapture = errors.New("no capture: neither pcap nor pcapng")
	ErrNoSIP     = errors.New("no SIP")
)

// Read reads a capture. One without a message is ErrNoSIP, with what it holds
// instead.
func Read(r io.Reader) (*Capture, error) {
	packets, link, err := open(r)
	if err != nil {
		return nil, err
	}
	s := newSorter()
	var c Capture
	for {
		data, meta, err := packets.ReadPacketData()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				c.Cut = fmt.Errorf("packet %d: %w", c.Packets+1, err)
			}
			break
		}
		c.Packets++
		s.packet(data, link(meta), meta.Timestamp)
		if c.Packets == maxPackets || len(s.found) == maxMessages || s.size > maxBytes {
			c.Cut = fmt.Errorf("packet %d: that is enough, the rest is not read", c.Packets)
			break
		}
	}
	s.flush()
	c.Messages, c.Broken = s.inOrder(), s.broken
	if len(c.Messages) == 0 {
		return nil, s.nothing(&c)
	}
	return &c, nil
}

// Is tells whether a file begins as a capture does: pcap in both byte orders and
// with nanoseconds, by gzip too, or pcapng.
func Is(head []byte) bool {
	for _, magic := range [...]string{
		"\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d", "\x1f\x8b", sectionHeader,
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// sectionHeader is what pcapng begins with.
const sectionHeader = "\x0a\x0d\x0d\x0a"

// source is a file of packets.
type source interface {
	ReadPacketData() (data []byte, meta gopacket.CaptureInfo, err error)
}

// open tells the two formats apart. A file of pcapng may have packets of several
// link types.
func open(r io.Reader) (packets source, link func(gopacket.CaptureInfo) layers.LinkType, err error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(4)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %d bytes", ErrNoCapture, len(head))
	}
	if string(head) == sectionHeader {
		ng, err := pcapgo.NewNgReader(b, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrNoCapture, err)
		}
		return ng, func(meta gopacket.CaptureInfo) layers.LinkType {
			if len(meta.AncillaryData) > 0 {
				if of, ok := meta.AncillaryData[0].(layers.LinkType); ok {
					return of
				}
			}
			return ng.LinkType()
		}, nil
	}
	plain, err := pcapgo.NewReader(b)
	if err != nil {
		return nil, nil, ErrNoCapture
	}
	return plain, func(gopacket.CaptureInfo) layers.LinkType { return plain.LinkType() }, nil
}
