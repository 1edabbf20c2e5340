package lib

import (
	"context"
	"fmt"
	"math"
	"strconv"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/store"
	"legwork/script/lua"
)

const (
	maxRedisWord  = 1 << 20 // bytes of a key or value
	maxRedisWords = 1000    // of one command
	maxStatement  = 64 << 10
)

// redisMethods wait. They have the names of the commands; what has none here
// is done by eval.
func (x *library) redisMethods() map[string]glua.LGFunction {
	all := map[string]glua.LGFunction{
		"set":       x.redisMethod("set", setWords, func(v any) any { return v == "OK" }),
		"incr":      x.redisMethod("incr", incrWords, func(v any) any { return numberOf(v) }),
		"hgetall":   x.redisMethod("hgetall", firstKey("HGETALL"), func(v any) any { return pairsOf(v) }),
		"eval":      x.redisMethod("eval", evalWords, nil),
		"expire":    x.redisMethod("expire", expireWords, isOne),
		"exists":    x.redisMethod("exists", firstKey("EXISTS"), isOne),
		"hget":      x.redisMethod("hget", allWords("HGET", 2, 2), nil),
		"hset":      x.redisMethod("hset", allWords("HSET", 3, 3), isOne),
		"hdel":      x.redisMethod("hdel", allWords("HDEL", 2, 2), isOne),
		"sismember": x.redisMethod("sismember", allWords("SISMEMBER", 2, 2), isOne),
	}
	for name, command := range map[string]string{"get": "GET", "smembers": "SMEMBERS"} {
		all[name] = x.redisMethod(name, firstKey(command), nil)
	}
	all["del"] = x.redisMethod("del", allWords("DEL", 1, maxRedisWords), nil)
	return all
}

// redisMethod makes a method of the words of its command, and of what becomes of
// the answer; nil: it is the value.
func (x *library) redisMethod(name string, words func(a args) []any, become func(v any) any) glua.LGFunction {
	return method("redis_server:"+name, func(a args) int {
		s, said := self(a, x.redis), words(a)
		question := func() Question { return Question{Key: phrase(s.name, name, said[1:])} }
		found, reason, ok := x.look(a, "redis", s.name, question, func(ctx context.Context) (Answer, error) {
			v, err := s.ask.Do(ctx, said...)
			if err == nil && become != nil {
				v = become(v)
			}
			return Answer{Value: plainOf(v)}, err
		})
		if !ok {
			return a.giveFailure(reason)
		}
		return a.give(lua.FromGo(a.L, found.Value))
	})
}

// word is a text or a number of a command.
func (a args) word(v glua.LValue, what string) any {
	if n, ok := v.(glua.LNumber); ok {
		return store.FormatNumber(a.asNumber(n, what))
	}
	s := a.asText(v, what)
	if len(s) > maxRedisWord {
		a.fail("%s may have %d bytes", what, maxRedisWord)
	}
	return s
}

// allWords takes so many arguments.
func allWords(command string, least, most int) func(a args) []any {
	return func(a args) []any {
		n := a.L.GetTop() - a.skip
		if n < least || n > most {
			a.fail("it takes %s", arguments(least, most))
		}
		words := []any{command}
		for i := 1; i <= n; i++ {
			words = append(words, a.word(a.at(i), "argument "+strconv.Itoa(i)))
		}
		return words
	}
}

func arguments(least, most int) string {
	if least == most {
		return strconv.Itoa(least) + " arguments"
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

func firstKey(command string) func(a args) []any { return allWords(command, 1, 1) }

func setWords(a args) []any {
	words := []any{"SET", a.word(a.at(1), "the key"), a.word(a.at(2), "the value")}
	if ttl := a.ttl(3); ttl > 0 {
		words = append(words, "PX", max(ttl.Milliseconds(), 1))
	}
	return words
}

func expireWords(a args) []any {
	key, ttl := a.word(a.at(1), "the key"), a.asSeconds(a.at(2), "the time to live")
	return []any{"PEXPIRE", key, ttl.Milliseconds()}
}

func incrWords(a args) []any {
	key, by := a.word(a.at(1), "the key"), a.optNumber(2, "the number", 1)
	if by == math.Trunc(by) && math.Abs(by) <= 1<<53 {
		return []any{"INCRBY", key, int64(by)}
	}
	return []any{"INCRBYFLOAT", key, by}
}

func evalWords(a args) []any {
	script := a.text(1, "the script")
	if len(script) == 0 || len(script) > maxStatement {
		a.fail("the script may have 1 to %d bytes", maxStatement)
	}
	keys, values := a.words(2, "keys"), a.words(3, "values")
	words := append([]any{"EVAL", script, len(keys)}, keys...)
	return append(words, values...)
}

// words is an optional list.
func (a args) words(n int, what string) []any {
	if !a.has(n) {
		return nil
	}
	t := a.table(n, what)
	if t.Len() > maxRedisWords {
		a.fail("%s may be %d", what, maxRedisWords)
	}
	var list []any
	for i := 1; i <= t.Len(); i++ {
		list = append(list, a.word(t.RawGetInt(i), what+"["+strconv.Itoa(i)+"]"))
	}
	return list
}

func isOne(v any) any { return v == int64(1) }

// numberOf is the answer of INCRBYFLOAT, a text, as a number.
func numberOf(v any) any {
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	}
	return v
}

// pairsOf makes a table of names and values by turns.
func pairsOf(v any) any {
	list, _ := v.([]any)
	m := make(map[string]any, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		if name, ok := list[i].(string); ok {
			m[name] = list[i+1]
		}
	}
	return m
}

// plainOf is an answer in values that Lua has.
func plainOf(v any) any {
	list, ok := v.([]any)
	if !ok {
		return told(v)
	}
	plain := make([]any, len(list))
	for i, one := range list {
		plain[i] = plainOf(one)
	}
	return plain
}
