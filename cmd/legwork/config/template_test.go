package config

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// switchedOn is the template with every setting on.
func switchedOn() string {
	return regexp.MustCompile(`(?m)^( *)#(\S)`).ReplaceAllString(string(Template()), "$1$2")
}

func TestTheTemplateLoadsAsTheDefaults(t *testing.T) {
	got, err := load(t.TempDir(), string(Template()))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Trunks)+len(got.Redis)+len(got.SQL) > 0 {
		t.Errorf("trunks: %v, redis: %v, sql: %v", got.Trunks, got.Redis, got.SQL)
	}
	got.Redis, got.SQL = nil, nil
	if got.Trunks, got.Path = nil, ""; !reflect.DeepEqual(got, Default()) {
		t.Errorf("got %+v", got)
	}
}

func TestTheTemplateLoadsWithEverySettingOn(t *testing.T) {
	got, err := load(t.TempDir(), switchedOn())
	if err != nil {
		t.Fatal(err)
	}
	trunk := got.Trunks["carrier-a"]
	if trunk == nil || len(trunk.Targets) != 1 || len(trunk.Responses) != 2 || len(got.CDR) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestEveryKeyHasItsLineInTheTemplate(t *testing.T) {
	lines := strings.Split(string(Template()), "\n")
	eachKey(reflect.TypeFor[Config](), func(f field) {
		if f.key == "" || f.doc == "" {
			t.Errorf("%v: a key without yaml or doc", f)
		}
		for i, line := range lines[:len(lines)-1] {
			doc, _ := strings.CutPrefix(strings.TrimSpace(line), "# ")
			next := strings.TrimLeft(lines[i+1], " #-")
			if strings.TrimSuffix(doc, " [restart]") == f.doc && strings.HasPrefix(next, f.key+":") {
				return
			}
		}
		t.Errorf("no line for %q: %s", f.key, f.doc)
	})
}

// eachKey calls visit for the keys of t and of every struct within it.
func eachKey(t reflect.Type, visit func(field)) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[Response]() {
		return
	}
	known, _ := fields(t)
	for _, f := range known {
		visit(f)
		eachKey(f.typ, visit)
	}
}

func TestNoKeyIsBothKnownAndLater(t *testing.T) {
	check := func(known []field, later []string) {
		for _, name := range later {
			for _, f := range known {
				if f.key == name {
					t.Errorf("%q is known", name)
				}
			}
		}
	}
	check(fields(reflect.TypeFor[Config]()))
	check(fields(reflect.TypeFor[Trunk]()))
	check(fields(reflect.TypeFor[Listener]()))
}

func schema(t *testing.T) map[string]any {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheSchemaTakesTheTemplate(t *testing.T) {
	for _, src := range []string{string(Template()), switchedOn(), strings.ReplaceAll(whole, "!file ", "")} {
		var doc any
		if err := yaml.Unmarshal([]byte(src), &doc); err != nil {
			t.Fatal(err)
		}
		if fault := conform(schema(t), doc, "file"); fault != "" {
			t.Error(fault)
		}
	}
}

func TestTheSchemaRefusesWhatTheReaderRefuses(t *testing.T) {
	for _, src := range []string{
		"trunk: {}", "limits: {calls: -1}", "limits: {calls: x}", "sip: {t1: 5}", "sip: {t1: soon}", "log: {level: loud}", "listen: {}",
		"trunks: {a: {headers: {preset: all}}}", "trunks: {a: {targets: [{url: x}]}}", "trunks: {a: {responses: {200: 480}}}",
		"trunks: {a: {responses: {503: 200}}}", "trunks: {a: {responses: {503: true}}}", "cdr: [{kind: csv}]",
	} {
		var doc any
		if err := yaml.Unmarshal([]byte(src), &doc); err != nil {
			t.Fatal(err)
		}
		if conform(schema(t), doc, "file") == "" {
			t.Errorf("the schema takes %s", src)
		}
		if _, err := load(t.TempDir(), src); err == nil {
			t.Errorf("the reader takes %s", src)
		}
	}
}

func TestEveryKeyIsInTheSchema(t *testing.T) {
	text := string(Schema())
	eachKey(reflect.TypeFor[Config](), func(f field) {
		doc, _ := json.Marshal(f.doc)
		if !strings.Contains(text, `"`+f.key+`": {`) || !strings.Contains(text, `"description": `+string(doc)) {
			t.Errorf("%q is not in the schema", f.key)
		}
	})
}
