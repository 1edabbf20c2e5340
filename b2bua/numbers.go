package b2bua

import (
	"net/url"
	"slices"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/number"
	"legwork/b2bua/trunk"
)

// writeNumbers gives a request the numbers of its Request-URI, From and To in the
// forms of the trunk that it goes to.
func writeNumbers(m *message.Message, from, to *leg) {
	if to.trunk == nil || !to.trunk.Numbers.Any() {
		return
	}
	theirs, ours := numbersOf(from), &to.trunk.Numbers
	m.URI = rewriteURI(m.URI, theirs.URI, ours.URI, theirs.Country, ours)
	m.Set("From", rewriteAddr(m.Get("From"), theirs.From, ours.From, theirs.Country, ours))
	m.Set("To", rewriteAddr(m.Get("To"), theirs.To, ours.To, theirs.Country, ours))
}

// writeIdentities does so for what crosses of who calls.
func writeIdentities(m *message.Message, from, to *leg) {
	if to.trunk == nil || !to.trunk.Numbers.Any() {
		return
	}
	theirs, ours := numbersOf(from), &to.trunk.Numbers
	for _, name := range [...]string{"P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"} {
		told := m.List(name)
		anew := make([]string, len(told))
		for i, one := range told {
			anew[i] = rewriteAddr(one, theirs.Identity, ours.Identity, theirs.Country, ours)
		}
		if slices.Equal(told, anew) {
			continue
		}
		m.Del(name)
		for _, one := range anew {
			m.Add(name, one)
		}
	}
}

// numbersOf is how the neighbour of a leg writes numbers.
func numbersOf(l *leg) *trunk.Numbers {
	if l == nil || l.trunk == nil {
		return &trunk.Numbers{}
	}
	return &l.trunk.Numbers
}

func rewriteAddr(value string, was, want trunk.NumberForm, country string, ours *trunk.Numbers) string {
	a, err := message.ParseAddr(value)
	if err != nil {
		return value
	}
	uri := rewriteURI(a.URI, was, want, country, ours)
	if uri == a.URI {
		return value
	}
	a.URI = uri
	return a.String()
}

// rewriteURI leaves a URI alone whose user is no number of its country. What a
// user says behind its number, such as npdi or ext, stays (RFC 3261 section 19.1.6).
func rewriteURI(uri string, was, want trunk.NumberForm, country string, ours *trunk.Numbers) string {
	u, err := message.ParseURI(uri)
	if err != nil || !u.IsSIP() || want == trunk.AnyNumber {
		return uri
	}
	dialled, more, _ := strings.Cut(u.User, ";")
	if dialled, err = url.PathUnescape(dialled); err != nil || !digits(dialled) || strings.Contains(strings.ToLower(more), "phone-context=") {
		return uri
	}
	n, ok := readNumber(dialled, was, country, ours.Country)
	if !ok {
		return uri
	}
	switch want {
	case trunk.PlainNumber:
		u.User = n.Plain()
	case trunk.NationalNumber:
		u.User = n.From(ours.Country)
	default:
		u.User = n.E164()
	}
	if more != "" {
		u.User += ";" + more
	}
	if ours.UserPhone {
		u.Params.Set("user", "phone")
	}
	return u.String()
}

// readNumber reads it as its sender writes numbers, else by our own country.
func readNumber(user string, was trunk.NumberForm, countries ...string) (number.Number, bool) {
	if was == trunk.PlainNumber && !strings.HasPrefix(user, "+") {
		if n, err := number.Parse("+"+user, ""); err == nil {
			return n, true
		}
	}
	for _, country := range countries {
		if n, err := number.Parse(user, country); err == nil {
			return n, true
		}
	}
	return number.Number{}, false
}

// digits tells whether a user may be a number: others are not even tried, as
// letters are read as those of a dial plate.
func digits(user string) bool {
	rest := strings.TrimPrefix(user, "+")
	return rest != "" && strings.Trim(rest, "0123456789-.()") == ""
}
