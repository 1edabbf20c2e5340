package trunk

import (
	"slices"
	"strings"
	"testing"

	"legwork/b2bua/message"
)

func set(name, value string) Headers {
	return Headers{Set: []message.Header{{Name: name, Value: value}}}
}

func TestPresetsDecideWhatCrosses(t *testing.T) {
	for name, want := range map[string]string{
		"Subject": "edge transparent", "s": "edge transparent", "SUBJECT": "edge transparent",
		"P-Asserted-Identity": "edge transparent", "Diversion": "edge transparent", "b": "edge transparent",
		"User-to-User": "edge transparent", "Session-ID": "edge transparent",
		"Content-Type": "edge transparent none", "c": "edge transparent none", "MIME-Version": "edge transparent none",
		"X-Account": "transparent", "User-Agent": "transparent", "Server": "transparent", "Warning": "transparent",
		"Authorization": "transparent", "Path": "transparent", "Allow": "transparent", "Replaces": "transparent",
		"X-" + strings.Repeat("long-", 20): "transparent", "": "transparent",
		"Via": "", "v": "", "Call-ID": "", "i": "", "CONTACT": "", "m": "", "Content-Length": "", "l": "", "Route": "",
		"RAck": "", "RSeq": "", "Max-Forwards": "", "Session-Expires": "", "x": "", "Require": "", "k": "",
	} {
		var crosses []string
		for preset, is := range map[string]Preset{"edge": Edge, "none": None, "transparent": Transparent} {
			if h := (Headers{Preset: is}); h.Crosses(name) {
				crosses = append(crosses, preset)
			}
		}
		slices.Sort(crosses)
		wanted := strings.Fields(want)
		slices.Sort(wanted)
		if !slices.Equal(crosses, wanted) {
			t.Errorf("%s crosses under %v, want %v", name, crosses, wanted)
		}
	}
}

func TestDropBeatsPassAndPassBeatsThePreset(t *testing.T) {
	h := Headers{Pass: []string{"X-*", "Server", "Via", "Content-Length"}, Drop: []string{"x-secret*", "Subject", "c"}}
	for name, want := range map[string]bool{
		"X-A": true, "x-a": true, "X-": true, "X": false, "server": true,
		"X-Secret": false, "X-SECRET-2": false, "Subject": false, "s": false, "Content-Type": false,
		"Via": false, "Content-Length": false, "Priority": true,
	} {
		if got := h.Crosses(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestAPatternLeavesTheBodyItsHeaders(t *testing.T) {
	all := Headers{Preset: Transparent, Drop: []string{"*"}}
	if all.Crosses("Subject") || !all.Crosses("Content-Type") || !all.Crosses("c") {
		t.Error("\"*\" takes the headers of the body, or leaves others")
	}
	named := Headers{Drop: []string{"Content-Disposition", "e"}}
	if named.Crosses("content-disposition") || named.Crosses("Content-Encoding") || !named.Crosses("Content-Type") {
		t.Error("a header of the body that is named is not dropped")
	}
}

func TestEdgeHidesBeneathAPresetThatLetsNothingMoreCross(t *testing.T) {
	trunk := Headers{Preset: Edge}
	for preset, hides := range map[Preset]bool{PresetDefault: true, Edge: true, None: true, Transparent: false} {
		h := Headers{Preset: preset}.Merge(trunk)
		if h.Hides() != hides {
			t.Errorf("%v over edge hides: %v", preset, h.Hides())
		}
		if h := (Headers{Preset: preset}).Merge(Headers{}); h.Hides() != (preset == Edge) {
			t.Errorf("%v over nothing hides: %v", preset, h.Hides())
		}
	}
}

func TestARouteIsLaidOverItsTrunk(t *testing.T) {
	outer := Headers{
		Preset: None, Pass: []string{"Subject"}, Drop: []string{"X-B"},
		Set: []message.Header{{Name: "X-C", Value: "trunk"}, {Name: "X-D", Value: "trunk"}},
	}
	inner := Headers{Pass: []string{"X-*"}, Set: []message.Header{{Name: "x-c", Value: "route"}}}
	h := inner.Merge(outer)
	for name, want := range map[string]bool{"Subject": true, "X-A": true, "X-B": false, "Priority": false} {
		if got := h.Crosses(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if want := []message.Header{{Name: "X-D", Value: "trunk"}, {Name: "x-c", Value: "route"}}; !slices.Equal(h.Set, want) {
		t.Error("set", h.Set)
	}
	if inner.Preset = Transparent; inner.Merge(outer).Preset != Transparent {
		t.Error("the route's preset was lost")
	}
	if len(outer.Pass) != 1 || len(inner.Pass) != 1 {
		t.Error("Merge changed its inputs")
	}
}

func TestRulesThatBreakMessagesAreRefused(t *testing.T) {
	for want, h := range map[string]Headers{
		"is not a header name":     set("X A", "v"),
		"holds CR, LF or NUL":      set("X-A", "v\r\nX-B: w"),
		"Call-ID belongs to":       set("Call-ID", "x"),
		"i belongs to the engine":  set("i", "x"),
		"pass: Via belongs to":     {Pass: []string{"Via"}},
		"neither a header name":    {Pass: []string{"X-*"}, Drop: []string{"a b"}},
		"\"X-*-A\" is neither":     {Drop: []string{"X-*-A"}},
		"\"**\" is neither":        {Pass: []string{"**"}},
		"\"\" is neither a header": {Drop: []string{""}},
	} {
		if err := h.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	h := Headers{Pass: []string{"X-*", "*"}, Drop: []string{"Subject"}, Set: []message.Header{{Name: "X-A"}}}
	if err := h.Check(); err != nil {
		t.Error("a good rule is refused:", err)
	}
}

func TestDecidingAboutAHeaderAllocatesNothing(t *testing.T) {
	h := Headers{Drop: []string{"X-Secret*"}, Pass: []string{"X-*"}}
	if n := testing.AllocsPerRun(100, func() {
		h.Crosses("P-Asserted-Identity")
		h.Crosses("X-Account")
		h.Crosses("accept-resource-priority")
	}); n != 0 {
		t.Error(n, "allocations")
	}
}

func BenchmarkCrosses(b *testing.B) {
	var h Headers
	for b.Loop() {
		h.Crosses("P-Asserted-Identity")
	}
}
