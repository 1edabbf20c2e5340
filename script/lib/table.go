package lib

import (
	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

func (x *library) table() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{"load": function("b2b.table.load", func(a args) int {
		name := a.key(1, "the file", 256)
		if x.scope.Tables == nil {
			a.fail("there are no files here")
		}
		t, err := x.scope.Tables.Load(name)
		if err != nil {
			a.fail("%v", err)
		}
		return a.give(x.tables.New(a.L, t))
	})}
}

func (x *library) tableMethods() map[string]glua.LGFunction {
	find := func(name string, by func(t *Table, key string) (int, bool)) glua.LGFunction {
		return method("prefix_table:"+name, func(a args) int {
			t := self(a, x.tables)
			row, ok := by(t, a.text(1, "the key"))
			if !ok {
				return a.give(glua.LNil)
			}
			return a.give(fromRow(a.L, t, row))
		})
	}
	return map[string]glua.LGFunction{"longest": find("longest", (*Table).Longest), "get": find("get", (*Table).Get)}
}

// fromRow makes a row a table by column; the script may change it.
func fromRow(L *glua.LState, t *Table, row int) *glua.LTable {
	lua.Charge(L, tableCost+len(t.columns)*entryCost)
	fields := L.CreateTable(0, len(t.columns))
	t.Row(row, func(column, value string) { fields.RawSetString(column, lua.FromGo(L, value)) })
	return fields
}
