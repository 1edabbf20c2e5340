package digest

import (
	"fmt"
	"io"
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
// or its HA1 (RFC 7616 section 3.4.2), the hash of user:realm:password in hex, of
// which the length tells the algorithm: MD5 or SHA-256. A hash goes before the
// password. An empty password is none. Logs, errors and JSON show nothing of it.
type Secret struct{ Password, HA1 string }

// hashed tells whether it has the hash of that algorithm.
func (s Secret) hashed(a Algorithm) bool {
	return len(s.HA1) == a.hexSize() && a.plain() != SHA512t256
}

// a1 is H(user:realm:password). It is always computed, so that a user with a
// stored hash costs as much as one without.
func (s Secret) a1(a Algorithm, user, realm string) string {
	computed := a.hash(user, realm, s.Password)
	if s.hashed(a) {
		return strings.ToLower(s.HA1)
	}
	return computed
}

func (Secret) String() string { return "***" }

// Format stands in for every verb: fmt asks String for some of them only.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is for JSON, in logs and elsewhere.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
