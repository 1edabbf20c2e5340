// Package number reads telephone numbers by the rules of their country and
// writes them as others want them. It knows no URI and no header: those who do
// ask here. Start with Parse.
package number

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// maxLength is how long a text may be that is read as a telephone number.
const maxLength = 64

// Number is a valid telephone number.
type Number struct {
	Raw    string // as it was read
	parsed *phonenumbers.PhoneNumber
}

// Known tells whether a country (ISO 3166, "DE") has numbers.
func Known(country string) bool {
	return len(country) == 2 && phonenumbers.GetCountryCodeForRegion(country) != 0
}

// Parse reads a number as it is dialled in a country; one that begins with +
// needs none.
func Parse(raw, country string) (Number, error) {
	switch {
	case len(raw) > maxLength || !utf8.ValidString(raw):
		return Number{}, errors.New("not a number")
	case country == "" && !strings.HasPrefix(strings.TrimSpace(raw), "+"):
		return Number{}, errors.New("without a country a number must begin with +")
	}
	parsed, err := phonenumbers.Parse(raw, country)
	if err != nil {
		return Number{}, err
	}
	if !phonenumbers.IsValidNumber(parsed) {
		return Number{}, errors.New("no such number in its country")
	}
	return Number{Raw: raw, parsed: parsed}, nil
}

// E164 is +4930123456.
func (n Number) E164() string { return phonenumbers.Format(n.parsed, phonenumbers.E164) }

// Plain is E164 without the plus.
func (n Number) Plain() string { return strings.TrimPrefix(n.E164(), "+") }

// RFC3966 is a tel: URI.
func (n Number) RFC3966() string { return phonenumbers.Format(n.parsed, phonenumbers.RFC3966) }

// Country is the ISO 3166 code of the number's.
func (n Number) Country() string { return phonenumbers.GetRegionCodeForNumber(n.parsed) }

// National is what is dialled inside the number's country, digits only.
func (n Number) National() string {
	return phonenumbers.NormalizeDigitsOnly(phonenumbers.Format(n.line(), phonenumbers.NATIONAL))
}

// line is the number without an extension, which is not dialled with it.
func (n Number) line() *phonenumbers.PhoneNumber {
	if n.parsed.GetExtension() == "" {
		return n.parsed
	}
	bare, err := phonenumbers.Parse(n.E164(), "")
	if err != nil {
		return n.parsed
	}
	return bare
}

// From is what is dialled inside a country, digits only: to another one with the
// prefix that leads out. One that shares its country code is not another.
func (n Number) From(country string) string {
	if int(n.parsed.GetCountryCode()) == phonenumbers.GetCountryCodeForRegion(country) {
		return n.National()
	}
	return phonenumbers.NormalizeDigitsOnly(phonenumbers.FormatOutOfCountryCallingNumber(n.line(), country))
}

// Kind is "fixed", "mobile" and so on; "unknown".
func (n Number) Kind() string {
	switch phonenumbers.GetNumberType(n.parsed) {
	case phonenumbers.FIXED_LINE:
		return "fixed"
	case phonenumbers.MOBILE:
		return "mobile"
	case phonenumbers.FIXED_LINE_OR_MOBILE:
		return "fixed_or_mobile"
	case phonenumbers.TOLL_FREE:
		return "toll_free"
	case phonenumbers.PREMIUM_RATE:
		return "premium"
	case phonenumbers.SHARED_COST:
		return "shared_cost"
	case phonenumbers.VOIP:
		return "voip"
	case phonenumbers.PERSONAL_NUMBER:
		return "personal"
	case phonenumbers.PAGER:
		return "pager"
	case phonenumbers.UAN:
		return "uan"
	case phonenumbers.VOICEMAIL:
		return "voicemail"
	}
	return "unknown"
}
