package cucm

import (
	"errors"
	"math"
	"strings"
	"testing"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

func TestAMaskTakesTheLastDigits(t *testing.T) {
	for _, one := range [][3]string{
		{"4441234", "+1888XXXXXXX", "+18884441234"},
		{"1234", "+1888XXXXXXX", "+1888XXX1234"},
		{"4441234", "+1888XXXX", "+18881234"},
		{"", "XX", "XX"},
		{"12", "", ""},
		{"12", "X-X", "1-2"},
	} {
		if got := masked(one[0], one[1], 'X'); got != one[2] {
			t.Errorf("%s by %s: %s", one[0], one[1], got)
		}
	}
	if got := masked("12", "XX#", '#'); got != "XX2" {
		t.Error(got)
	}
}

func TestWhatIsNotTouchedStaysAsItWas(t *testing.T) {
	for _, text := range []string{
		`"A;B <c>" <sip:a;b=c@x.example;user=phone?X=y>;tag=1;x="a;b"`, "sip:x@y;tag=2", "1800;refresher=uac", "SIP;cause=200;text=\"a;b\"", "",
	} {
		if got := readValue(text).String(); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := setURIParam("sip:a;b=c@x.example;user=ip?X=y", "USER", "phone"); got != "sip:a;b=c@x.example;USER=phone?X=y" {
		t.Error(got)
	}
}

func FuzzAScriptNeverHarmsItsHost(f *testing.F) {
	for _, seed := range []string{"v=0\r\nm=audio 1 RTP/AVP 0\r\na=x\r\n", "m=\nm=", "\r\n", "", "<\"", "a;b;\"c", "sip:;;@?<>"} {
		f.Add(seed, "a=", "x", 1.0)
		f.Add(seed, "m=", "audio", math.Inf(1))
	}
	proto, err := lua.Compile("f.lua", []byte(`return function(s, b, c, n)
  local i = s:insertLineAfter(b, c, c):insertLineBefore(b, c, c):modifyLine(b, c, c)
  s:removeLine(b, c) s:getLine(b, c) s:addLine(c)
  s:getMediaDescription(n) s:modifyMediaDescription(n, c) s:insertMediaDescription(n, c) s:removeMediaDescription(n)
  s:removeMediaDescription(c)
  local u = sipUtils.parseUri(s)
  if u then u:applyNumberMask(c) u:getHost() u:getUser() u:encode() end
  return i
end`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, begins, contains string, n float64) {
		v := readValue(text)
		if again := readValue(v.String()); strings.TrimSpace(again.String()) != strings.TrimSpace(v.String()) {
			t.Errorf("%q: %q, then %q", text, v, again)
		}
		s, _, err := Load(t.Context(), Config{File: "f.lua", Proto: mustTable(t)}, lua.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var fn *glua.LFunction
		run := lua.Run{Ctx: t.Context()}
		_ = s.vm.Call(&run, s.vm.Function(proto), nil, func(_ *glua.LState, v glua.LValue) error {
			fn, _ = v.(*glua.LFunction)
			return nil
		})
		err = s.vm.Call(&run, fn, func(L *glua.LState) int {
			L.Push(glua.LString(text))
			L.Push(glua.LString(begins))
			L.Push(glua.LString(contains))
			L.Push(glua.LNumber(n))
			return 4
		}, nil)
		if errors.Is(err, lua.ErrPanic) {
			t.Error(err)
		}
		if s.Dead() {
			t.Error("the VM is dead")
		}
	})
}

func mustTable(t *testing.T) *glua.FunctionProto {
	t.Helper()
	proto, err := lua.Compile("f.lua", []byte("return {}"))
	if err != nil {
		t.Fatal(err)
	}
	return proto
}

// scripted runs a script in the VM of a CUCM script.
func scripted(t *testing.T, src string) {
	t.Helper()
	proto, err := lua.Compile("s.lua", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(t.Context(), Config{File: "s.lua", Proto: proto}, lua.Limits{Memory: 1 << 30}); err != nil {
		t.Fatal(err)
	}
}

func TestAStreamOfANumberThatIsTooLargeIsNone(t *testing.T) {
	scripted(t, `local sdp = "v=0\r\nm=audio 1 RTP/AVP 0\r\n"
for _, n in ipairs{ 2, math.huge, 1e300, 2^63, -1, 0, 0/0 } do
  assert(sdp:getMediaDescription(n) == nil, n)
  assert(sdp:modifyMediaDescription(n, "m=video 2 RTP/AVP 31") == sdp, n)
  assert(sdp:removeMediaDescription(n) == sdp, n)
end
local last = sdp .. "m=video 2 RTP/AVP 31\r\n"
for _, n in ipairs{ 2, 7, 1e300, math.huge } do
  assert(sdp:insertMediaDescription(n, "m=video 2 RTP/AVP 31") == last, n)
end
return {}`)
}

func TestADescriptionIsCutWithoutACopyOfEachLine(t *testing.T) {
	text := strings.Repeat("a=x\n", 20_000) + "m=audio"
	if parts := media(text); len(parts) != 2 || parts[1] != "m=audio\r\n" || parts[0]+"m=audio" != text {
		t.Errorf("%d parts, the last %q", len(parts), parts[len(parts)-1])
	}
	if n := testing.AllocsPerRun(1, func() { media(text) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}
