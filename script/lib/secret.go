package lib

import "regexp"

// secret is how what nobody is to read is called.
const secret = `[a-z0-9_.-]*(?:password|passwd|pwd|secret|ha1|api_?key|private_?key|(?:access|refresh)_?token)[a-z0-9_]*`

var (
	secretIn      = regexp.MustCompile(`(?i)` + secret)
	secretValue   = regexp.MustCompile(`(?i)("` + secret + `"\s*:\s*)"(?:[^"\\]|\\.)*"`)
	secretField   = regexp.MustCompile(`(?i)((?:^|[?&\s"])(?:` + secret + `|token|sig|signature)=)[^&\s"]*`)
	textValue     = regexp.MustCompile(`(^|:\s*|[\[,]\s*)"(?:[^"\\]|\\.)*"`)
	secretInQuery = regexp.MustCompile(`(?i)((?:^|[?&\s])[a-z0-9_.-]*(?:token|secret|passw|pwd|ha1|key|auth|sig|signature)[a-z0-9_.-]*=)[^&\s]*`)
)

// WithoutSecrets is the key of a look-up with something else in place of what
// nobody is shown.
func WithoutSecrets(key, instead string) string {
	return secretInQuery.ReplaceAllString(key, "${1}"+instead)
}

// Conceal takes out of what a look-up found, JSON or a form, the secrets, as far as
// they are called so; of one whose key is called so all texts. kind is that of a
// Question.
func Conceal(kind, key string, found []byte) []byte {
	found = secretValue.ReplaceAll(found, []byte(`${1}"***"`))
	found = secretField.ReplaceAll(found, []byte("${1}***"))
	if kind != "http" && kind != "sql" && secretIn.MatchString(key) {
		found = textValue.ReplaceAll(found, []byte(`${1}"***"`))
	}
	return found
}
