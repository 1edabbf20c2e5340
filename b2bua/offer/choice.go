package offer

import "errors"

// Choice is which codecs a neighbour is to hear of, and in which order. The zero
// Choice leaves all as it is.
type Choice struct {
	Keep   []string // no others; empty: all
	Drop   []string // but not these
	Prefer []string // these first
}

// Empty is true of a choice that changes nothing.
func (c *Choice) Empty() bool { return len(c.Keep)+len(c.Drop)+len(c.Prefer) == 0 }

// Check refuses names that no codec can have.
func (c *Choice) Check() error {
	for _, names := range [...][]string{c.Keep, c.Drop, c.Prefer} {
		if _, err := parseWishes(names); err != nil {
			return err
		}
	}
	return nil
}

// Offer applies the choice to what is to be offered. A stream that would be left
// without a codec is removed; when no stream is left then, the error is
// ErrNoCodec. What is not an SDP is given back as it is.
func (c *Choice) Offer(sdp []byte) ([]byte, error) {
	s, err := Parse(sdp)
	if err != nil || c.Empty() {
		return sdp, nil
	}
	alive, silenced := false, false
	for _, m := range s.streams {
		switch {
		case m.Removed():
		case errors.Is(c.apply(m), ErrNoCodec):
			m.Remove()
			silenced = true
		default:
			alive = true
		}
	}
	if silenced && !alive {
		return sdp, ErrNoCodec
	}
	return s.Bytes(), nil
}

// Answer applies the choice to an answer. Of a stream with none of the codecs it
// leaves those that were answered: that is settled.
func (c *Choice) Answer(sdp []byte) []byte {
	s, err := Parse(sdp)
	if err != nil || c.Empty() {
		return sdp
	}
	for _, m := range s.streams {
		if !m.Removed() {
			_ = c.apply(m)
		}
	}
	return s.Bytes()
}

// apply edits a stream; the names were checked before.
func (c *Choice) apply(m *Stream) error {
	if len(m.Codecs()) == 0 {
		return nil
	}
	if len(c.Keep) > 0 {
		if err := m.Keep(c.Keep...); err != nil {
			return err
		}
	}
	if err := m.Drop(c.Drop...); err != nil {
		return err
	}
	return m.Prefer(c.Prefer...)
}
