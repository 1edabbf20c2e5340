package lua

import (
	"fmt"
	"strings"
	"testing"
)

// drawn shows the lines of a file: how often each was entered, blank where there
// is nothing to run.
func drawn(t *testing.T, src string) string {
	t.Helper()
	proto, err := Compile("main.lua", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var c Coverage
	vm := NewVM(Config{Cover: &c})
	if err := vm.Call(&Run{}, vm.Function(proto), nil, nil); err != nil {
		t.Fatal(err)
	}
	times := map[int]string{}
	for _, line := range Lines(proto) {
		times[line] = fmt.Sprint(c.Times("main.lua", line))
	}
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(src, "\n"), "\n") {
		fmt.Fprintf(&b, "%2s %s\n", times[i+1], line)
	}
	return b.String()
}

const played = `local M = {}
-- a remark

function M.f(n)
  if n > 1 then
    return "many"
  elseif n == 1 then
    return "one"
  else
    n = 0
  end
  for i = 1, 3 do
    n = n + i
    if i == 2 then
      break
    end
  end
  for _, v in ipairs { 1, 2 } do
    n = n + v
  end
  while n > 100 do
    n = n - 1
  end
  local ok = pcall(function()
    error("x")
  end)
  return {
    a = n,
    b = ok and
      1 or 2,
  }
end

function M.never()
  local x
  return x
end

M.f(5)
M.f(0)
return M
`

// playedTimes is played with how often each line is entered.
const playedTimes = ` 1 local M = {}
   -- a remark
   
 1 function M.f(n)
 2   if n > 1 then
 1     return "many"
 1   elseif n == 1 then
 0     return "one"
   else
 1     n = 0
   end
 2   for i = 1, 3 do
 2     n = n + i
 2     if i == 2 then
 1       break
     end
   end
 3   for _, v in ipairs { 1, 2 } do
 2     n = n + v
   end
 1   while n > 100 do
 0     n = n - 1
   end
 1   local ok = pcall(function()
 1     error("x")
   end)
 2   return {
     a = n,
 1     b = ok and
 1       1 or 2,
   }
   end
   
 1 function M.never()
 0   local x
 0   return x
   end
   
 1 M.f(5)
 1 M.f(0)
 1 return M
`

func squeezed(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestCoverageCountsLinesThatRun(t *testing.T) {
	got := drawn(t, played)
	if squeezed(got) != squeezed(playedTimes) {
		t.Errorf("got\n%s", got)
	}
}
