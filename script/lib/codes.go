package lib

import (
	"strconv"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/q850"
)

func (x *library) codes() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"name": function("b2b.codes.name", func(a args) int {
			return a.giveText(x.env.cfg.ReasonPhrase(a.whole(1, "the code", 100, 699)))
		}),
		"class": function("b2b.codes.class", func(a args) int {
			return a.giveText(strconv.Itoa(a.whole(1, "the code", 100, 699)/100) + "xx")
		}),
	}
}

func q850Functions() map[string]glua.LGFunction {
	number := func(a args, n int, ok bool) int {
		if !ok {
			return a.give(glua.LNil)
		}
		return a.give(glua.LNumber(n))
	}
	return map[string]glua.LGFunction{
		"to_sip": function("b2b.q850.to_sip", func(a args) int {
			code, ok := q850.ToSIP(a.whole(1, "the cause", 0, 127))
			return number(a, code, ok)
		}),
		"from_sip": function("b2b.q850.from_sip", func(a args) int {
			cause, ok := q850.FromSIP(a.whole(1, "the code", 100, 699))
			return number(a, cause, ok)
		}),
		"text": function("b2b.q850.text", func(a args) int {
			text := q850.Text(a.whole(1, "the cause", 0, 127))
			if text == "" {
				return a.give(glua.LNil)
			}
			return a.giveText(text)
		}),
	}
}
