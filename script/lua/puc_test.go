package lua

import (
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
)

// puc runs a chunk with Debian's lua5.1, or skips the test.
func puc(t testing.TB, src string) string {
	t.Helper()
	path, err := exec.LookPath("lua5.1")
	if err != nil {
		t.Skip("needs PUC Lua 5.1: apt-get install lua5.1")
	}
	cmd := exec.Command(path, "-")
	cmd.Stdin = strings.NewReader(src)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("lua5.1: %v %s", err, errs.String())
	}
	return out.String()
}

// same runs a chunk with both and compares what they print.
func same(t *testing.T, src string) {
	t.Helper()
	want := strings.Split(puc(t, src), "\n")
	got := strings.Split(runs(t, src), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("line %d of the output differs\ngot  %q\nwant %q", i+1, got[min(i, len(got)-1)], want[min(i, len(want)-1)])
		}
	}
}

// quoted is a Lua literal of any bytes.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "\\%03d", c)
	}
	return b.String() + `"`
}

// show prints values so that NUL and the like survive.
const show = `
local function text(v)
  if type(v) ~= "string" then return tostring(v) end
  return (v:gsub("[^%w%p ]", function(c) return "<" .. c:byte() .. ">" end))
end
local function show(...)
  local out = {}
  for i = 1, select("#", ...) do out[i] = text((select(i, ...))) end
  print(table.concat(out, "|"))
end
local function try(f, ...)
  local function results(ok, ...)
    if ok then return show(...) end
    print("error")
  end
  results(pcall(f, ...))
end
`

func TestStringLibraryIsPUCLuas(t *testing.T) {
	subjects := []string{"", "a", "hello world", "a.b.c", "  trim  ", "key=value; k2=v2", "THE (quick) fox", "((a)(b)", "\x00\x01\xff", "äöü", "aaa", "+4930123456", "sip:bob@pbx.example;user=phone", "x]y-z^", "%d%%"}
	patterns := []string{"", ".", "a", "a*", "a-", "a+", "a?b", "^a", "a$", "^$", "$", "^", "%w+", "%s*(.-)%s*$", "(%w+)=(%w+)", "%b()", "%f[%w]%w+", "%f[%z]", "[a-z]+", "[^a-z]", "[]]", "[^]]", "[%a_]", "[a-]", "[-a]", "()", "(a)(b)?", "(.)%1", "%1", "(", ")", "%", "[", "[a", "%b", "%bx", "%f", "(()", ".-b", "[%]]", "%z", "%.", "^sip:([^@;]+)@?([^;]*)", "(a*(.)%w(%s*))", "[^%s]+", "%A", "%D+", "%S+$", "a%", "[a%", "((((((a))))))", "[\x80-\xff]+"}
	var src strings.Builder
	src.WriteString(show)
	for _, s := range subjects {
		for _, p := range patterns {
			fmt.Fprintf(&src, "do local s, p = %s, %s try(string.find, s, p) try(string.match, s, p, -3) try(string.gsub, s, p, '<%%0>') try(string.gsub, s, p, '%%1', 2) try(function() for a, b in s:gmatch(p) do show(a, b) end end) end\n", quoted(s), quoted(p))
		}
		fmt.Fprintf(&src, "do local s = %s show(s:upper(), s:lower(), s:len(), s:reverse(), s:rep(3), s:byte(1, -1)) for i = -4, 4 do show(s:sub(i)) for j = -4, 4 do show(s:sub(i, j), s:byte(i, j)) end end try(string.find, s, '.', 1, true) try(string.find, s, '', 50) try(string.find, s, '', -50) end\n", quoted(s))
	}
	same(t, src.String())
}

func TestFormatIsPUCLuas(t *testing.T) {
	var src strings.Builder
	src.WriteString(show)
	for _, flags := range []string{"", "-", "+", " ", "0", "#", "-0", "+0", "+-"} {
		for _, size := range []string{"", "1", "5", "12", ".0", ".3", "8.3", ".10", "99.99", "100", ".100"} {
			for _, verb := range "diuoxXeEfgGcsq" {
				for _, v := range []string{"0", "1", "-1", "42", "3.7", "-3.7", "1e15", "123456789", "1e-5", "65"} {
					if (verb == 'u' || verb == 'o' || verb == 'x' || verb == 'X') && v == "1e15" || verb == 'q' && flags+size != "" {
						continue
					}
					if (verb == 's' || verb == 'q') && v == "1e15" || verb == 'c' && (v[0] == '-' || v[0] == '0' || v == "1e-5" || strings.Contains(flags, "0") || v == "1e15" || v == "123456789") {
						continue
					}
					fmt.Fprintf(&src, "try(string.format, '%%%s%s%c', %s)\n", flags, size, verb, v)
				}
			}
		}
	}
	src.WriteString(`try(string.format, "%q", 'a"b\\c\nd\re\0f') try(string.format, "%5s|%-5s|%.2s", "abc", "abc", "abc")
try(string.format, "%f %g %e", 1/0, -1/0, 1/0) try(string.format, "%5.1f|%05f", 1/0, 1/0)
try(string.format, "%") try(string.format, "%y", 1) try(string.format, "%d") try(string.format, "%d", "12") try(string.format, "%d", "x") try(string.format, "%%")
`)
	same(t, src.String())
}

func TestTablesAndNumbersArePUCLuas(t *testing.T) {
	same(t, show+`
for _, s in ipairs{"1e3", "0x10", "010", " 12 ", "1.5e-3", "", "-", "1e", ".5", "5.", "0x", "1 2", "1_000", "+5", "1e400", "0b1"} do
  show(s, tonumber(s), tonumber(s, 16), tonumber(s, 2), tonumber(s, 36))
end
show(010, 0x10, 1e3, 1/0, -1/0, math.huge, 0.1 + 0.2, 1/3, -1.5, 1e100, 123456789012)
local t = {5, 2, 8, 1}
table.sort(t) show(unpack(t))
table.sort(t, function(a, b) return a > b end) show(unpack(t))
table.insert(t, 9) table.insert(t, 1, 0) table.insert(t, 3, 7) show(unpack(t))
show(table.remove(t), table.remove(t, 1), table.remove(t, 2), #t, table.remove({}))
show(table.concat(t, ","), table.concat(t, ",", 2), table.concat(t, "", 2, 3), table.concat({}, "x"), table.concat({1, 2.5, "x"}, ";"))
try(table.concat, {1, {}, 3}) try(table.concat, {1}, ",", 1, 3) try(table.sort, {1, "x"}) try(table.insert, {}, 1, 2, 3)
show(table.maxn{1, 2, [10] = 3, [2.5] = 1}, select("#", unpack({1, nil, 3}, 1, 3)), unpack({1, 2, 3}, 2), unpack({1, 2}, -1, 1))
show(math.floor(-1.5), math.ceil(-1.5), math.fmod(-5, 3), -5 % 3, math.modf(3.7), math.max(1, 5, 2), math.min(4, 2))
show(pcall(error)) show(pcall(error, nil)) show(pcall(error, {1} and "x", 0)) show(select(-1, 1, 2), select(2, "a", "b", "c"))
show(pcall(assert, false)) show(pcall(assert, nil, "m")) show(assert(1, 2, 3)) show(pcall(assert, false, 5))
show(xpcall(function() error("x", 0) end, function(m) return m .. "!" end)) show(xpcall(function() return 1, 2 end, print))
show(os.time{year = 2024, month = 2, day = 30, hour = 12}, os.date("!%Y-%m-%d %H:%M:%S %j %a %A %b %B %y %p %I %%", 86400 * 365), os.date("!*t", 0).wday)
show(type(nil), type(print), tostring(nil), tostring(true), rawequal("a", "a"), rawget({1}, 1))
show(("x"):rep(3), #"abc", -"2" + "3", "10" * 2, 10 .. 20, "a" .. 1 .. 2.5, 1 < 2, "a" < "b", "Z" < "a", "" < "a")
`)
}

func FuzzStringLibrary(f *testing.F) {
	f.Add("hello world", "(%w+) %f[%w](%w+)", "%2 %1", "%5.1f")
	f.Add("a.b", "[^.]*", "<%0>", "%-5s|")
	f.Add("", "", "", "%q")
	f.Fuzz(func(t *testing.T, s, pattern, with, format string) {
		if len(s) > 60 || len(pattern) > 20 || len(with) > 20 || len(format) > 10 {
			t.Skip()
		}
		// PUC Lua 5.1 stops reading a pattern, and %s, at a NUL.
		if strings.ContainsRune(pattern+with+format, 0) || strings.Contains(with, "%") && strings.HasSuffix(with, "%") {
			t.Skip()
		}
		src := show + fmt.Sprintf(`local s, p, w, f = %s, %s, %s, %s
try(string.find, s, p) try(string.match, s, p, 2) try(string.gsub, s, p, w) try(string.gsub, s, p, string.upper)
try(function() for a in s:gmatch(p) do show(a) end end) try(string.format, f, 65.5)`, quoted(s), quoted(pattern), quoted(with), quoted(format))
		vm := newScript(t, Config{})
		got, err := vm.run(Run{Limits: Limits{Instructions: 1 << 40}}, src)
		if err != nil {
			t.Skip("over our limits, which PUC Lua does not have")
		}
		if want := puc(t, src); got != want {
			t.Fatalf("s=%q p=%q w=%q f=%q\ngot  %q\nwant %q", s, pattern, with, format, got, want)
		}
	})
}

func TestNumbersAreExactUpToFifteenDigits(t *testing.T) {
	if out := runs(t, "print(491512345678901, 2^53, -2^53, '' .. 491512345678901)"); out != "491512345678901\t9007199254740992\t-9007199254740992\t491512345678901\n" {
		t.Fatal(out)
	}
	if out := runs(t, "print(0/0 ~= 0/0, math.huge)"); out != "true\tinf\n" {
		t.Fatal(out, math.Inf(1))
	}
}
