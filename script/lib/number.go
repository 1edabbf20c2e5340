package lib

import (
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/number"
	"legwork/script/lua"
)

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (x *library) number() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"parse": function("b2b.number.parse", func(a args) int {
			country := strings.ToUpper(a.optText(2, "country", ""))
			if country != "" && !number.Known(country) {
				a.fail("there is no country '%s': two letters of ISO 3166 like \"DE\"", country)
			}
			n, err := number.Parse(a.text(1, "the number"), country)
			if err != nil {
				return a.giveFailure(err.Error())
			}
			return a.give(x.numbers.New(a.L, &n))
		}),
		"mask": function("b2b.number.mask", func(a args) int {
			return a.giveText(number.Mask(a.text(1, "the number")))
		}),
	}
}

func numberFields() map[string]func(L *glua.LState, n *number.Number) glua.LValue {
	text := func(get func(n *number.Number) string) func(*glua.LState, *number.Number) glua.LValue {
		return func(L *glua.LState, n *number.Number) glua.LValue { return lua.FromGo(L, get(n)) }
	}
	return map[string]func(L *glua.LState, n *number.Number) glua.LValue{
		"raw": text(func(n *number.Number) string { return n.Raw }), "e164": text((*number.Number).E164), "national": text((*number.Number).National),
		"country": text((*number.Number).Country), "kind": text((*number.Number).Kind),
	}
}

func (x *library) numberMethods() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{"format": method("phone_number:format", func(a args) int {
		n := self(a, x.numbers)
		switch form := a.text(1, "the form"); form {
		case "e164":
			return a.giveText(n.E164())
		case "plain":
			return a.giveText(n.Plain())
		case "national":
			return a.giveText(n.National())
		case "rfc3966":
			return a.giveText(n.RFC3966())
		default:
			a.fail("unknown form '%s': e164, plain, national or rfc3966", form)
			return 0
		}
	})}
}

func (x *library) numberMeta() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{"__tostring": method("tostring", func(a args) int {
		return a.giveText(self(a, x.numbers).E164())
	})}
}
