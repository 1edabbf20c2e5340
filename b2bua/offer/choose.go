package offer

import (
	"slices"
)

// Keep leaves the named codecs and removes the others, with their payload
// numbers, rtpmap, fmtp, rtcp-fb and imageattr lines. Names are as in "opus",
// "opus/48000" or "opus/48000/2", in any case. Telephone-event goes with its
// codecs and need not be named: that of a clock rate leaves with the last codec
// of that rate (RFC 4733), unless no other would be left. Named with
// a rate, only those rates stay.
//
// When no codec would be left the error is ErrNoCodec and the stream is as
// before; to refuse such a stream is Remove (RFC 3264 section 6). Streams that
// are not RTP have no codecs and stay.
func (m *Stream) Keep(names ...string) error {
	wanted, err := parseWishes(names)
	if err != nil {
		return err
	}
	rated := wanted.ratedEvents()
	return m.choose(func(c Codec) verdict {
		switch {
		case c.event() && !rated:
			return follows
		case wanted.has(c):
			return stays
		}
		return goes
	})
}

// Drop removes the named codecs and leaves the others; all else is as in Keep.
func (m *Stream) Drop(names ...string) error {
	unwanted, err := parseWishes(names)
	if err != nil {
		return err
	}
	return m.choose(func(c Codec) verdict {
		switch {
		case unwanted.has(c):
			return goes
		case c.event():
			return follows
		}
		return stays
	})
}

// Prefer moves the named codecs to the front in the order of the names; the
// others follow in the order they had. A name that is not there is no error.
func (m *Stream) Prefer(names ...string) error {
	wanted, err := parseWishes(names)
	if err != nil {
		return err
	}
	rank := map[int]int{}
	for _, c := range m.Codecs() {
		rank[c.Payload] = wanted.rank(c)
	}
	if len(rank) == 0 {
		return nil
	}
	place := func(format string) int {
		if r, ok := rank[number(format)]; ok {
			return r
		}
		return len(wanted)
	}
	before := m.formats()
	after := slices.Clone(before)
	slices.SortStableFunc(after, func(a, b string) int { return place(a) - place(b) })
	if !slices.Equal(before, after) {
		m.setFormats(after)
	}
	return nil
}

// verdict is what becomes of one codec.
type verdict uint8

const (
	goes    verdict = iota
	stays           // asked for
	follows         // an event: as its codecs
)

// choose removes the codecs that go, and those that lean on them.
func (m *Stream) choose(of func(Codec) verdict) error {
	all := m.Codecs()
	left := make(map[int]Codec, len(all))
	for _, c := range all {
		if of(c) != goes {
			left[c.Payload] = c
		}
	}
	dropDependents(all, left)
	followCodecs(all, left, of)
	if len(left) == len(payloads(all)) {
		return nil
	}
	for _, c := range left {
		if c.speaks() {
			m.retain(left)
			return nil
		}
	}
	return ErrNoCodec
}

// dropDependents removes what repeats a payload that is not there any more. One
// that never was there is the peer's oddity and changes nothing.
func dropDependents(all []Codec, left map[int]Codec) {
	known := payloads(all)
	for again := true; again; {
		again = false
		for payload, c := range left {
			for _, need := range c.needs() {
				if _, ok := left[need]; !ok && known[need] {
					delete(left, payload)
					again = true
				}
			}
		}
	}
}

// followCodecs removes the events whose codecs all went, unless no event would
// be left: DTMF at another rate than the codec's is better than none.
func followCodecs(all []Codec, left map[int]Codec, of func(Codec) verdict) {
	had, have := map[int]bool{}, map[int]bool{}
	for _, c := range all {
		_, ok := left[c.Payload]
		had[c.Clock] = had[c.Clock] || c.speaks()
		have[c.Clock] = have[c.Clock] || ok && c.speaks()
	}
	var orphans []int
	events := 0
	for _, c := range left {
		if !c.event() {
			continue
		}
		events++
		if of(c) == follows && had[c.Clock] && !have[c.Clock] {
			orphans = append(orphans, c.Payload)
		}
	}
	if len(orphans) == events {
		return
	}
	for _, payload := range orphans {
		delete(left, payload)
	}
}

// retain writes the formats that are left and removes the lines of the others.
// What is not a payload type is left alone.
func (m *Stream) retain(left map[int]Codec) {
	gone := map[int]bool{}
	var formats []string
	for _, format := range m.formats() {
		payload := number(format)
		if _, ok := left[payload]; ok || payload < 0 {
			formats = append(formats, format)
		} else {
			gone[payload] = true
		}
	}
	m.setFormats(formats)
	m.lines = without(m.lines, func(text string) bool {
		name := attrName(text)
		if !perPayload(name) {
			return false
		}
		value, _ := attrValue(text, name)
		payload, _ := payloadOf(value)
		return gone[payload]
	})
}

func payloads(all []Codec) map[int]bool {
	set := make(map[int]bool, len(all))
	for _, c := range all {
		set[c.Payload] = true
	}
	return set
}
