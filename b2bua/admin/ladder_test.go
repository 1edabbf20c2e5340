package admin

import (
	"strings"
	"testing"
)

func TestALadderIsText(t *testing.T) {
	d := behind(t)
	h := serve(t, d, "")
	w := ask(h, "GET", "/api/v1/calls/over/ladder?width=80&colour=true")
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") || !strings.Contains(w.Body.String(), "INVITE") {
		t.Error("got", w.Code, w.Header(), w.Body)
	}
	if want := (Ladder{Form: FormText, Width: 80, Colour: true}); d.wanted != want {
		t.Error("drawn as", d.wanted)
	}
	if ask(h, "GET", "/api/v1/calls/over/ladder"); d.wanted != (Ladder{Form: FormText}) {
		t.Error("drawn as", d.wanted)
	}
	refused(t, ask(h, "GET", "/api/v1/calls/none/ladder"), 404, "none")
	for _, bad := range []string{"width=0", "width=1001", "width=x", "colour=maybe", "format=pdf", "mask=names"} {
		refused(t, ask(h, "GET", "/api/v1/calls/over/ladder?"+bad), 400, strings.Split(bad, "=")[0])
	}
}

func TestALadderHasTheFormThatIsAskedFor(t *testing.T) {
	d := behind(t)
	h := serve(t, d, "")
	for _, c := range []struct {
		query, accept, kind string
		want                Ladder
	}{
		{"", "*/*", "text/plain", Ladder{Form: FormText}},
		{"", "text/html,application/xhtml+xml;q=0.9", "text/html", Ladder{Form: FormHTML}},
		{"?mask=numbers", "application/json;q=1", "application/json", Ladder{Form: FormJSON, MaskNumbers: true}},
		{"?format=html", "application/json", "text/html", Ladder{Form: FormHTML}},
		{"?format=text", "text/html", "text/plain", Ladder{Form: FormText}},
		{"?format=json", "", "application/json", Ladder{Form: FormJSON}},
	} {
		w := ask(h, "GET", "/api/v1/calls/over/ladder"+c.query, "Accept", c.accept)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), c.kind) || d.wanted != c.want {
			t.Errorf("%s %s: %d %s %+v", c.query, c.accept, w.Code, w.Header().Get("Content-Type"), d.wanted)
		}
		if policy := w.Header().Get("Content-Security-Policy"); (policy != "") != (c.want.Form == FormHTML) {
			t.Errorf("%s: policy %q", c.query, policy)
		}
	}
}
