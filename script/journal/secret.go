package journal

import (
	"encoding/json"
	"regexp"
)

// secret is how what nobody is to read is called.
const secret = `[a-z0-9_.-]*(?:password|passwd|pwd|secret|ha1|api_?key|private_?key|(?:access|refresh)_?token)[a-z0-9_]*`

var (
	secretIn    = regexp.MustCompile(`(?i)` + secret)
	secretValue = regexp.MustCompile(`(?i)("` + secret + `"\s*:\s*)"(?:[^"\\]|\\.)*"`)
	secretField = regexp.MustCompile(`(?i)((?:^|[?&\s])(?:` + secret + `|token|sig|signature)=)[^&\s"]*`)
	textValue   = regexp.MustCompile(`(^|:\s*|[\[,]\s*)"(?:[^"\\]|\\.)*"`)
)

// Hidden is what was asked for, without the secrets in it.
func Hidden(key string) string { return secretField.ReplaceAllString(key, "${1}***") }

// hide takes the secrets out of what a call has met, as far as they are called
// so: scripts look up passwords.
func (m *Met) hide() {
	m.Body = secretValue.ReplaceAll(m.Body, []byte(`${1}"***"`))
	m.Body = secretField.ReplaceAll(m.Body, []byte("${1}***"))
	value := secretValue.ReplaceAll(m.Value, []byte(`${1}"***"`))
	if m.Kind != "http" && m.Kind != "sql" && secretIn.MatchString(m.Key) {
		value = textValue.ReplaceAll(value, []byte(`${1}"***"`))
	}
	m.Value = json.RawMessage(value)
	m.Key = Hidden(m.Key)
}
