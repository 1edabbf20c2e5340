package trunk

import (
	"fmt"
	"slices"
	"strings"

	"legwork/b2bua/message"
)

// Preset is the set of the caller's headers that cross before pass, set and
// drop are applied (contract/lua-api.md section 4).
type Preset uint8

// PresetDefault takes the next outer rule's preset: route, trunk, then edge.
const (
	PresetDefault Preset = iota
	Edge
	Transparent
	None
)

// ParsePreset reads a preset's name as configuration and scripts write it.
func ParsePreset(s string) (p Preset, ok bool) {
	switch s {
	case "":
		return PresetDefault, true
	case "edge":
		return Edge, true
	case "transparent":
		return Transparent, true
	case "none":
		return None, true
	}
	return PresetDefault, false
}

// Headers says which headers cross from one leg to the other.
type Headers struct {
	Preset Preset
	Pass   []string // names or patterns "X-*" that cross besides
	Set    []message.Header
	Drop   []string // names or patterns; wins over Pass

	hides bool // an outer rule names edge, and this one lets nothing more cross
}

// Hides tells whether nothing is to cross of who is on the other side: somebody has
// named edge, and nobody transparent within.
func (h *Headers) Hides() bool { return h.Preset == Edge || h.hides }

// Crosses tells whether the peer's header of that name is copied to the other
// leg. Headers that the engine owns never are; Drop beats Pass, Pass beats the
// preset. What says what the body is goes with it, unless Drop has its name in full.
// Set is the engine's to apply afterwards.
func (h *Headers) Crosses(name string) bool {
	crosses, _ := h.judge(name)
	return crosses
}

// part of a rule that decides about the peer's header of a name.
type part uint8

// In the order in which they are asked.
const (
	byEngine part = iota
	byBody        // it goes with the body
	byDrop
	byPass
	byPreset
)

// Judge is Crosses with the reason, for people.
func (h *Headers) Judge(name string) (crosses bool, why string) {
	crosses, by := h.judge(name)
	switch by {
	case byEngine:
		return crosses, "belongs to each leg"
	case byDrop:
		return crosses, "drop"
	case byPass:
		return crosses, "pass"
	case byBody:
		return crosses, "goes with the body"
	}
	return crosses, "preset " + h.Preset.String()
}

func (h *Headers) judge(name string) (crosses bool, by part) {
	kind := kindOf(name)
	switch {
	case kind == owned:
		return false, byEngine
	case kind == content && !slices.ContainsFunc(h.Drop, func(p string) bool { return message.Same(p, name) }):
		return true, byBody
	case len(h.Drop) > 0 && matches(h.Drop, name):
		return false, byDrop
	case len(h.Pass) > 0 && matches(h.Pass, name):
		return true, byPass
	case h.Preset == Transparent:
		return true, byPreset
	case h.Preset == None:
		return false, byPreset
	}
	return kind == crossing, byPreset
}

// String is the preset's name.
func (p Preset) String() string {
	switch p {
	case Transparent:
		return "transparent"
	case None:
		return "none"
	}
	return "edge"
}

// Merge lays a rule of a route over the rule of its trunk: h's preset if it
// has one, everything that either passes or drops, and where both set a header
// h's value.
func (h Headers) Merge(outer Headers) Headers {
	if h.Preset == PresetDefault {
		h.Preset = outer.Preset
	}
	h.hides = h.Preset != Transparent && outer.Hides()
	h.Pass = slices.Concat(outer.Pass, h.Pass)
	h.Drop = slices.Concat(outer.Drop, h.Drop)
	set := make([]message.Header, 0, len(outer.Set)+len(h.Set))
	for _, o := range outer.Set {
		if !slices.ContainsFunc(h.Set, func(i message.Header) bool { return message.Same(i.Name, o.Name) }) {
			set = append(set, o)
		}
	}
	h.Set = append(set, h.Set...)
	return h
}

// Check refuses rules that could not be obeyed: a set or passed header that
// the engine owns, or a name or value that would break the message.
func (h *Headers) Check() error {
	for _, s := range h.Set {
		switch {
		case !isToken(s.Name):
			return fmt.Errorf("headers.set: %q is not a header name", s.Name)
		case Owned(s.Name):
			return fmt.Errorf("headers.set: %s belongs to the engine", s.Name)
		case strings.ContainsAny(s.Value, "\r\n\x00"):
			return fmt.Errorf("headers.set: the value of %s holds CR, LF or NUL", s.Name)
		}
	}
	for _, name := range h.Pass {
		if Owned(name) {
			return fmt.Errorf("headers.pass: %s belongs to the engine", name)
		}
	}
	for _, name := range slices.Concat(h.Pass, h.Drop) {
		before, _ := strings.CutSuffix(name, "*")
		if name != "*" && !isToken(before) || strings.Contains(before, "*") {
			return fmt.Errorf("headers: %q is neither a header name nor a pattern such as \"X-*\"", name)
		}
	}
	return nil
}

// matches tells whether a name or a pattern of the list means this header.
func matches(list []string, name string) bool {
	for _, p := range list {
		if n := len(p) - 1; n >= 0 && p[n] == '*' {
			if len(name) >= n && strings.EqualFold(name[:n], p[:n]) {
				return true
			}
		} else if message.Same(p, name) {
			return true
		}
	}
	return false
}

// isToken follows RFC 3261 section 25.1.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte("-.!%*_+`'~", c) < 0 {
			return false
		}
	}
	return s != ""
}
