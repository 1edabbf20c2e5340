package canned

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"legwork/script/lib"
	"legwork/script/lua"
)

// binary is how a text that is no UTF-8 stands in a file: {"$base64": "..."}.
const binary = "$base64"

// encode writes a value of lua.ToGo.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(packed(v)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func packed(v any) any {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return map[string]string{binary: base64.StdEncoding.EncodeToString([]byte(v))}
		}
	case []any:
		list := make([]any, len(v))
		for i, one := range v {
			list[i] = packed(one)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, one := range v {
			m[k] = packed(one)
		}
		return m
	}
	return v
}

// decode reads one; no text is nil.
func decode(text json.RawMessage) (v any, err error) {
	if text == nil {
		return nil, nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	return unpacked(v)
}

func unpacked(v any) (_ any, err error) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = unpacked(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if text, ok := v[binary].(string); ok && len(v) == 1 {
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", binary, err)
			}
			return string(b), nil
		}
		for k := range v {
			if v[k], err = unpacked(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// entry is a stub as it is written.
type entry struct {
	HTTP   string          `json:"http,omitempty"`
	Redis  string          `json:"redis,omitempty"`
	SQL    string          `json:"sql,omitempty"`
	DNS    string          `json:"dns,omitempty"`
	Values json.RawMessage `json:"values,omitempty"`
	Answer json.RawMessage `json:"answer,omitempty"`
	Rows   json.RawMessage `json:"rows,omitempty"`
	Error  string          `json:"error,omitempty"`
	After  string          `json:"after,omitempty"`
}

// of begins the entry of a question.
func of(q *lib.Question) (entry, error) {
	var e entry
	switch q.Kind {
	case "http":
		e.HTTP = lib.WithoutSecrets(q.Key, "*") // as a stub it means the same
	case "redis":
		e.Redis = q.Key
	case "sql":
		e.SQL = q.Key
	case "dns":
		e.DNS = q.Key
	default:
		return e, errors.New("a look-up of another kind: " + q.Kind)
	}
	if len(q.Values) > 0 {
		values, err := encode(q.Values)
		if err != nil {
			return e, err
		}
		e.Values = values
	}
	return e, nil
}

// give completes it with what was found.
func (e *entry) give(q *lib.Question, a lib.Answer) (err error) {
	_, isRows := a.Value.([]any)
	switch {
	case q.Kind == "http":
		e.Answer, err = pageText(a)
	case q.Kind == "sql" && isRows:
		e.Rows, err = encode(a.Value)
	default:
		e.Answer, err = encode(a.Value)
	}
	e.Answer, e.Rows = lib.Conceal(q.Kind, q.Key, e.Answer), lib.Conceal(q.Kind, q.Key, e.Rows)
	return err
}

func pageText(a lib.Answer) ([]byte, error) {
	status, body := float64(a.Status), bytes.TrimSpace(a.Body)
	m := map[string]any{"status": status}
	switch {
	case len(body) > 0 && (body[0] == '{' || body[0] == '[') && json.Valid(body):
		m["json"] = json.RawMessage(body)
	case len(a.Body) > 0:
		m["body"] = string(a.Body)
	}
	return encode(m)
}

// maxShown bounds the key in an example: * stands for the rest.
const maxShown = 500

// example is the line of a stub that would answer a question.
func example(q *lib.Question, style Style) string {
	if len(q.Key) > maxShown {
		short := *q
		short.Key = strings.ToValidUTF8(q.Key[:maxShown], "*") + "*"
		q = &short
	}
	a := lib.Answer{Status: 200, Body: []byte("{}"), Value: []any{}}
	if q.Kind == "redis" {
		a.Value = "..."
	}
	e, err := of(q)
	if err == nil {
		err = e.give(q, a)
	}
	text, failed := encode(e)
	if err != nil || failed != nil {
		return q.Kind + " " + q.Key
	}
	if style == JSON {
		return string(text)
	}
	return "t.stub " + inLua(string(text))
}

var (
	jsonKey  = regexp.MustCompile(`^"([a-z]+)":`)
	jsonText = regexp.MustCompile(`^"(?:[^"\\]|\\.)*"`)
)

// inLua writes the line of an example in Lua.
func inLua(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		if m := jsonKey.FindStringSubmatch(text); m != nil {
			b.WriteString(m[1] + " = ")
			text = text[len(m[0]):]
			continue
		}
		if m := jsonText.FindString(text); m != "" {
			var s string
			if json.Unmarshal([]byte(m), &s) == nil {
				m = lua.Quote(s)
			}
			b.WriteString(m)
			text = text[len(jsonText.FindString(text)):]
			continue
		}
		switch text[0] {
		case '[', '{':
			b.WriteString("{ ")
		case ']', '}':
			b.WriteString(" }")
		case ',':
			b.WriteString(", ")
		default:
			b.WriteByte(text[0])
		}
		text = text[1:]
	}
	return strings.ReplaceAll(strings.ReplaceAll(b.String(), "{  }", "{}"), "= null", "= nil")
}
