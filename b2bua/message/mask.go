package message

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// What stands in the place of a secret.
const masked = "***"

var (
	// A user name may hold nearly anything, a password more: what is masked is
	// rather too much than too little.
	passwordInSIP = regexp.MustCompile(`(?i)\b(sips?:[^\s:@<>"]*):[^\s@<>"]*@`)
	passwordInURL = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://[^\s:@/<>"]*):[^\s/<>"]*@`)
	inURIHeader   = regexp.MustCompile(`(?i)([?&](?:proxy-)?authorization=)[^&>\s]*`)
	credentials   = regexp.MustCompile(`(?i)\b((?:proxy-)?auth(?:orization|entication-info)[ \t]*:[ \t]*)([^\s,]*)([^\n]*(?:\n[ \t][^\n]*)*)`)
	otherScheme   = regexp.MustCompile(`(?i)\b(?:basic|bearer)\b`)
	proofOfSecret = regexp.MustCompile(`(?i)\b(response|rspauth|password)(\s*=\s*)(?:"(?:[^"\\]|\\.)*")?[^,\s]*`)
	digestAlone   = regexp.MustCompile(`(?i)\b(response|rspauth)(\s*=\s*)"?[0-9a-f]{32,}"?`)
	mediaKey      = regexp.MustCompile(`(inline:)[A-Za-z0-9+/=]+`)
	mediaSecret   = regexp.MustCompile(`(?m)^(a=ice-pwd:|k=(?:clear|base64|uri):)[^\r\n]*`)
)

// Mask takes the secrets out of a text that people will read: passwords in
// URIs, the proof in the credentials of a message (a password can be guessed
// from a digest response), and the keys of media in SDP. A message is one for
// ParseMasked then.
//
// Everything that shows what came or left goes through it: logs, ladders,
// traces, records, the API.
func Mask(text string) string {
	if !mayHold(text) {
		return text
	}
	text = passwordInSIP.ReplaceAllString(text, "$1:"+masked+"@")
	text = passwordInURL.ReplaceAllString(text, "$1:"+masked+"@")
	text = mediaKey.ReplaceAllString(text, "${1}"+masked)
	text = mediaSecret.ReplaceAllString(text, "${1}"+masked)
	text = inURIHeader.ReplaceAllString(text, "${1}"+masked)
	text = credentials.ReplaceAllStringFunc(text, maskCredentials)
	return digestAlone.ReplaceAllString(text, "${1}${2}"+masked) // credentials without their name
}

// ParseMasked parses a message that Mask has changed: its body has another length
// than it says.
func ParseMasked(text string) (*Message, error) {
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	var kept []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if name, _, _ := strings.Cut(line, ":"); !Same(strings.TrimSpace(name), "Content-Length") {
			kept = append(kept, line)
		}
	}
	return Parse([]byte(strings.Join(kept, "\r\n") + "\r\n\r\n" + body))
}

// mayHold is false where the expressions would find nothing: long texts without
// secrets are the rule.
func mayHold(text string) bool {
	return holdsPassword(text) || holdsAuth(text) || strings.Contains(text, "=") &&
		(strings.Contains(text, "inline:") || strings.Contains(text, "ice-pwd:") || strings.Contains(text, "k=") ||
			strings.Contains(text, "esponse") || strings.Contains(text, "spauth"))
}

// holdsPassword looks for two colons before an at.
func holdsPassword(text string) bool {
	for {
		before, after, found := strings.Cut(text, "@")
		if !found {
			return false
		}
		word := before[strings.LastIndexAny(before, " \t\r\n<>\"")+1:]
		if strings.Count(word, ":") > 1 {
			return true
		}
		text = after
	}
}

// holdsAuth looks for what the names of the fields begin with.
func holdsAuth(text string) bool {
	for i := 0; i+4 <= len(text); i++ {
		if text[i]|0x20 == 'a' && text[i+1]|0x20 == 'u' && text[i+2]|0x20 == 't' && text[i+3]|0x20 == 'h' {
			return true
		}
	}
	return false
}

// MaskJSON is Mask for each text within JSON.
func MaskJSON(text []byte) []byte {
	if !mayHold(string(text)) {
		return text
	}
	var out bytes.Buffer
	done := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		end := i + 1
		for end < len(text) && text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(text))
		if changed := maskQuoted(text[i:end]); changed != nil {
			out.Write(text[done:i])
			out.Write(changed)
			done = end
		}
		i = end - 1
	}
	if done == 0 {
		return text
	}
	out.Write(text[done:])
	return out.Bytes()
}

// maskQuoted is nil where there is nothing to mask.
func maskQuoted(quoted []byte) []byte {
	const shortest = len(`"a:b:c@"`)
	var plain string
	if len(quoted) < shortest || json.Unmarshal(quoted, &plain) != nil {
		return nil
	}
	text := Mask(plain)
	if text == plain {
		return nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // of a string never fails
	return bytes.TrimSpace(out.Bytes())
}

// MaskURI is Mask for a URI alone: it costs nothing where there is no password.
func MaskURI(uri string) string {
	if !holdsPassword(uri) {
		return uri
	}
	return Mask(uri)
}

// MaskField is Mask for the value of a header field.
func MaskField(name, value string) string {
	if !isCredentials(name) {
		return Mask(value)
	}
	_, value, _ = strings.Cut(Mask("Authorization: "+value), " ")
	return value
}

func isCredentials(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "authorization") || strings.HasSuffix(name, "authentication-info")
}

// maskCredentials leaves of a digest all but the proof, of any other scheme its
// name.
func maskCredentials(field string) string {
	part := credentials.FindStringSubmatch(field)
	name, scheme, rest := part[1], part[2], part[3]
	params := strings.EqualFold(scheme, "digest") || strings.Contains(scheme, "=")
	if !params || otherScheme.MatchString(rest) {
		return name + scheme + " " + masked + rest[len(strings.TrimRight(rest, "\r")):]
	}
	return name + proofOfSecret.ReplaceAllString(scheme+rest, "${1}${2}"+masked)
}
