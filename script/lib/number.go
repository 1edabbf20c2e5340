package lib

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// maxNumber is how long a text may be that is read as a telephone number.
const maxNumber = 64

// A number is a valid telephone number, read by the rules of its country.
type number struct {
	raw    string
	parsed *phonenumbers.PhoneNumber
}

// parseNumber reads a number as it is dialled in a country (ISO 3166, "DE");
// one that begins with + needs none.
func parseNumber(raw, country string) (*number, error) {
	switch {
	case len(raw) > maxNumber || !utf8.ValidString(raw):
		return nil, errors.New("not a number")
	case country == "" && !strings.HasPrefix(strings.TrimSpace(raw), "+"):
		return nil, errors.New("without a country a number must begin with +")
	}
	parsed, err := phonenumbers.Parse(raw, country)
	if err != nil {
		return nil, err
	}
	if !phonenumbers.IsValidNumber(parsed) {
		return nil, errors.New("no such number in its country")
	}
	return &number{raw: raw, parsed: parsed}, nil
}

func (n *number) e164() string    { return phonenumbers.Format(n.parsed, phonenumbers.E164) }
func (n *number) plain() string   { return strings.TrimPrefix(n.e164(), "+") }
func (n *number) country() string { return phonenumbers.GetRegionCodeForNumber(n.parsed) }
func (n *number) rfc3966() string { return phonenumbers.Format(n.parsed, phonenumbers.RFC3966) }

// national is what is dialled inside the country, digits only.
func (n *number) national() string {
	return phonenumbers.NormalizeDigitsOnly(phonenumbers.Format(n.parsed, phonenumbers.NATIONAL))
}

func (n *number) kind() string {
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

// mask hides the last four digits, of a short number the last half: enough to
// find a call again, too little to call the person.
func mask(s string) string {
	digits := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			digits++
		}
	}
	hide := 4
	if digits < 8 {
		hide = (digits + 1) / 2
	}
	b := []byte(s)
	for i := len(b) - 1; i >= 0 && hide > 0; i-- {
		if isDigit(b[i]) {
			b[i] = '*'
			hide--
		}
	}
	return string(b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (x *library) number() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"parse": function("b2b.number.parse", func(a args) int {
			country := strings.ToUpper(a.optText(2, "country", ""))
			if country != "" && (len(country) != 2 || phonenumbers.GetCountryCodeForRegion(country) == 0) {
				a.fail("country must be two letters like \"DE\"")
			}
			n, err := parseNumber(a.text(1, "the number"), country)
			if err != nil {
				return a.giveFailure(err.Error())
			}
			return a.give(x.numbers.New(a.L, n))
		}),
		"mask": function("b2b.number.mask", func(a args) int {
			return a.giveText(mask(a.text(1, "the number")))
		}),
	}
}

func numberFields() map[string]func(L *glua.LState, n *number) glua.LValue {
	text := func(get func(n *number) string) func(*glua.LState, *number) glua.LValue {
		return func(L *glua.LState, n *number) glua.LValue { return lua.FromGo(L, get(n)) }
	}
	return map[string]func(L *glua.LState, n *number) glua.LValue{
		"raw": text(func(n *number) string { return n.raw }), "e164": text((*number).e164), "national": text((*number).national),
		"country": text((*number).country), "kind": text((*number).kind),
	}
}

func (x *library) numberMethods() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{"format": method("phone_number:format", func(a args) int {
		n := self(a, x.numbers)
		switch form := a.text(1, "the form"); form {
		case "e164":
			return a.giveText(n.e164())
		case "plain":
			return a.giveText(n.plain())
		case "national":
			return a.giveText(n.national())
		case "rfc3966":
			return a.giveText(n.rfc3966())
		default:
			a.fail("unknown form '%s': e164, plain, national or rfc3966", form)
			return 0
		}
	})}
}

func (x *library) numberMeta() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{"__tostring": method("tostring", func(a args) int {
		return a.giveText(self(a, x.numbers).e164())
	})}
}
