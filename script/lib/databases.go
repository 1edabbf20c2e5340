package lib

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
	"legwork/script/sql"
)

// Redis is one server of the configuration. It is legwork/b2bua/store/redis.Client.
type Redis interface {
	// Do says a command and gives the answer: nil, string, int64 or []any of these.
	Do(ctx context.Context, words ...any) (any, error)
}

// SQL is one database of the configuration. It is legwork/script/sql.DB. Values
// are nil, bool, float64 or string.
type SQL interface {
	Query(ctx context.Context, statement string, values []any) (*sql.Answer, error)
	Exec(ctx context.Context, statement string, values []any) (changed int64, err error)
}

// Nowhere stands for servers where there is no network, as in tests.
type Nowhere struct{}

var errNowhere = errors.New("tests have no network")

// Do implements Redis.
func (Nowhere) Do(context.Context, ...any) (any, error) { return nil, errNowhere }

// Query implements SQL.
func (Nowhere) Query(context.Context, string, []any) (*sql.Answer, error) { return nil, errNowhere }

// Exec implements SQL.
func (Nowhere) Exec(context.Context, string, []any) (int64, error) { return 0, errNowhere }

// A server is one by its name in the configuration.
type server[T any] struct {
	name string
	ask  T
}

// Names are what b2b.redis and b2b.sql know, by function.
func (e *Env) Names() map[string][]string {
	return map[string][]string{
		"redis": slices.Sorted(maps.Keys(e.cfg.Redis)), "sql": slices.Sorted(maps.Keys(e.cfg.SQL)),
	}
}

// Unknown says that the configuration has no server of this name, and which it has.
func Unknown(of, name string, known []string) string {
	hint := "; there are " + strings.Join(known, ", ")
	if len(known) == 0 {
		hint = fmt.Sprintf("; name it in the configuration, under '%s:'", of)
	}
	if near := lua.Nearest(name, known); near != "" {
		hint = ", did you mean '" + near + "'?"
	}
	return fmt.Sprintf("no %s '%s' in the configuration%s", of, name, hint)
}

func (x *library) databases() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"redis": function("b2b.redis", func(a args) int {
			name := a.key(1, "the name", 64)
			one, ok := x.env.cfg.Redis[name]
			if !ok {
				a.fail("%s", Unknown("redis", name, x.env.Names()["redis"]))
			}
			return a.give(x.redis.New(a.L, server[Redis]{name, one}))
		}),
		"sql": function("b2b.sql", func(a args) int {
			name := a.key(1, "the name", 64)
			one, ok := x.env.cfg.SQL[name]
			if !ok {
				a.fail("%s", Unknown("sql", name, x.env.Names()["sql"]))
			}
			return a.give(x.sql.New(a.L, server[SQL]{name, one}))
		}),
	}
}

// told is a whole number of a server as Lua knows it: one that would lose digits
// is the text of them.
func told(v any) any {
	n, ok := v.(int64)
	if !ok {
		return v
	}
	if n > 1<<53 || n < -1<<53 {
		return strconv.FormatInt(n, 10)
	}
	return float64(n)
}
