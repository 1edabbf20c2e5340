package trunk

// Trust says whether a neighbour is of our trust domain (RFC 3325): only then is
// it believed who calls, and told what a caller wants hidden.
type Trust uint8

// TrustUnsaid is that of a configuration in which no trunk speaks of trust:
// identities cross as any header does. As soon as one trunk does, all others are
// Untrusted, and so is who is no trunk.
const (
	TrustUnsaid Trust = iota
	Untrusted
	Trusted
)

// settleTrust gives the trunks that do not speak of trust the default.
func (t *Table) settleTrust() {
	for _, one := range t.trunks {
		if one.Trust != TrustUnsaid {
			t.strangers = Untrusted
		}
	}
	for _, one := range t.trunks {
		one.Trust = max(one.Trust, t.strangers)
	}
}

// Trust is that of a trunk, or of who is none.
func (t *Table) Trust(name string) Trust {
	if one := t.trunks[name]; one != nil {
		return one.Trust
	}
	return t.strangers
}
