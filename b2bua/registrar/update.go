package registrar

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// mostTries bounds how often a REGISTER is tried again because another one for
// the same address came between. One of those that meet always gets through.
const mostTries = 32

// under is the store's key for an address of record. Scripts write to the same
// store, under keys of their own.
func under(aor string) string { return "registrar/" + aor }

// ErrOutOfOrder is the user agent's fault, unlike other reasons for a 500.
var ErrOutOfOrder = errors.New("registrar: CSeq is not above that of a binding with the same Call-ID")

// errTooMany has no code of its own in RFC 3261. Not 503: the user agent would
// only take it to the next registrar.
var errTooMany = &refusal{code: 403, reason: "Too Many Contacts"}

// commit brings the registration to the store and returns the bindings after it.
func (r *Registrar) commit(g *registration) ([]Binding, error) {
	for range mostTries {
		stored, old, err := r.load(g.aor, g.now)
		if err != nil || g.isQuery() {
			return stored, err
		}
		kept, err := g.apply(stored)
		if err != nil {
			return nil, err
		}
		if len(kept) > max(r.config.MaxBindings, len(stored)) {
			return nil, errTooMany
		}
		if done, err := r.save(g, old, kept); done || err != nil {
			return kept, err
		}
	}
	return nil, fmt.Errorf("registrar: %d others wrote the bindings of %s meanwhile", mostTries, g.aor)
}

// apply is RFC 3261 section 10.3 steps 6 and 7. Contacts of one REGISTER that
// are the same count as the last of them.
func (g *registration) apply(stored []Binding) ([]Binding, error) {
	if g.removal {
		if slices.ContainsFunc(stored, g.isLate) {
			return nil, ErrOutOfOrder
		}
		return nil, nil
	}
	kept := slices.Clone(stored)
	for i := range g.contacts {
		c := &g.contacts[i]
		if slices.ContainsFunc(stored, func(b Binding) bool { return c.same(&b) && g.isLate(b) }) {
			return nil, ErrOutOfOrder
		}
		// Equality of URIs is not transitive: one may stand for several.
		kept = slices.DeleteFunc(kept, func(b Binding) bool { return c.same(&b) })
		if !c.Expires.IsZero() {
			kept = append(kept, *c)
		}
	}
	if g.lost != nil {
		kept = slices.DeleteFunc(kept, func(b Binding) bool { return g.lost(&b) })
	}
	sortBindings(kept)
	return kept, nil
}

// isLate tells that a newer REGISTER of the same user agent has been here.
func (g *registration) isLate(b Binding) bool {
	return b.CallID == g.callID && b.CSeq >= g.cseq
}

// load returns the bindings that live and the value they came from, nil for none.
func (r *Registrar) load(aor string, now time.Time) (bindings []Binding, value *string, err error) {
	text, ok, err := r.config.Store.Get(under(aor))
	if err != nil {
		return nil, nil, fmt.Errorf("registrar: bindings of %s: %w", aor, err)
	}
	if !ok {
		return nil, nil, nil
	}
	if bindings, err = decode(text); err != nil {
		return nil, nil, fmt.Errorf("registrar: bindings of %s: %w", aor, err)
	}
	bindings = slices.DeleteFunc(bindings, func(b Binding) bool { return !now.Before(b.Expires) })
	sortBindings(bindings)
	return bindings, &text, nil
}

// save writes the bindings unless somebody else wrote since, which it tells.
func (r *Registrar) save(g *registration, old *string, bindings []Binding) (bool, error) {
	if old == nil && len(bindings) == 0 {
		return true, nil
	}
	var text *string
	var ttl time.Duration
	if len(bindings) > 0 {
		s, err := encode(bindings)
		if err != nil {
			return false, fmt.Errorf("registrar: bindings of %s: %w", g.aor, err)
		}
		text = &s
	}
	for i := range bindings {
		ttl = max(ttl, bindings[i].Expires.Sub(g.now))
	}
	done, err := r.config.Store.CAS(under(g.aor), old, text, ttl)
	if err != nil {
		return false, fmt.Errorf("registrar: bindings of %s: %w", g.aor, err)
	}
	return done, nil
}
