package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// aliasCure is what to do about an alias of nothing.
const aliasCure = `put a value that begins with * in quotes, or write & and its name where the value stands`

func TestAnAliasIsTheValueOfItsAnchor(t *testing.T) {
	cfg, err := Parse("legwork.yaml", []byte(`
trunks:
  a: &carrier
    match: ["192.0.2.1"]
    targets: &both ["sip:192.0.2.1", {uri: "sip:192.0.2.2", priority: &second 1}]
    limits: {calls: 10, cps: 2}
    health: &probed {options: 30s}
  b:
    <<: *carrier
    match: ["192.0.2.3"]
    limits: {calls: 20}
  c:
    match: ["192.0.2.4"]
    targets: *both
    <<: [{health: {options: 10s}, prack: "off"}, *carrier]
  d: {targets: [{uri: "sip:192.0.2.5", priority: *second}], health: {<<: *probed, down_after: 5}}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c, d := cfg.Trunks["a"], cfg.Trunks["b"], cfg.Trunks["c"], cfg.Trunks["d"]
	switch {
	case !reflect.DeepEqual(b.Match, []string{"192.0.2.3"}) || !reflect.DeepEqual(b.Targets, a.Targets) || b.Limits != (TrunkLimits{Calls: 20}):
		t.Errorf("b is %+v", b)
	case !reflect.DeepEqual(c.Targets, a.Targets) || c.Health.Options != 10*time.Second || c.PRACK != PRACKOff || c.Limits.Calls != 10:
		t.Errorf("c is %+v", c)
	case d.Targets[0].Priority != 1 || d.Health.Options != 30*time.Second || d.Health.DownAfter != 5 || a.Health.DownAfter == 5:
		t.Errorf("d is %+v", d)
	}
}

func TestAWeightThatIsWrittenMayBeZero(t *testing.T) {
	cfg, err := Parse("legwork.yaml", []byte(`trunks: {a: {targets: [{uri: "sip:192.0.2.1", weight: 0}, {uri: "sip:192.0.2.2"}, "sip:192.0.2.3"]}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Trunks["a"].Targets; got[0].Weight != 0 || got[1].Weight != 1 || got[2].Weight != 1 {
		t.Errorf("got %+v", got)
	}
}

// The one below each names ten of the one above: a hundred bytes of file for
// 10^9 values.
func TestAliasesOfAliasesAreBounded(t *testing.T) {
	var file strings.Builder
	file.WriteString("trunks:\n  a:\n    match: [x.example]\n    params:\n      v0: &v0 [x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&file, "      v%d: &v%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*v%d, ", i-1), 9)+fmt.Sprintf("*v%d", i-1))
	}
	_, err := Parse("legwork.yaml", []byte(file.String()), nil)
	if want := "legwork.yaml:10:46: aliases stand for more than 131072 values; write fewer of them"; err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

func TestAdminIsReadThroughAnAlias(t *testing.T) {
	path := filepath.Join(t.TempDir(), "legwork.yaml")
	file := "listen:\n  - {address: &here \"127.0.0.1:9060\"}\nadmin:\n  address: *here\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := LoadAdmin(path, nil)
	if err != nil || a.Address != "127.0.0.1:9060" {
		t.Fatalf("got %+v, %v", a, err)
	}
}
