package lua

import (
	"testing"

	glua "github.com/yuin/gopher-lua"
)

func TestAQuotedTextIsItselfAgain(t *testing.T) {
	all := make([]byte, 0, 512)
	for c := range 256 {
		all = append(all, byte(c), '7') // a digit behind an escape is none of it
	}
	L := glua.NewState()
	defer L.Close()
	for _, text := range []string{"", `"\`, "a\r\nb", string(all)} {
		if err := L.DoString("return " + Quote(text)); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := L.ToString(-1); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
