package message

import "strings"

// Param is one ";name=value" as written; Value keeps its quotes. HasValue
// tells ";lr" from ";x=".
type Param struct {
	Name, Value string
	HasValue    bool
}

// Params are the parameters behind a URI, an address or a Via, in order.
type Params []Param

// Get returns a parameter's value without its quotes. Names ignore case.
func (p Params) Get(name string) (string, bool) {
	for i := range p {
		if strings.EqualFold(p[i].Name, name) {
			return unquote(p[i].Value), true
		}
	}
	return "", false
}

// Has tells whether the parameter is there, with or without a value.
func (p Params) Has(name string) bool {
	_, ok := p.Get(name)
	return ok
}

// Set replaces or appends a parameter; an empty value writes ";name" alone.
func (p *Params) Set(name, value string) {
	one := Param{Name: name, Value: value, HasValue: value != ""}
	for i := range *p {
		if strings.EqualFold((*p)[i].Name, name) {
			(*p)[i] = one
			return
		}
	}
	*p = append(*p, one)
}

// Del removes a parameter.
func (p *Params) Del(name string) {
	kept := make(Params, 0, len(*p))
	for _, one := range *p {
		if !strings.EqualFold(one.Name, name) {
			kept = append(kept, one)
		}
	}
	*p = kept
}

// ParamIn finds a parameter in text such as "a=1;b", as written: with its
// quotes. It allocates nothing.
func ParamIn(params, name string) (value string, ok bool) {
	for params != "" {
		var one string
		one, params = cutQuoted(params, ';')
		have, value, _ := strings.Cut(one, "=")
		if strings.EqualFold(strings.TrimSpace(have), name) {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

func (p Params) append(b []byte) []byte {
	for i := range p {
		b = p[i].append(b)
	}
	return b
}

func (p *Param) append(b []byte) []byte {
	b = append(append(b, ';'), p.Name...)
	if p.HasValue {
		b = append(append(b, '='), p.Value...)
	}
	return b
}

// parseParams reads "a=1;b;c=\"x;y\"": quotes hold separators, white space
// around names and values goes, empty ones are passed over.
func parseParams(s string, sep byte) Params {
	if s == "" {
		return nil
	}
	params := make(Params, 0, strings.Count(s, string(sep))+1)
	for s != "" {
		var one string
		one, s = cutQuoted(s, sep)
		if one = strings.TrimSpace(one); one != "" {
			params = append(params, parseParam(one))
		}
	}
	return params
}

func parseParam(s string) Param {
	name, value, has := strings.Cut(s, "=")
	return Param{strings.TrimSpace(name), strings.TrimSpace(value), has}
}

// cutQuoted cuts s at the first sep outside quotes.
func cutQuoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// cutComma cuts a list at its first comma outside quotes and brackets.
func cutComma(s string) (before, after string) {
	if strings.IndexByte(s, ',') < 0 {
		return strings.TrimSpace(s), ""
	}
	quoted, bracket := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			bracket = true
		case c == '>':
			bracket = false
		case c == ',' && !bracket:
			return strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:])
		}
	}
	return strings.TrimSpace(s), ""
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// appendQuoted writes a display name as a quoted string.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
