package transport

import (
	"bytes"
	"errors"
	"strconv"
)

var (
	errTooLarge = errors.New("message is too large")
	errNoLength = errors.New("no readable Content-Length")
)

// frames cuts a stream into messages (RFC 3261 section 18.3).
type frames struct {
	most    int // bytes of one message
	buf     []byte
	scanned int  // of buf: holds no end of a head
	total   int  // of the message whose head is complete; else 0
	crlfs   int  // in a row between messages
	pinged  bool // by us: a pong is due
}

// add takes what was read.
func (f *frames) add(b []byte) { f.buf = append(f.buf, b...) }

// empty means that no part of a message is waiting.
func (f *frames) empty() bool { return len(f.buf) == 0 }

// next returns a copy of the next whole message, nil when there is none yet,
// and whether a keep-alive before it wants its pong (RFC 5626 section 4.4.1).
func (f *frames) next() (frame []byte, pong bool, err error) {
	pong = f.skipBlank()
	if f.total == 0 {
		if err := f.head(); err != nil {
			return nil, pong, err
		}
	}
	if f.total == 0 || len(f.buf) < f.total {
		return nil, pong, nil
	}
	frame = append([]byte(nil), f.buf[:f.total]...)
	f.cut(f.total)
	f.total = 0
	return frame, pong, nil
}

func (f *frames) cut(n int) {
	f.buf = f.buf[n:]
	f.scanned = 0
	if len(f.buf) == 0 {
		f.buf = nil
	}
}

// skipBlank takes line ends before a message; two are a ping, a single one may
// be the answer to ours.
func (f *frames) skipBlank() (pong bool) {
	if f.total > 0 {
		return false
	}
	for bytes.HasPrefix(f.buf, []byte("\r\n")) {
		if f.pinged && !bytes.HasPrefix(f.buf, []byte("\r\n\r\n")) {
			f.pinged = false
			f.cut(2)
			continue
		}
		f.cut(2)
		if f.crlfs++; f.crlfs == 2 {
			f.crlfs, pong = 0, true
		}
	}
	if len(f.buf) > 0 && f.buf[0] != '\r' {
		f.crlfs = 0
	}
	return pong
}

// head looks for the end of the header fields and learns the total length.
func (f *frames) head() error {
	const end = "\r\n\r\n"
	from := max(f.scanned-len(end)+1, 0)
	i := bytes.Index(f.buf[from:], []byte(end))
	if i < 0 {
		if f.scanned = len(f.buf); f.scanned > f.most {
			return errTooLarge
		}
		return nil
	}
	size := from + i + len(end)
	body, ok := lengthIn(f.buf[:size])
	switch {
	case !ok:
		return errNoLength
	case body > f.most || size+body > f.most:
		return errTooLarge
	}
	f.total = size + body
	return nil
}

// lengthIn finds Content-Length, which a stream can't do without. Two that
// differ leave the end of the message open, so there is none.
func lengthIn(head []byte) (n int, ok bool) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, found := bytes.Cut(line, []byte(":"))
		name = bytes.TrimRight(name, " \t")
		if !found || !bytes.EqualFold(name, []byte("l")) && !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		length, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
		if err != nil || ok && int(length) != n {
			return 0, false
		}
		n, ok = int(length), true
	}
	return n, ok
}
