// Package trunk knows the neighbours: which trunk a source belongs to, where
// its targets are, what headers may cross to it and how failures are told to
// it. It is data and pure choice; it opens no socket and knows no call.
package trunk

import "legwork/b2bua/message"

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

// Headers says which headers cross from one leg to the other.
type Headers struct {
	Preset Preset
	Pass   []string // names or patterns "X-*" that cross besides
	Set    []message.Header
	Drop   []string // names or patterns; wins over Pass
}
