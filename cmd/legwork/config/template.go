package config

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const templateHead = `# The configuration of Legwork. Every key is here with its default.
# A line that begins with # and no space after it is a setting switched off:
# remove the # to switch it on. Values may contain ${NAME} or ${NAME:-default};
# relative paths start from the folder of this file. A changed file takes effect
# by SIGHUP or "legwork reload"; keys marked [restart] need a restart.
`

// Template is the commented legwork.yaml that `legwork init` writes. It loads
// as the defaults.
func Template() []byte {
	w := &template{}
	w.WriteString(templateHead)
	w.structure(reflect.ValueOf(Default()).Elem(), reflect.ValueOf(sample()).Elem(), level{top: true, docs: true})
	return w.Bytes()
}

// sample is what the template shows, switched off, for keys that are empty by
// default.
func sample() *Config {
	return &Config{
		Trunks: map[string]*Trunk{"carrier-a": {
			Match:     []string{"192.0.2.0/28", "sip.carrier.example"},
			Targets:   []Target{{URI: "sip:192.0.2.1:5060", Weight: 1}},
			Headers:   Headers{Preset: PresetEdge},
			Numbers:   &Numbers{Country: "DE", Format: NumberE164, URI: NumberE164, From: NumberE164, To: NumberE164, Identity: NumberE164},
			Codecs:    Codecs{Keep: []string{"PCMA", "PCMU", "telephone-event"}},
			Responses: Responses{{From: "503", Code: 480}, {From: "6xx", Code: 486, Text: "Busy Here"}},
			Params:    Params{"country": "DE"},
			Auth:      &Auth{User: "acct", Password: "${CARRIER_A_PASSWORD:-secret}"},
			PRACK:     PRACKInterwork,
			Diversion: DiversionKeep,
			Media:     MediaDirect,
			Health:    &Health{Options: 30 * time.Second, Timeout: 2 * time.Second, DownAfter: 3, UpAfter: 2},
			Register:  &Register{AOR: "sip:acct@carrier.example", Expires: Seconds(5 * time.Minute)},
			Timer:     &TrunkTimer{Expires: Seconds(30 * time.Minute), Min: Seconds(90 * time.Second), Refresher: "uac"},
			Privacy:   &Privacy{},
			Profile:   &Profile{},
		}},
		Redis: map[string]*Redis{"cache": {URL: "${REDIS_URL:-redis://127.0.0.1:6379/0}", Timeout: time.Second, Connections: 10}},
		SQL: map[string]*SQL{"routes": {
			Driver: "postgres", DSN: "${ROUTES_DSN:-postgres://127.0.0.1/routes}", Timeout: 2 * time.Second, Connections: 10,
		}},
		CDR: []CDR{{Kind: "jsonl", Path: "cdr.jsonl"}},
	}
}

type template struct{ bytes.Buffer }

// level is how the lines of one struct look.
type level struct {
	indent int
	top    bool // a blank line before each key
	off    bool // switched off
	item   bool // the first key follows a dash
	docs   bool
}

func (w *template) structure(v, sample reflect.Value, l level) {
	known, _ := fields(v.Type())
	for _, f := range known {
		if l.top {
			w.WriteByte('\n')
		}
		if l.docs {
			w.doc(f, l)
		}
		w.key(f, v.Field(f.index), sample.Field(f.index), l)
		if l.item {
			l.item, l.indent = false, l.indent+2
		}
	}
}

func (w *template) doc(f field, l level) {
	mark := ""
	if f.restart {
		mark = " [restart]"
	}
	fmt.Fprintf(w, "%*s# %s%s\n", l.indent, "", f.doc, mark)
}

func (w *template) key(f field, v, sample reflect.Value, l level) {
	inner := level{indent: l.indent + 2, off: l.off, docs: l.docs}
	if l.item {
		inner.indent += 2
	}
	switch {
	case f.typ.Kind() == reflect.Struct:
		w.line(l, f.key+":")
		w.structure(v, sample, inner)
	case f.typ.Kind() == reflect.Pointer:
		w.line(l, f.key+":")
		w.structure(v.Elem(), sample.Elem(), inner)
	case isOpen(f.typ):
		w.line(l, f.key+":")
		if v.Len() == 0 {
			v, inner.off = sample, true
		}
		w.elements(v, inner)
	default:
		w.line(l, f.key+": "+flow(v))
	}
}

// elements are the structs of a list or a map, the first one with its docs.
func (w *template) elements(v reflect.Value, l level) {
	if v.Kind() == reflect.Map {
		for _, name := range sortedKeys(v) {
			w.line(l, name+":")
			elem := v.MapIndex(reflect.ValueOf(name)).Elem()
			w.structure(elem, elem, level{indent: l.indent + 2, off: l.off, docs: true})
		}
		return
	}
	for i := range v.Len() {
		w.structure(v.Index(i), v.Index(i), level{indent: l.indent, off: l.off, item: true, docs: i == 0})
	}
}

func (w *template) line(l level, text string) {
	dash, off := "", ""
	if l.item {
		dash = "- "
	}
	if l.off {
		off = "#"
	}
	fmt.Fprintf(w, "%*s%s%s%s\n", l.indent, "", off, dash, text)
}

// isOpen tells whether values of t are written over several lines: lists and
// maps of structs.
func isOpen(t reflect.Type) bool {
	if t == reflect.TypeFor[Responses]() || t.Kind() != reflect.Slice && t.Kind() != reflect.Map {
		return false
	}
	elem := t.Elem()
	if elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	return elem.Kind() == reflect.Struct
}

var bare = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z]+)*$`)

// flow is a value in one line of YAML.
func flow(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return short(x)
	case Seconds:
		return strconv.Itoa(int(time.Duration(x) / time.Second))
	case Responses:
		return x.flow()
	}
	switch v.Kind() {
	case reflect.Interface:
		return flow(v.Elem())
	case reflect.String:
		if bare.MatchString(v.String()) {
			return v.String()
		}
		return strconv.Quote(v.String())
	case reflect.Slice:
		elems := make([]string, v.Len())
		for i := range elems {
			elems[i] = flow(v.Index(i))
		}
		return "[" + strings.Join(elems, ", ") + "]"
	case reflect.Map:
		pairs := make([]string, 0, v.Len())
		for _, k := range sortedKeys(v) {
			pairs = append(pairs, k+": "+flow(v.MapIndex(reflect.ValueOf(k))))
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	default:
		return fmt.Sprint(v.Interface())
	}
}

func (rs Responses) flow() string {
	rows := make([]string, len(rs))
	for i, r := range rs {
		switch {
		case r.Pass:
			rows[i] = fmt.Sprintf("%q: false", r.From)
		case r.Text == "":
			rows[i] = fmt.Sprintf("%q: %d", r.From, r.Code)
		default:
			rows[i] = fmt.Sprintf("%q: [%d, %q]", r.From, r.Code, r.Text)
		}
	}
	return "{" + strings.Join(rows, ", ") + "}"
}

// short is 4h where Duration.String says 4h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func sortedKeys(m reflect.Value) []string {
	names := make([]string, 0, m.Len())
	for _, k := range m.MapKeys() {
		names = append(names, k.String())
	}
	slices.Sort(names)
	return names
}
