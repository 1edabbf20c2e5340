package examples

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
	"legwork/script"
	"legwork/script/lib"
	"legwork/script/lua"
)

// block is one fenced block of a page.
type block struct {
	where string // page:line of its first line
	text  string
}

// pages are what a newcomer reads.
func pages(t *testing.T) []string {
	t.Helper()
	deployments, err := filepath.Glob("*/README.md")
	if err != nil || len(deployments) < 3 {
		t.Fatalf("pages: %v, %v", deployments, err)
	}
	return append(deployments, "../README.md", "../scripts/README.md")
}

// blocks are those of one language, in order.
func blocks(t *testing.T, page, language string) []block {
	t.Helper()
	src, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	for _, at := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatchIndex(src, -1) {
		line := strings.Count(string(src[:at[2]]), "\n") + 1
		found = append(found, block{where: page + ":" + strconv.Itoa(line), text: string(src[at[2]:at[3]])})
	}
	return found
}

// isTest tells a test from a script.
func (b block) isTest() bool { return strings.Contains(b.text, "t.it(") }

// script is the block as a whole file: one that returns nothing stands between
// the first and the last line of a script.
func (b block) script() string {
	if regexp.MustCompile(`(?m)^return `).MatchString(b.text) {
		return b.text
	}
	return "local M = {}; " + b.text + "\nreturn M\n"
}

// neighbours are the trunks that the pages speak of.
func neighbours(t *testing.T, names ...string) func() *trunk.Table {
	t.Helper()
	var trunks []trunk.Trunk
	for _, name := range append(names, "pbx", "carrier", "phone") {
		trunks = append(trunks, trunk.Trunk{Name: name, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.9"}}})
	}
	table, err := trunk.NewTable(trunks, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() *trunk.Table { return table }
}

// write puts a script into a folder of its own, with the table that one of
// them reads.
func write(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files["prices.csv"] = "prefix,price,trunk\n+49,0.01,carrier\n4,0,pbx\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func check(t *testing.T, main string, trunks func() *trunk.Table) script.Problems {
	t.Helper()
	libraries, err := lib.NewEnv(lib.Config{ReasonPhrase: message.ReasonPhrase})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(libraries.Close)
	problems, _ := script.Check(context.Background(), script.Config{
		Source: script.Source{Path: main}, Trunks: trunks, States: trunk.NewStates(), Lib: libraries, Machines: 1,
	})
	return problems
}

func TestEveryLuaBlockIsAScriptOrATest(t *testing.T) {
	for _, page := range pages(t) {
		for _, b := range blocks(t, page, "lua") {
			if b.isTest() {
				if _, err := lua.Compile(b.where, []byte(b.text)); err != nil {
					t.Error(err)
				}
				continue
			}
			dir := write(t, map[string]string{"main.lua": b.script()})
			for _, p := range check(t, filepath.Join(dir, "main.lua"), neighbours(t)) {
				t.Errorf("%s: %s", b.where, p)
			}
		}
	}
}
