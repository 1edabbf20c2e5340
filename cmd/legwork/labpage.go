package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"os"
)

//go:embed lab.html
var labText string

// labPage is the grid as a page. Each row opens the page of its call's ladder,
// which stands in this one.
type labPage struct {
	To       string
	Headings []string
	Rows     []labLine
}

type labLine struct {
	*labRow
	N      int
	Cells  []string
	Class  string
	Ladder template.URL // "": no call came of the INVITE
}

// writeLab writes the grid for a browser.
func writeLab(path, to string, grid []*labRow) error {
	page := labPage{To: to, Headings: headings()}
	for i, r := range grid {
		line := labLine{labRow: r, N: i + 1, Cells: r.cells(), Class: fmt.Sprintf("c%dxx", r.Code/100)}
		if r.bad() {
			line.Class = "bad"
		}
		if r.Story != nil {
			var b bytes.Buffer
			if err := r.Story.HTML(&b); err != nil {
				return err
			}
			line.Ladder = template.URL("data:text/html;charset=utf-8;base64," + base64.StdEncoding.EncodeToString(b.Bytes())) // ours: Story.HTML escapes what came from elsewhere
		}
		page.Rows = append(page.Rows, line)
	}
	text, err := template.New("lab").Parse(labText)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(text.Execute(file, page), file.Close())
}
