package canned

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"legwork/script/lib"
	"legwork/script/lua"
)

// maxFile bounds a file of stubs.
const maxFile = 64 << 20

// maxAfter bounds the time that an answer takes.
const maxAfter = 24 * time.Hour

// kinds are the keys that say what is looked up.
func kinds() []string { return []string{"http", "redis", "sql", "dns"} }

// fields are the others.
func fields() []string { return []string{"answer", "rows", "values", "error", "after"} }

// Parse reads a file of stubs: a list of objects, or one.
//
//	{"http": "GET https://api.example/*", "answer": {"status": 200, "json": {"trunk": "pbx"}}, "after": "200ms"}
//	{"redis": "cache get key", "answer": "value"}
//	{"sql": "routes select * from routes", "values": ["+49"], "rows": [{"trunk": "pbx"}]}
//	{"dns": "srv _sip._udp.carrier.example", "error": "timeout"}
//
// An error names the line.
func Parse(text []byte) ([]Stub, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("a file of stubs may have %d bytes", maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	isList := len(trimmed) > 0 && trimmed[0] == '['
	if isList {
		if _, err := d.Token(); err != nil {
			return nil, err
		}
	}
	var list []Stub
	for d.More() {
		var raw map[string]json.RawMessage
		from := line(text, d.InputOffset())
		if err := d.Decode(&raw); err != nil {
			return nil, fmt.Errorf("line %d: %w", line(text, d.InputOffset()), plain(err))
		}
		one, err := read(raw)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", from, err)
		}
		if list = append(list, one); len(list) > maxStubs {
			return nil, fmt.Errorf("line %d: more than %d stubs", from, maxStubs)
		}
	}
	return list, ends(d, text, isList)
}

// ends tells what is wrong with the end of a file: it was cut off, or goes on.
func ends(d *json.Decoder, text []byte, isList bool) error {
	if isList {
		if _, err := d.Token(); err != nil {
			return fmt.Errorf("line %d: the list is not closed by a ]", line(text, d.InputOffset()))
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("line %d: there is something behind the stubs", line(text, d.InputOffset()))
	}
	return nil
}

// line is the number of the line where the next value after offset begins.
func line(text []byte, offset int64) int {
	for offset < int64(len(text)) && bytes.IndexByte([]byte(" \t\r\n,["), text[offset]) >= 0 {
		offset++
	}
	return 1 + bytes.Count(text[:offset], []byte("\n"))
}

// plain says what is wrong without names of Go.
func plain(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("a stub is an object like {\"http\": ..., \"answer\": ...}, not a %s", wrong.Value)
	}
	return err
}

// Read makes a stub of one in the values of lua.ToGo, in the shape of a stub
// file.
func Read(v map[string]any) (Stub, error) {
	raw := map[string]json.RawMessage{}
	for k, one := range v {
		text, err := encode(one)
		if err != nil {
			return Stub{}, fmt.Errorf("%s: %w", k, err)
		}
		raw[k] = text
	}
	return read(raw)
}

func read(raw map[string]json.RawMessage) (Stub, error) {
	var s Stub
	for _, k := range slices.Sorted(maps.Keys(raw)) {
		switch {
		case slices.Contains(kinds(), k):
			if s.Kind != "" {
				return s, fmt.Errorf("%q and %q: a stub is for one look-up", s.Kind, k)
			}
			s.Kind = k
			if err := json.Unmarshal(raw[k], &s.Key); err != nil || strings.TrimSpace(s.Key) == "" {
				return s, fmt.Errorf("%q must be a text like %q", k, examples()[k])
			}
		case !slices.Contains(fields(), k):
			return s, unknown(k, append(kinds(), fields()...))
		}
	}
	if s.Kind == "" {
		return s, errors.New("which look-up is it for? One of http, redis, sql and dns is missing")
	}
	return s, s.fill(raw)
}

func unknown(key string, known []string) error {
	hint := "; there are " + strings.Join(known, ", ")
	if near := lua.Nearest(key, known); near != "" {
		hint = fmt.Sprintf(", did you mean %q?", near)
	}
	return fmt.Errorf("unknown key %q%s", key, hint)
}

// examples are keys of each kind, for errors.
func examples() map[string]string {
	return map[string]string{
		"http": "GET https://api.example/number?n=*", "redis": "cache get key", "sql": "routes select *", "dns": "srv _sip._udp.carrier.example",
	}
}

// fill reads all but the kind and its key.
func (s *Stub) fill(raw map[string]json.RawMessage) (err error) {
	if s.After, err = duration(raw["after"]); err != nil {
		return err
	}
	if text, ok := raw["values"]; ok {
		v, err := decode(text)
		if s.When, ok = asList(v); err != nil || !ok || s.Kind != "sql" {
			return errors.New(`"values" is the list of the values of a SQL statement`)
		}
	}
	content := 0
	for _, k := range []string{"answer", "rows", "error"} {
		if _, ok := raw[k]; ok {
			content++
		}
	}
	if content > 1 {
		return errors.New(`give one of "answer", "rows" and "error"`)
	}
	if text, ok := raw["error"]; ok {
		if err := json.Unmarshal(text, &s.Err); err != nil || s.Err == "" {
			return errors.New(`"error" must be a text: the reason that the script gets, like "timeout"`)
		}
		return nil
	}
	text, ok := raw["answer"]
	if rows, given := raw["rows"]; given {
		if s.Kind != "sql" {
			return errors.New(`"rows" are for sql`)
		}
		text, ok = rows, true
	}
	if !ok && s.Kind != "redis" {
		return fmt.Errorf(`"answer" is missing (or "error")`)
	}
	v, err := decode(text)
	if err == nil {
		s.Answer, err = AnswerOf(s.Kind, v)
	}
	return err
}

// duration is a text like "200ms", or a number of seconds.
func duration(text json.RawMessage) (time.Duration, error) {
	if text == nil {
		return 0, nil
	}
	var d time.Duration
	var seconds float64
	var words string
	err := json.Unmarshal(text, &seconds)
	if err == nil {
		d = time.Duration(min(seconds, 2*maxAfter.Seconds()) * float64(time.Second))
	} else if err = json.Unmarshal(text, &words); err == nil {
		d, err = time.ParseDuration(words)
	}
	if err != nil || d < 0 || d > maxAfter {
		return 0, fmt.Errorf(`"after" must be a time like "200ms", or seconds, at most a day: %s`, text)
	}
	return d, nil
}

// AnswerOf reads an answer in the shape of a stub file: of HTTP
// {status=, json= or body=}, a body alone or a status alone, of SQL a list of
// rows or a number, of DNS a list, of Redis any value.
func AnswerOf(kind string, v any) (lib.Answer, error) {
	switch kind {
	case "http":
		return page(v)
	case "sql":
		if n, ok := v.(float64); ok {
			return lib.Answer{Value: n}, nil
		}
		rows, ok := asList(v)
		for _, row := range rows {
			_, isMap := row.(map[string]any)
			ok = ok && isMap
		}
		if !ok {
			return lib.Answer{}, errors.New("sql: rows are a list of tables by column, or the answer is the number of rows that were changed")
		}
		return lib.Answer{Value: rows}, nil
	case "dns":
		list, ok := asList(v)
		if !ok {
			return lib.Answer{}, errors.New("dns: the answer is a list of records")
		}
		return lib.Answer{Value: list}, nil
	}
	return lib.Answer{Value: v}, nil
}

// asList takes an empty table, which Lua has one of, for an empty list.
func asList(v any) ([]any, bool) {
	if m, ok := v.(map[string]any); ok && len(m) == 0 {
		return []any{}, true
	}
	list, ok := v.([]any)
	return list, ok
}

func page(v any) (lib.Answer, error) {
	a := lib.Answer{Status: 200}
	switch v := v.(type) {
	case string:
		a.Body = []byte(v)
		return a, nil
	case float64:
		v2 := map[string]any{"status": v}
		return page(v2)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := field(&a, k, v[k]); err != nil {
				return a, err
			}
		}
		return a, nil
	}
	return a, errors.New("http: the answer is {status =, json = or body =}, a text or a status")
}

func field(a *lib.Answer, name string, v any) (err error) {
	switch name {
	case "status":
		n, ok := v.(float64)
		if a.Status = int(n); !ok || float64(a.Status) != n || n < 200 || n > 599 {
			return errors.New("http: a status is a number from 200 to 599")
		}
	case "body":
		text, ok := v.(string)
		if !ok || a.Body != nil {
			return errors.New("http: the body is a text, and instead of json")
		}
		a.Body = []byte(text)
	case "json":
		if a.Body != nil {
			return errors.New("http: give body or json, not both")
		}
		if a.Body, err = encode(v); err != nil {
			return fmt.Errorf("http: json: %w", err)
		}
	default:
		return unknown(name, []string{"status", "json", "body"})
	}
	return nil
}
