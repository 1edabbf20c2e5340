package main

import (
	"os"
	"strconv"
)

// usualColumns is how wide a screen is when nobody says.
const usualColumns = 100

// screen is what commands that draw have in common.
type screen struct {
	Width *int `placeholder:"COLUMNS" help:"Columns of the screen; default: $$COLUMNS, or 100."`
}

// columns is how wide the screen is. What $COLUMNS says beside a number is none
// of the user's doing: where there is no terminal it may be 0 or empty.
func (s screen) columns() int {
	if s.Width != nil {
		return *s.Width
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 && n <= 1000 {
		return n
	}
	return usualColumns
}
