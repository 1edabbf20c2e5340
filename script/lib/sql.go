package lib

import (
	"context"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
	"legwork/script/sql"
)

const (
	maxParameters = 100
	maxParameter  = 1 << 20 // bytes
)

// sqlMethods wait.
func (x *library) sqlMethods() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"query": method("database:query", func(a args) int {
			answer, reason := x.query(a)
			if answer == nil {
				return a.giveFailure(reason)
			}
			list := make([]any, len(answer.Rows))
			for i, row := range answer.Rows {
				list[i] = named(answer.Columns, row)
			}
			return a.give(lua.FromGo(a.L, list))
		}),
		"row": method("database:row", func(a args) int {
			answer, reason := x.query(a)
			switch {
			case answer == nil:
				return a.giveFailure(reason)
			case len(answer.Rows) == 0:
				return a.give(glua.LNil)
			}
			return a.give(lua.FromGo(a.L, named(answer.Columns, answer.Rows[0])))
		}),
		"exec": method("database:exec", func(a args) int {
			d := self(a, x.sql)
			statement, values := a.statement()
			var changed int64
			reason, ok := x.wait(a, "sql", d.name, func(ctx context.Context) (err error) {
				changed, err = d.ask.Exec(ctx, statement, values)
				return err
			})
			if !ok {
				return a.giveFailure(reason)
			}
			return a.give(glua.LNumber(changed))
		}),
	}
}

// query is nil and the reason when it failed.
func (x *library) query(a args) (answer *sql.Answer, reason string) {
	d := self(a, x.sql)
	statement, values := a.statement()
	reason, ok := x.wait(a, "sql", d.name, func(ctx context.Context) (err error) {
		answer, err = d.ask.Query(ctx, statement, values)
		return err
	})
	if !ok {
		return nil, reason
	}
	return answer, ""
}

// statement is the text and the values of its parameters; nil is NULL, so all
// arguments count, also those that are nil.
func (a args) statement() (text string, values []any) {
	text = a.key(1, "the statement", maxStatement)
	n := a.L.GetTop() - a.skip
	if n-1 > maxParameters {
		a.fail("a statement may have %d values", maxParameters)
	}
	for i := 2; i <= n; i++ {
		switch v := a.at(i).(type) {
		case *glua.LNilType:
			values = append(values, nil)
		case glua.LBool:
			values = append(values, bool(v))
		case glua.LNumber:
			values = append(values, a.asNumber(v, "a value"))
		case glua.LString:
			if len(v) > maxParameter {
				a.fail("a value may have %d bytes", maxParameter)
			}
			values = append(values, string(v))
		default:
			a.fail("value %d must be nil, a boolean, a number or a string, not a %s", i-1, v.Type())
		}
	}
	return text, values
}

// named is a row by column; NULL is no value.
func named(columns []string, row []any) map[string]any {
	m := make(map[string]any, len(row))
	for i, v := range row {
		if v != nil {
			m[columns[i]] = v
		}
	}
	return m
}
