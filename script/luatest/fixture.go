package luatest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/pcap"
)

// seen says where an INVITE is written down: as text in a file or in the test, or
// in a capture.
type seen struct {
	file, text           string
	any                  bool // of text: a request outside any call will do, too
	pcap, callID, number string
}

// maxCapture bounds a capture beside the tests.
const maxCapture = 64 << 20

// fixture reads it. What belongs to the hop, Via and Content-Length, is the
// agent's; a missing header is like's.
func (s *stage) fixture(from seen, like *message.Message) (*message.Message, error) {
	m, err := s.readInvite(from)
	if err != nil {
		return nil, err
	}
	m.Raw = nil
	m.Del("Via")
	if m.Get("To") == "" {
		m.Set("To", "<"+m.URI+">")
	}
	for _, h := range like.Headers {
		if m.Get(h.Name) == "" {
			m.Set(h.Name, h.Value)
		}
	}
	if m.FromTag() == "" {
		m.Set("From", message.WithTag(m.Get("From"), like.FromTag()))
	}
	return m, nil
}

func (s *stage) readInvite(from seen) (*message.Message, error) {
	switch {
	case from.pcap != "":
		found, err := s.captured(from)
		if err != nil {
			return nil, fmt.Errorf("pcap = %q: %w", from.pcap, err)
		}
		return found.Message.Clone(), nil
	case from.text != "":
		parse := parseText
		if from.any {
			parse = parseMessage
		}
		m, err := parse(from.text)
		if err != nil {
			return nil, fmt.Errorf("text %w", err)
		}
		return m, nil
	}
	b, err := s.beside(from.file, maxText)
	if err != nil {
		return nil, fmt.Errorf("file = %q: %w", from.file, err)
	}
	m, err := parseText(string(b))
	if err != nil {
		return nil, fmt.Errorf("file = %q %w", from.file, err)
	}
	return m, nil
}

// beside reads a file of the tests' folder.
func (s *stage) beside(file string, most int64) ([]byte, error) {
	name := path.Clean(file)
	if !fs.ValidPath(name) {
		return nil, errors.New("it leads out of the scripts' folder")
	}
	f, err := s.folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("it is larger than the %d bytes that are read", most)
	}
	return b, err
}

// parseText reads an INVITE as people write it.
func parseText(text string) (*message.Message, error) {
	m, err := parseMessage(text)
	if err != nil {
		return nil, err
	}
	if m.Method != "INVITE" || !m.IsRequest() {
		return nil, fmt.Errorf("holds no INVITE but %s", called(m))
	}
	return m, nil
}

// called names a message for people.
func called(m *message.Message) string {
	if m.IsRequest() {
		return m.Method
	}
	return fmt.Sprintf("a response, %d %s", m.Status, m.Reason)
}

// parseMessage reads a message as people write it: with any line ends, and its
// length is what it has.
func parseMessage(text string) (*message.Message, error) {
	lines, body := linesOf(text)
	var kept []string
	for _, line := range lines {
		if line = strings.TrimSuffix(line, "\r"); !isLength(line) {
			kept = append(kept, line)
		}
	}
	whole := strings.Join(kept, "\r\n") + "\r\n\r\n" + strings.ReplaceAll(body, "\n", "\r\n")
	m, err := message.Parse([]byte(whole))
	if err != nil {
		return nil, fmt.Errorf("is no SIP message: %w", faultIn(text, err))
	}
	return m, nil
}

// blanks are what may stand before a message: blank space, and the byte order mark
// that some editors write.
const blanks = "\r\n\t \ufeff"

// linesOf are the start line with the header fields, and the body.
func linesOf(text string) (lines []string, body string) {
	text = flush(strings.ReplaceAll(text, "\r\n", "\n"))
	head, body, _ := strings.Cut(strings.TrimLeft(text, blanks), "\n\n")
	return strings.Split(strings.TrimSpace(head), "\n"), body
}

// flush takes the first line's indent off all lines: a message in a script often
// stands as far in as what is around it.
func flush(text string) string {
	rest := strings.TrimLeft(text, blanks)
	above := strings.TrimPrefix(text[:len(text)-len(rest)], "\ufeff")
	indent := above[strings.LastIndex(above, "\n")+1:]
	if indent == "" {
		return text
	}
	lines := strings.Split(rest, "\n")
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			line = ""
		}
		lines[i] = strings.TrimPrefix(line, indent)
	}
	return above + strings.Join(lines, "\n")
}

func isLength(line string) bool {
	field, _, _ := strings.Cut(line, ":")
	return message.Same(strings.TrimSpace(field), "Content-Length")
}

// faultIn says in which line of a text a parser stumbled, and what belongs there.
func faultIn(text string, err error) error {
	lines, _ := linesOf(text)
	skipped := len(text) - len(strings.TrimLeft(text, blanks))
	above := strings.Count(text[:skipped], "\n")
	var head strings.Builder
	for i, line := range lines {
		if isLength(line) {
			continue
		}
		head.WriteString(strings.TrimSuffix(line, "\r") + "\r\n")
		_, found := message.Parse([]byte(head.String() + "\r\n"))
		switch {
		case found == nil:
		case i == 0:
			return fmt.Errorf("line %d: %w; it begins like \"INVITE sip:4711@sbc.example SIP/2.0\": %q", above+1, err, shortened(line))
		default:
			return fmt.Errorf("line %d: %w; a field is like \"Name: value\": %q", above+i+1, err, shortened(line))
		}
	}
	return err
}

// lineOf is the line, from 1, on which the last field of a name begins; 0: nowhere.
func lineOf(text, name string) (at int) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if field, _, ok := strings.Cut(line, ":"); ok && message.Same(strings.TrimSpace(field), name) {
			at = n
		}
		if strings.TrimSpace(line) == "" && at > 0 {
			break
		}
	}
	return at
}

func shortened(line string) string {
	const most = 60
	line = message.Mask(strings.TrimSuffix(line, "\r"))
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	return line
}

// captured finds the INVITE in a capture.
func (s *stage) captured(from seen) (pcap.Message, error) {
	b, err := s.beside(from.pcap, maxCapture)
	if err != nil {
		return pcap.Message{}, err
	}
	c, err := pcap.Read(bytes.NewReader(b))
	if err != nil {
		return pcap.Message{}, err
	}
	one, _, err := c.Find(pcap.Wish{CallID: from.callID, Number: from.number})
	if err != nil {
		return pcap.Message{}, err
	}
	return one.Invite(), nil
}

// seenFrom is where the INVITE of a capture came from, when that is a trunk's
// address.
func (s *stage) seenFrom(from seen) (at netip.Addr, ok bool, err error) {
	found, err := s.captured(from)
	if err != nil {
		return netip.Addr{}, false, fmt.Errorf("pcap = %q: %w", from.pcap, err)
	}
	one, _ := s.near.table.Match(found.From.Addr())
	return found.From.Addr(), one != nil, nil
}
