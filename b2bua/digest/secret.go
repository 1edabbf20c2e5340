package digest

import (
	"encoding/hex"
	"log/slog"
	"strings"
)

// Credentials are ours towards somebody who challenges.
type Credentials struct{ User, Password string }

// String keeps the password out of logs, as GoString and LogValue do.
func (c Credentials) String() string { return c.User + ":***" }

// GoString is for %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue is for slog.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Secret is what we know of a user who must answer our challenge: the password,
// or hashes of user:realm:password in hex, by algorithm. A hash goes before the
// password. An empty password is none.
type Secret struct {
	Password string
	HA1      map[Algorithm]string
}

// ParseSecret reads the text of a users file: 32 hex digits are an MD5 HA1, 64
// a SHA-256 one, anything else is the password itself.
func ParseSecret(text string) Secret {
	if _, err := hex.DecodeString(text); err == nil {
		switch len(text) {
		case MD5.hexSize():
			return Secret{HA1: map[Algorithm]string{MD5: text}}
		case SHA256.hexSize():
			return Secret{HA1: map[Algorithm]string{SHA256: text}}
		}
	}
	return Secret{Password: text}
}

// Can tells whether this secret can check an answer in that algorithm. Offer
// only what all users can, or they fail with the right password.
func (s Secret) Can(a Algorithm) bool {
	return s.Password != "" || len(s.HA1[a]) == a.hexSize()
}

// a1 is H(user:realm:password). It is always computed, so that a user with a
// stored hash costs as much as one without.
func (s Secret) a1(a Algorithm, user, realm string) string {
	computed := a.hash(user, realm, s.Password)
	if stored := s.HA1[a]; len(stored) == a.hexSize() {
		return strings.ToLower(stored)
	}
	return computed
}

// String shows nothing of it, as GoString and LogValue do.
func (s Secret) String() string { return "***" }

// GoString is for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue is for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
