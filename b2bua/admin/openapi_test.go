package admin

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"legwork/b2bua"
	"legwork/b2bua/capture"
)

// spec is what the tests below read of the OpenAPI document.
type spec struct {
	Paths      map[string]map[string]struct{ Security []any }
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any
			Required   []string
		}
	}
}

func document(t *testing.T) spec {
	t.Helper()
	return get[spec](t, serve(t, behind(t), ""), "GET", "/api/openapi.json", 200)
}

func TestOpenAPISaysWhatThereIs(t *testing.T) {
	doc := document(t)
	a := &api{Config: Config{Metrics: http.NotFoundHandler()}, console: &console{}}
	for _, r := range a.routes() {
		op, ok := doc.Paths[r.path][strings.ToLower(r.method)]
		if !ok {
			t.Errorf("%s %s is not documented", r.method, r.path)
		}
		if open := op.Security != nil; open != r.open {
			t.Errorf("%s %s: documented as open: %v", r.method, r.path, open)
		}
		delete(doc.Paths[r.path], strings.ToLower(r.method))
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			t.Errorf("%s %s is documented but not there", method, path)
		}
	}
}

func TestOpenAPIHasTheFieldsOfEachShape(t *testing.T) {
	schemas := document(t).Components.Schemas
	names := map[reflect.Type]string{reflect.TypeFor[capture.Story](): "CallStory"}
	for _, v := range []any{
		CallList{},
		Call{},
		Leg{},
		Story{},
		TrunkList{},
		Trunk{},
		BanList{},
		Ban{},
		Event{},
		Health{},
		Problem{},
		b2bua.Record{},
		b2bua.Attempt{},
		capture.Story{},
		capture.Party{},
		capture.Step{},
		capture.Message{},
		capture.Edit{},
		capture.Origin{},
		capture.Outcome{},
	} {
		shape := reflect.TypeOf(v)
		schema := schemas[cmp.Or(names[shape], shape.Name())]
		for i := range shape.NumField() {
			name, options, _ := strings.Cut(shape.Field(i).Tag.Get("json"), ",")
			if schema.Properties[name] == nil {
				t.Errorf("%s.%s is not documented", shape.Name(), name)
			}
			if required := slices.Contains(schema.Required, name); required != (options == "") {
				t.Errorf("%s.%s: documented as required: %v", shape.Name(), name, required)
			}
			delete(schema.Properties, name)
		}
		for name := range schema.Properties {
			t.Errorf("%s.%s is documented but not there", shape.Name(), name)
		}
	}
}
