package cucm

import (
	"slices"
	"strings"

	"legwork/b2bua/message"
)

// value is one member of a header field: what stands before its parameters,
// and these. What is not touched is written as it was.
type value struct {
	display string // with the space behind it
	uri     string // or whatever else stands before the parameters
	angled  bool   // the URI stands in brackets
	params  []string
}

func readValue(text string) value {
	text = strings.TrimSpace(text)
	if open := outside(text, '<'); open >= 0 {
		if end := strings.IndexByte(text[open:], '>'); end > 0 {
			v := value{display: text[:open], uri: text[open+1 : open+end], angled: true}
			v.params = splitOutside(strings.TrimPrefix(strings.TrimSpace(text[open+end+1:]), ";"))
			return v
		}
	}
	parts := splitOutside(text)
	if len(parts) == 0 {
		return value{}
	}
	return value{uri: strings.TrimSpace(parts[0]), params: parts[1:]}
}

func (v value) String() string {
	text := v.uri
	if v.angled {
		text = v.display + "<" + v.uri + ">"
	}
	for _, p := range v.params {
		text += ";" + strings.TrimSpace(p)
	}
	return text
}

// set writes a parameter; an empty value writes its name alone.
func set(params []string, name, text string) []string {
	one := name
	if text != "" {
		one += "=" + text
	}
	if i := find(params, name); i >= 0 {
		params[i] = one
		return params
	}
	return append(params, one)
}

// get is a parameter's value: "" when it has none.
func get(params []string, name string) (text string, ok bool) {
	i := find(params, name)
	if i < 0 {
		return "", false
	}
	_, text, _ = strings.Cut(params[i], "=")
	return strings.TrimSpace(text), true
}

func find(params []string, name string) int {
	return slices.IndexFunc(params, func(p string) bool {
		have, _, _ := strings.Cut(p, "=")
		return strings.EqualFold(strings.TrimSpace(have), name)
	})
}

// splitURI takes a URI apart: what stands before its parameters, these, and what
// follows them.
func splitURI(uri string) (head string, params []string, tail string) {
	if i := strings.IndexByte(uri, '?'); i >= 0 {
		uri, tail = uri[:i], uri[i:]
	}
	from := strings.LastIndexByte(uri, '@') + 1
	if i := strings.IndexByte(uri[from:], ';'); i >= 0 {
		return uri[:from+i], splitOutside(uri[from+i+1:]), tail
	}
	return uri, nil, tail
}

func setURIParam(uri, name, text string) string {
	head, params, tail := splitURI(uri)
	for _, p := range set(params, name, text) {
		head += ";" + p
	}
	return head + tail
}

// outside is where a byte first stands outside of quotes, or -1.
func outside(s string, b byte) int {
	inQuotes := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && inQuotes:
			i++
		case c == '"':
			inQuotes = !inQuotes
		case c == b && !inQuotes:
			return i
		}
	}
	return -1
}

// splitOutside cuts at semicolons outside of quotes.
func splitOutside(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	var parts []string
	for {
		i := outside(s, ';')
		if i < 0 {
			return append(parts, s)
		}
		parts, s = append(parts, s[:i]), s[i+1:]
	}
}

// listed tells whether the values of a header are separated by commas: of any
// other a comma is part of the one value.
func listed(name string) bool {
	return slices.Contains([]string{
		"accept", "accept-contact", "accept-encoding", "accept-language", "alert-info", "allow", "allow-events", "call-info",
		"contact", "content-encoding", "content-language", "diversion", "error-info", "geolocation", "history-info",
		"in-reply-to", "p-asserted-identity", "p-associated-uri", "p-preferred-identity", "path", "proxy-require", "reason",
		"record-route", "reject-contact", "remote-party-id", "request-disposition", "require", "route", "service-route",
		"supported", "unsupported", "via", "warning",
	}, strings.ToLower(message.LongName(name)))
}

// members are the values of one line.
func members(name, line string) []string {
	if !listed(name) {
		return []string{line}
	}
	return (&message.Message{Headers: []message.Header{{Name: name, Value: line}}}).List(name)
}

// first is the header's first value.
func first(m *message.Message, name string) (text string, ok bool) {
	line, ok := m.Lookup(name)
	if !ok {
		return "", false
	}
	if all := members(name, line); len(all) > 0 {
		return all[0], true
	}
	return "", true
}

// withFirst are the header's lines with another first value.
func withFirst(m *message.Message, name, text string) []string {
	lines := m.All(name)
	all := members(name, lines[0])
	if len(all) == 0 {
		all = []string{""}
	}
	all[0] = text
	lines[0] = strings.Join(all, ", ")
	return lines
}
