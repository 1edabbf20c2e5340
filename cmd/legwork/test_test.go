package main

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const failingTest = `local t = require "b2b.test"

t.it("knows only extensions", function()
  local c = t.invite { to = "sip:12@sbc.example", from_trunk = "phones" }
  t.eq(c:a():final().status, 403)
end)

t.it("waits a day", function() t.advance(24 * 3600) end)
`

// tested is a folder with the example's script, and a test of it that fails.
func tested(t *testing.T) (dir string) {
	t.Helper()
	dir = deployment(t, "127.0.0.1:5080", "")
	write(t, filepath.Join(dir, "wrong_test.lua"), failingTest)
	return dir
}

func TestTheExamplesTestsPass(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(deployments(t), filepath.Join(root, "scripts", "main.lua")) {
		if got := run(t, root, "test", filepath.Dir(path)); got.code != 0 || !strings.Contains(got.out, " 0 failed") {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestAFailedTestShowsPlaceAndLadder(t *testing.T) {
	got := run(t, tested(t), "test")
	if got.code != 1 {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	for _, part := range []string{
		"FAIL  wrong_test.lua:3: knows only extensions", "wrong_test.lua:5: expected 403, got 404",
		"on_invite → reject 404", "◀─ 404 No such extension ─", "4 passed, 1 failed in ",
	} {
		if !strings.Contains(got.out, part) {
			t.Errorf("no %q in:\n%s", part, got.out)
		}
	}
}

func TestTestsAreChosenByFileAndName(t *testing.T) {
	dir := tested(t)
	for _, c := range []struct {
		args []string
		sum  string
	}{
		{[]string{"main_test.lua"}, "3 passed, 0 failed"},
		{[]string{"."}, "4 passed, 1 failed"},
		{[]string{"-c", "legwork.yaml", "wrong_test.lua", "--run", "^waits"}, "1 passed, 0 failed"},
		{[]string{"--run", "extension"}, "2 passed, 1 failed"},
	} {
		if got := run(t, dir, append([]string{"test"}, c.args...)...); !strings.Contains(got.out, c.sum) {
			t.Errorf("%v: %+v, want %s", c.args, got, c.sum)
		}
	}
	for _, args := range [][]string{{"nothing_test.lua"}, {"main.lua"}, {"--run", "("}, {"--run", "no such name"}} {
		if got := run(t, dir, append([]string{"test"}, args...)...); got.code != 2 || !strings.HasPrefix(got.err, "legwork: ") {
			t.Errorf("%v: %+v, want exit 2", args, got)
		}
	}
}

func TestAScriptAloneIsTestedWithTrunksMadeUp(t *testing.T) {
	dir := tested(t)
	if err := os.Remove(filepath.Join(dir, "legwork.yaml")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"test"}, {"test", dir}, {"test", filepath.Join(dir, "main_test.lua"), "wrong_test.lua"}} {
		if got := run(t, dir, args...); !strings.Contains(got.out, "4 passed, 1 failed") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestMachinesReadTheReport(t *testing.T) {
	dir := tested(t)
	got := run(t, dir, "test", "--json", "--junit", "report.xml")
	var told struct {
		Passed, Failed int
		Tests          []struct {
			File, Name string
			Line       int
			Passed     bool
		}
	}
	if err := json.Unmarshal([]byte(got.out), &told); err != nil || told.Passed != 4 || told.Failed != 1 || len(told.Tests) != 5 {
		t.Errorf("%v: %+v", err, told)
	}
	var junit struct {
		Suites []struct {
			Name     string `xml:"name,attr"`
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(read(t, filepath.Join(dir, "report.xml"))), &junit); err != nil || len(junit.Suites) != 2 {
		t.Fatalf("%v: %+v", err, junit)
	}
	if s := junit.Suites[1]; s.Name != "wrong_test.lua" || s.Tests != 2 || s.Failures != 1 {
		t.Errorf("%+v", s)
	}
}

func TestAReloadWhoseTestsFailChangesNothing(t *testing.T) {
	r := serve(t, deployment(t, "127.0.0.1:5080", ""))
	main := filepath.Join(r.dir, "main.lua")
	good := read(t, main)
	write(t, main, strings.ReplaceAll(good, "404, ", "403, "))
	r.waitFor(`level=ERROR msg="script not loaded; the old one stays" .*main_test\.lua line=1[0-9] err="test \\"knows only extensions\\": expected 404, got 403"`)
	write(t, main, good+"-- mended\n")
	r.waitFor(`msg="script loaded"[\s\S]*script not loaded[\s\S]*msg="script loaded"`)
}

func TestCoverageIsPrintedAndWritten(t *testing.T) {
	dir := deployment(t, "127.0.0.1:5080", "")
	got := run(t, dir, "test", "--cover", "--lcov", "lcov.info")
	if got.code != 0 || !strings.Contains(got.out, "main.lua") || !strings.Contains(got.out, "% ") || !strings.Contains(got.out, " lines") {
		t.Errorf("%+v", got)
	}
	if text := read(t, filepath.Join(dir, "lcov.info")); !strings.HasPrefix(text, "TN:\nSF:main.lua\nDA:") {
		t.Error(text)
	}
	if got := run(t, dir, "test", "--cover", "--json"); !strings.Contains(got.out, `"coverage": [`) {
		t.Errorf("%+v", got)
	}
}

func TestWatchedTestsRunAgainWhenAFileIsSaved(t *testing.T) {
	dir := tested(t)
	cmd := command(t.Context(), "test", "--watch", "wrong_test.lua")
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // because of the signal
	})
	lines := bufio.NewScanner(out)
	await := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("it ended without %q", want)
	}
	await("1 passed, 1 failed")
	path := filepath.Join(dir, "wrong_test.lua")
	write(t, path, strings.ReplaceAll(failingTest, "403", "404"))
	await("2 passed, 0 failed")
	write(t, path, "this is no Lua")
	await("0 passed, 1 failed")
	write(t, filepath.Join(dir, "legwork.yaml"), "nonsense: [")
	write(t, path, failingTest)
	if err := os.CopyFS(dir+"/x", os.DirFS("../../examples/hello")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+"/x/legwork.yaml", dir+"/legwork.yaml"); err != nil {
		t.Fatal(err)
	}
	await("1 passed, 1 failed")
}

func TestAScriptAloneMayNameServers(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.lua"), `local M, cache = {}, b2b.redis("cache")
function M.on_invite(call) return b2b.route { to = { trunk = cache:get("trunk") or b2b.sql "routes":row("select trunk").trunk } } end
return M
`)
	write(t, filepath.Join(dir, "main_test.lua"), `local t = require "b2b.test"
t.it("asks both", function()
  t.stub { { redis = "cache get trunk" }, { sql = "routes select trunk", rows = { { trunk = "carrier" } } } }
  t.eq(t.decision(t.invite { to = "sip:1@sbc.example", from_trunk = "carrier" }, "on_invite").action, "route")
end)
`)
	if got := run(t, dir, "test"); got.code != 0 || !strings.Contains(got.out, "1 passed") {
		t.Errorf("%+v", got)
	}
}

// TestNoLookupLeavesFromTheTestsBeforeAReload asks a server of this machine: it
// must hear of calls only.
func TestNoLookupLeavesFromTheTestsBeforeAReload(t *testing.T) {
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer server.Close()
	r := serve(t, deployment(t, "127.0.0.1:5080", ""))
	main := filepath.Join(r.dir, "main.lua")
	script := strings.Replace(read(t, main), "local user = call.req.uri.user\n", "local user = call.req.uri.user\n  "+
		`local _, err = b2b.http.client { base = "`+server.URL+`" }:get("/asked")  if not err:find("no stub") then return b2b.reject(599) end`+"\n", 1)
	write(t, main, script)
	r.waitFor(`msg="script loaded"[\s\S]*msg="script loaded"`)
	select {
	case path := <-asked:
		t.Errorf("%s was asked", path)
	default:
	}
}
