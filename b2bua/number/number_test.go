package number

import (
	"strings"
	"testing"
)

func TestANumberIsWrittenAsItIsDialledElsewhere(t *testing.T) {
	n, err := Parse("030 / 1234 5678", "DE")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join([]string{n.E164(), n.Plain(), n.National(), n.From("DE"), n.From("GB"), n.From("US"), n.RFC3966(), n.Country(), n.Kind()}, " ")
	want := "+493012345678 493012345678 03012345678 03012345678 00493012345678 011493012345678 tel:+49-30-12345678 DE fixed"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestANumberIsDialledAlikeInAllOfItsCountryCode(t *testing.T) {
	n, err := Parse("+12125550123", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := n.National() + " " + n.From("US") + " " + n.From("CA") + " " + n.From("DE"); got != "2125550123 2125550123 2125550123 0012125550123" {
		t.Errorf("%s", got)
	}
}

func TestAnExtensionIsNotDialledWithItsNumber(t *testing.T) {
	for _, raw := range []string{"+493012345678;ext=5", "030 12345678 ext. 5"} {
		n, err := Parse(raw, "DE")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join([]string{n.E164(), n.National(), n.From("GB"), n.RFC3966()}, " "); got != "+493012345678 03012345678 00493012345678 tel:+49-30-12345678;ext=5" {
			t.Errorf("%s: %s", raw, got)
		}
	}
}

func TestWhatIsNoNumberIsRefused(t *testing.T) {
	for raw, country := range map[string]string{"030": "", "999": "DE", "\xff": "DE", strings.Repeat("1", 100): "DE", "": "DE"} {
		if n, err := Parse(raw, country); err == nil {
			t.Errorf("%q in %q: %s", raw, country, n.E164())
		}
	}
}
