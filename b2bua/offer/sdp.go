package offer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds on what Parse accepts.
const (
	MaxSize    = 65535 // bytes
	MaxLines   = 4096
	MaxStreams = 64
)

// Errors of Parse and of the edits.
var (
	ErrSyntax   = errors.New("not an SDP")
	ErrTooLarge = errors.New("SDP too large")
	ErrNoCodec  = errors.New("no codec would be left")
)

// Session is a session description (RFC 8866) kept as its lines. What is not
// edited keeps its bytes, its order and its line ends, also where it is unknown
// or odd. New lines end as the first one does.
type Session struct {
	head    []line
	streams []*Stream
	end     string
}

// line is one line and the line end it came with, which the last may lack.
type line struct{ text, end string }

// Parse reads an SDP. It asks for "v=0" first, for "x=" at the start of each
// line that is not empty, and for a kind, a port, a protocol and a format in
// each m= line (RFC 8866 5.14); else ErrSyntax. Past the bounds it is ErrTooLarge.
func Parse(body []byte) (*Session, error) {
	if len(body) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(body))
	}
	s := &Session{}
	for n, rest := 1, string(body); rest != ""; n++ {
		if n > MaxLines {
			return nil, fmt.Errorf("%w: more than %d lines", ErrTooLarge, MaxLines)
		}
		var l line
		if l, rest = next(rest); s.end == "" {
			s.end = l.end
		}
		if err := s.take(l, n); err != nil {
			return nil, err
		}
	}
	if len(s.head) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrSyntax)
	}
	if s.end == "" {
		s.end = "\r\n"
	}
	return s, nil
}

// next cuts the first line off text.
func next(text string) (l line, rest string) {
	i := strings.IndexByte(text, '\n')
	if i < 0 {
		return line{text: text}, ""
	}
	if i > 0 && text[i-1] == '\r' {
		return line{text[:i-1], text[i-1 : i+1]}, text[i+1:]
	}
	return line{text[:i], text[i : i+1]}, text[i+1:]
}

// take puts line n where it belongs: to the session, or to the last stream.
func (s *Session) take(l line, n int) error {
	switch {
	case n == 1 && strings.TrimRight(l.text, " \t") != "v=0":
		return fmt.Errorf("%w: it does not begin with v=0", ErrSyntax)
	case strings.ContainsAny(l.text, "\r\x00"):
		return fmt.Errorf("%w: line %d has a CR or NUL inside", ErrSyntax, n)
	case l.text != "" && (len(l.text) < 2 || l.text[1] != '='):
		return fmt.Errorf("%w: line %d is not of the form x=", ErrSyntax, n)
	}
	if strings.HasPrefix(l.text, "m=") {
		if !mediaLine(l.text) {
			return fmt.Errorf("%w: line %d is not a complete m= line", ErrSyntax, n)
		}
		if len(s.streams) == MaxStreams {
			return fmt.Errorf("%w: more than %d streams", ErrTooLarge, MaxStreams)
		}
		s.streams = append(s.streams, &Stream{of: s, lines: []line{l}})
		return nil
	}
	if len(s.streams) > 0 {
		m := s.streams[len(s.streams)-1]
		m.lines = append(m.lines, l)
		return nil
	}
	s.head = append(s.head, l)
	return nil
}

func mediaLine(text string) bool {
	f := words(text[2:])
	if len(f) < 4 || text[2] == ' ' || text[2] == '\t' {
		return false
	}
	port, _, _ := strings.Cut(f[1], "/")
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// Bytes returns the text: the bytes that were parsed, but for the edits.
func (s *Session) Bytes() []byte {
	b := make([]byte, 0, s.size())
	for _, lines := range s.sections() {
		for _, l := range lines {
			b = append(append(b, l.text...), l.end...)
		}
	}
	return b
}

func (s *Session) size() (n int) {
	for _, lines := range s.sections() {
		for _, l := range lines {
			n += len(l.text) + len(l.end)
		}
	}
	return n
}

// room reports whether one more line of that many bytes is within the bounds.
func (s *Session) room(bytes int) bool {
	n := 0
	for _, lines := range s.sections() {
		n += len(lines)
	}
	return n < MaxLines && s.size()+bytes <= MaxSize
}

func (s *Session) sections() [][]line {
	all := make([][]line, 1, 1+len(s.streams))
	all[0] = s.head
	for _, m := range s.streams {
		all = append(all, m.lines)
	}
	return all
}

// Media returns the streams in the order of their m= lines, those with port 0
// too. The slice is the caller's, the streams are the session's.
func (s *Session) Media() []*Stream { return append([]*Stream(nil), s.streams...) }

// Audio returns the first audio stream, or nil.
func (s *Session) Audio() *Stream { return s.first("audio") }

// Video returns the first video stream, or nil.
func (s *Session) Video() *Stream { return s.first("video") }

func (s *Session) first(kind string) *Stream {
	for _, m := range s.streams {
		if m.Kind() == kind {
			return m
		}
	}
	return nil
}

// insert puts a new line at place i of a section. A section's last line may be
// without its end, so both sides of the new line get one.
func (s *Session) insert(lines []line, i int, text string) []line {
	if i > 0 && lines[i-1].end == "" {
		lines[i-1].end = s.end
	}
	lines = append(lines, line{})
	copy(lines[i+1:], lines[i:])
	lines[i] = line{text, s.end}
	return lines
}

// without returns the lines that gone does not name.
func without(lines []line, gone func(text string) bool) []line {
	kept := lines[:0]
	for _, l := range lines {
		if !gone(l.text) {
			kept = append(kept, l)
		}
	}
	return kept
}
