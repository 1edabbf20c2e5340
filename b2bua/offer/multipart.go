package offer

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"
)

// Bounds on a multipart body: deeper or further is not looked.
const (
	maxDepth = 3
	maxParts = 32
	maxHead  = 4096 // bytes of a part's header
)

// ErrNoSDP is a body in which no SDP was found to replace.
var ErrNoSDP = errors.New("the body has no SDP")

// HasSDP reports whether a Content-Type is application/sdp itself.
func HasSDP(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/sdp")
}

// Find returns the SDP of a body: all of it, or the first application/sdp part
// within multipart (RFC 5621) that is not encoded and that describes the session
// rather than something else (Content-Disposition, RFC 3261 20.11). It is a
// slice of body.
func Find(contentType string, body []byte) (sdp []byte, ok bool) {
	p, ok := locate(contentType, body, 0)
	if !ok {
		return nil, false
	}
	return body[p.from:p.to], true
}

// Replace returns a copy of body with the SDP that Find finds replaced. All
// other bytes stay, but for a Content-Length of that part. ErrNoSDP when there is
// none; an error too when the new text would end its part early.
func Replace(contentType string, body, sdp []byte) ([]byte, error) {
	p, ok := locate(contentType, body, 0)
	if !ok {
		return nil, ErrNoSDP
	}
	out := make([]byte, 0, len(body)+len(sdp)+20)
	at := 0
	for _, l := range p.lengths {
		n := l.inner + len(sdp) - (p.to - p.from)
		out = append(out, body[at:l.from]...)
		out = strconv.AppendInt(out, int64(n), 10)
		at = l.to
	}
	out = append(out, body[at:p.from]...)
	out = append(out, sdp...)
	out = append(out, body[p.to:]...)
	if got, ok := Find(contentType, out); !ok || !bytes.Equal(got, sdp) {
		return nil, fmt.Errorf("%w: it holds the boundary of its multipart body", ErrSyntax)
	}
	return out, nil
}

// place is where the SDP is in a body, with the Content-Length values on the
// way to it, outermost first.
type place struct {
	from, to int
	lengths  []length
}

// length is the digits of a Content-Length, and the length that is true.
type length struct{ from, to, inner int }

func locate(contentType string, body []byte, depth int) (place, bool) {
	if HasSDP(contentType) {
		return place{to: len(body)}, true
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" || depth == maxDepth {
		return place{}, false
	}
	for _, p := range split(body, params["boundary"]) {
		h, ok := readHead(body[p.from:p.to])
		if !ok || !h.session() {
			continue
		}
		start := p.from + h.size
		inner, ok := locate(h.contentType, body[start:p.to], depth+1)
		if !ok {
			continue
		}
		return inner.within(start, p, h), true
	}
	return place{}, false
}

// within moves a place found inside a part out to the body around the part.
func (p place) within(start int, part place, h head) place {
	out := place{from: p.from + start, to: p.to + start}
	if h.lengthTo > 0 {
		out.lengths = []length{{part.from + h.lengthFrom, part.from + h.lengthTo, part.to - start}}
	}
	for _, l := range p.lengths {
		out.lengths = append(out.lengths, length{l.from + start, l.to + start, l.inner})
	}
	return out
}

// split finds the parts between delimiter lines (RFC 2046 5.1.1), without the
// line end that belongs to the delimiter. A part that no delimiter ends is none.
func split(body []byte, boundary string) (parts []place) {
	mark := []byte("--" + boundary)
	start := -1
	for at := 0; at < len(body) && len(parts) < maxParts; {
		l := lineAt(body, at)
		tail, ok := bytes.CutPrefix(l, mark)
		tail = bytes.TrimRight(tail, " \t\r\n")
		last := string(tail) == "--"
		if ok && (last || len(tail) == 0) {
			if start >= 0 {
				parts = append(parts, place{from: start, to: max(start, endBefore(body, at))})
			}
			if last {
				return parts
			}
			start = at + len(l)
		}
		at += len(l)
	}
	return parts
}

// lineAt returns the line that begins at i, with its end.
func lineAt(body []byte, i int) []byte {
	if n := bytes.IndexByte(body[i:], '\n'); n >= 0 {
		return body[i : i+n+1]
	}
	return body[i:]
}

// endBefore steps back over the line end before i.
func endBefore(body []byte, i int) int {
	if i > 0 && body[i-1] == '\n' {
		i--
	}
	if i > 0 && body[i-1] == '\r' {
		i--
	}
	return i
}

// head is the header of a part.
type head struct {
	contentType, disposition, encoding string
	lengthFrom, lengthTo               int // the digits of Content-Length, 0 when there is none
	size                               int // with the empty line
}

// session reports whether the part is text as it stands, and about the session.
func (h head) session() bool {
	kind, _, _ := strings.Cut(h.disposition, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	switch strings.ToLower(h.encoding) {
	case "", "7bit", "8bit", "binary":
		return kind == "" || kind == "session"
	}
	return false
}

// readHead reads a part's header up to its empty line.
func readHead(part []byte) (h head, ok bool) {
	var field *string
	for at := 0; at < min(len(part), maxHead); {
		l := lineAt(part, at)
		text := strings.TrimRight(string(l), "\r\n")
		switch {
		case text == "":
			h.size = at + len(l)
			return h, true
		case blank(text[0]):
			if field != nil {
				*field += " " + strings.TrimSpace(text)
			}
		default:
			field = h.read(text, at)
		}
		at += len(l)
	}
	return h, false
}

// read takes one field that begins at that offset; it returns where its folded
// lines go, or nil.
func (h *head) read(text string, at int) *string {
	name, value, _ := strings.Cut(text, ":")
	field := new(string)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "content-type":
		field = &h.contentType
	case "content-disposition":
		field = &h.disposition
	case "content-transfer-encoding":
		field = &h.encoding
	case "content-length":
		if digits := strings.TrimSpace(value); decimal(digits) {
			h.lengthFrom = at + len(name) + 1 + strings.Index(value, digits)
			h.lengthTo = h.lengthFrom + len(digits)
		}
	}
	*field = strings.TrimSpace(value)
	return field
}
