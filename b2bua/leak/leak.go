// Package leak finds in the bytes of a SIP message what is to stay inside: words,
// and addresses of networks. It reads bytes as they leave, not a message as it was
// meant, and knows nothing of calls, trunks or where the words come from.
//
// Start with New and Guard.Find.
package leak

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Guard knows what is inside. It never changes.
type Guard struct {
	words    [][]byte // in lower case
	networks []netip.Prefix
}

// Leak is something of the inside in a message.
type Leak struct {
	Where string // name of a header as it stands there, "first line", "SDP o=", or "body"
	What  string // the word, or the address
}

// New makes a guard. A word is found in any case, also within a longer one; it has
// three letters at least.
func New(words []string, networks []netip.Prefix) (*Guard, error) {
	g := &Guard{networks: networks}
	for _, w := range words {
		if len(strings.TrimSpace(w)) < 3 {
			return nil, fmt.Errorf("the word %q is found everywhere", w)
		}
		g.words = append(g.words, bytes.ToLower([]byte(w)))
	}
	for _, n := range networks {
		if !n.IsValid() {
			return nil, errors.New("a network is none")
		}
	}
	return g, nil
}

// Inside tells whether an address is of the inside: what goes there is no leak.
func (g *Guard) Inside(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(g.networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// Names tells whether a host's name has one of the words.
func (g *Guard) Names(host string) bool {
	lower := bytes.ToLower([]byte(host))
	return slices.ContainsFunc(g.words, func(w []byte) bool { return bytes.Contains(lower, w) })
}

// most bounds what is told of one message.
const most = 16

// Find lists what a message says of the inside, each word or address once for
// each place; no more than most of them.
func (g *Guard) Find(message []byte) []Leak {
	var found []Leak
	where, body, sdp := "first line", false, false
	for n := 0; len(message) > 0 && len(found) < most; n++ {
		line, rest, _ := bytes.Cut(message, []byte("\n"))
		message, line = rest, bytes.TrimRight(line, "\r")
		switch {
		case body && sdp && len(line) > 1 && line[1] == '=':
			where = "SDP " + string(line[:2])
		case body:
			where = "body"
		case n == 0:
		case len(line) == 0:
			body, sdp = true, bytes.HasPrefix(message, []byte("v=0"))
			continue
		case line[0] != ' ' && line[0] != '\t': // else the header goes on
			name, _, _ := bytes.Cut(line, []byte(":"))
			where = string(bytes.TrimSpace(name))
		}
		for _, what := range g.in(line) {
			if one := (Leak{where, what}); len(found) < most && !slices.Contains(found, one) {
				found = append(found, one)
			}
		}
	}
	return found
}

// in lists the words and addresses in a line.
func (g *Guard) in(line []byte) []string {
	var found []string
	if len(g.words) > 0 {
		lower := bytes.ToLower(line)
		for _, w := range g.words {
			if bytes.Contains(lower, w) {
				found = append(found, string(w))
			}
		}
	}
	if len(g.networks) > 0 {
		for start := 0; start < len(line); {
			end := start
			for end < len(line) && addressed(line[end]) {
				end++
			}
			if addr, ok := address(line[start:end]); ok && g.Inside(addr) {
				found = append(found, addr.String())
			}
			start = end + 1
		}
	}
	return found
}

// addressed are the bytes that an address is made of.
func addressed(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' || c == '.' || c == ':'
}

// address reads 192.0.2.1, 192.0.2.1:5060 or 2001:db8::1 out of what may have dots
// and colons around it.
func address(text []byte) (netip.Addr, bool) {
	if len(text) < 3 || len(text) > 64 {
		return netip.Addr{}, false
	}
	s := strings.TrimLeft(strings.TrimRight(string(text), ".:"), ".")
	if strings.HasSuffix(string(text), "::") {
		s += "::"
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap(), true
	}
	host, _, _ := strings.Cut(strings.TrimLeft(s, ":"), ":")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr, true
	}
	return netip.Addr{}, false
}
