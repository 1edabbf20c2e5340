package offer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrKind is a kind that Strip does not know.
var ErrKind = errors.New(`not one of "ice", "crypto", "video"`)

// Strip takes whole features out:
//
//	ice     ICE and its candidates (RFC 8839), of the session and all streams
//	crypto  the keys of RTP: SDES, DTLS, MIKEY, ZRTP; a secure profile without
//	        keys is unusable, so RTP/SAVP becomes RTP/AVP and so on
//	video   every video stream, as Remove does
//
// RTP over TCP and streams that are not RTP keep their keys. An unknown kind is
// ErrKind and nothing is done.
func (s *Session) Strip(kinds ...string) error {
	for _, kind := range kinds {
		if kind != "ice" && kind != "crypto" && kind != "video" {
			return fmt.Errorf("%q is %w", kind, ErrKind)
		}
	}
	if slices.Contains(kinds, "video") {
		s.stripVideo()
	}
	if slices.Contains(kinds, "ice") {
		s.stripICE()
	}
	if slices.Contains(kinds, "crypto") {
		s.stripCrypto()
	}
	return nil
}

func (s *Session) stripVideo() {
	for _, m := range s.streams {
		if m.Kind() == "video" {
			m.Remove()
		}
	}
}

func (s *Session) stripICE() {
	s.head = without(s.head, iceLine)
	for _, m := range s.streams {
		m.lines = without(m.lines, iceLine)
	}
}

func (s *Session) stripCrypto() {
	mine := true // whether the session's keys serve RTP alone
	for _, m := range s.streams {
		if !m.overUDP() {
			mine = mine && m.Removed()
			continue
		}
		m.lines = without(m.lines, keyLine)
		if plain := plainProfile(m.Protocol()); plain != m.Protocol() {
			m.setWord(wordProtocol, plain)
		}
	}
	if mine {
		s.head = without(s.head, keyLine)
	}
}

// overUDP reports RTP over UDP. Over TCP, a=setup says who connects (RFC 4145).
func (m *Stream) overUDP() bool {
	return m.RTP() && !strings.HasPrefix(strings.ToUpper(m.Protocol()), "TCP/")
}

// plainProfile maps a secure profile to its plain one (RFC 3711, 5124, 5764).
func plainProfile(protocol string) string {
	switch strings.ToUpper(protocol) {
	case "RTP/SAVP", "UDP/TLS/RTP/SAVP":
		return "RTP/AVP"
	case "RTP/SAVPF", "UDP/TLS/RTP/SAVPF":
		return "RTP/AVPF"
	}
	return protocol
}

func iceLine(text string) bool {
	name := attrName(text)
	return strings.HasPrefix(name, "ice-") ||
		name == "candidate" || name == "remote-candidates" || name == "end-of-candidates"
}

func keyLine(text string) bool {
	switch attrName(text) {
	case "crypto", "fingerprint", "setup", "connection", "tls-id", "key-mgmt", "zrtp-hash":
		return true
	}
	return false
}

// attrName returns the name of an a= line, or "".
func attrName(text string) string {
	rest, ok := strings.CutPrefix(text, "a=")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, ":")
	return strings.TrimRight(name, " \t")
}
