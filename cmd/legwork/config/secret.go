package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a value that no log, error or JSON shows. string(s) is the value.
type Secret string

// String is empty for an empty secret, so that its absence can be seen.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// Format redacts under every verb: fmt asks String for some of them only.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue redacts in slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText redacts in JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
