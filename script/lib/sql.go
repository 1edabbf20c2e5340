package lib

import (
	"context"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

const (
	maxParameters = 100
	maxParameter  = 1 << 20 // bytes
)

// sqlMethods wait.
func (x *library) sqlMethods() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"query": method("database:query", func(a args) int {
			rows, reason, ok := x.query(a)
			if !ok {
				return a.giveFailure(reason)
			}
			return a.give(lua.FromGo(a.L, rows))
		}),
		"row": method("database:row", func(a args) int {
			rows, reason, ok := x.query(a)
			switch {
			case !ok:
				return a.giveFailure(reason)
			case len(rows) == 0:
				return a.give(glua.LNil)
			}
			return a.give(lua.FromGo(a.L, rows[0]))
		}),
		"exec": method("database:exec", func(a args) int {
			d := self(a, x.sql)
			statement, values := a.statement()
			found, reason, ok := x.look(a, "sql", d.name, asked(d.name, statement, values), func(ctx context.Context) (Answer, error) {
				changed, err := d.ask.Exec(ctx, statement, values)
				return Answer{Value: float64(changed)}, err
			})
			if !ok {
				return a.giveFailure(reason)
			}
			return a.give(lua.FromGo(a.L, found.Value))
		}),
	}
}

// query gives the rows, or the reason why it failed.
func (x *library) query(a args) (rows []any, reason string, ok bool) {
	d := self(a, x.sql)
	statement, values := a.statement()
	found, reason, ok := x.look(a, "sql", d.name, asked(d.name, statement, values), func(ctx context.Context) (Answer, error) {
		answer, err := d.ask.Query(ctx, statement, values)
		if err != nil {
			return Answer{}, err
		}
		list := make([]any, len(answer.Rows))
		for i, row := range answer.Rows {
			list[i] = named(answer.Columns, row)
		}
		return Answer{Value: list}, nil
	})
	if !ok {
		return nil, reason, false
	}
	rows, ok = found.Value.([]any)
	return rows, "failed: an answer without rows", ok
}

// asked puts a statement as a question.
func asked(name, statement string, values []any) func() Question {
	return func() Question {
		return Question{Key: phrase(name, strings.Join(strings.Fields(statement), " ")), Values: values}
	}
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
