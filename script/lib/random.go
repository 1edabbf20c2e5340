package lib

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	glua "github.com/yuin/gopher-lua"
)

const (
	letters   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	maxRandom = 1024    // characters of a random string
	exactly   = 1 << 53 // whole numbers up to here are exact in Lua
)

func (x *library) random() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"number": function("b2b.random.number", func(a args) int { return a.give(glua.LNumber(x.dice(a).Float64())) }),
		"int": function("b2b.random.int", func(a args) int {
			from := a.whole(1, "from", -exactly, exactly)
			to := a.whole(2, "to", from, exactly)
			return a.give(glua.LNumber(from + int(x.dice(a).Int64N(int64(to-from)+1))))
		}),
		"string": function("b2b.random.string", func(a args) int {
			alphabet := a.optText(2, "the alphabet", letters)
			if len(alphabet) == 0 || len(alphabet) > 256 {
				a.fail("the alphabet must have 1 to 256 characters")
			}
			s := make([]byte, a.whole(1, "the length", 1, maxRandom))
			for i := range s {
				s[i] = alphabet[x.dice(a).IntN(len(alphabet))]
			}
			return a.giveText(string(s))
		}),
		"pick": function("b2b.random.pick", func(a args) int {
			list := a.table(1, "the list")
			n := list.Len()
			if n == 0 {
				a.fail("the list is empty")
			}
			return a.give(list.RawGetInt(1 + x.dice(a).IntN(n)))
		}),
	}
}

// single are the functions of b2b itself.
func (x *library) single() map[string]glua.LGFunction {
	all := x.databases()
	all["uuid"] = function("b2b.uuid", func(a args) int { return a.giveText(uuid(x.dice(a))) })
	all["env"] = function("b2b.env", x.getenv)
	all["sleep"] = function("b2b.sleep", x.sleep)
	return all
}

// uuid is a random one, version 4 of RFC 9562.
func uuid(r *rand.Rand) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], r.Uint64())
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (x *library) getenv(a args) int {
	name := a.key(1, "the name", 256)
	if x.env.cfg.Getenv != nil {
		switch value, set, allowed := x.env.cfg.Getenv(name); {
		case allowed && set:
			return a.giveText(value)
		case allowed:
			return a.give(glua.LNil)
		}
	}
	hint := "scripts may read no environment variables here"
	if x.env.cfg.AllowEnv != "" {
		hint = x.env.cfg.AllowEnv
	}
	a.fail("'%s' is not allowed: %s", name, hint)
	return 0
}
