package trunk

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func uris(list []Endpoint) string {
	var names []string
	for _, e := range list {
		names = append(names, e.URI)
	}
	return strings.Join(names, " ")
}

func TestTargetsComeByPriority(t *testing.T) {
	tr := Trunk{Targets: []Endpoint{{URI: "c", Priority: 2}, {URI: "a"}, {URI: "b", Priority: 1}}}
	if got := uris(tr.Pick(rand.Float64, nil)); got != "a b c" {
		t.Error("got", got)
	}
}

func TestABackupComesBehindItsEquals(t *testing.T) {
	tr := Trunk{Targets: []Endpoint{{URI: "d", Priority: 1}, {URI: "b", Weight: 9, Backup: true}, {URI: "a"}, {URI: "c", Priority: 1, Backup: true}}}
	for range 50 {
		if got := uris(tr.Pick(rand.Float64, nil)); got != "a b d c" {
			t.Fatal("got", got)
		}
	}
}

func TestWeightsDecideWhoIsFirst(t *testing.T) {
	tr := Trunk{Targets: []Endpoint{{URI: "a", Weight: 1}, {URI: "b", Weight: 3}, {URI: "c"}}}
	random := rand.New(rand.NewPCG(1, 2))
	first := map[string]int{}
	for range 10000 {
		order := tr.Pick(random.Float64, nil)
		if len(order) != 3 {
			t.Fatal("lost one:", uris(order))
		}
		first[order[0].URI]++
	}
	if b := first["b"]; b < 5800 || b > 6200 {
		t.Error("b of weight 3 in 5 came first", b, "times in 10000")
	}
	if c := first["c"]; c < 1800 || c > 2200 {
		t.Error("c of weight 0 counts as 1 in 5 but came first", c, "times in 10000")
	}
}

func TestEqualsSharePlacesBehindTheFirst(t *testing.T) {
	tr := Trunk{Targets: []Endpoint{{URI: "a"}, {URI: "b"}, {URI: "c"}}}
	random := rand.New(rand.NewPCG(1, 2))
	second := map[string]int{}
	for range 9000 {
		second[tr.Pick(random.Float64, nil)[1].URI]++
	}
	for uri, n := range second {
		if n < 2800 || n > 3200 {
			t.Error(uri, "came second", n, "times in 9000")
		}
	}
}

func TestADrawAtTheEdgeStaysInside(t *testing.T) {
	tr := Trunk{Targets: []Endpoint{{URI: "a", Weight: 2}, {URI: "b", Weight: 2}}}
	if got := uris(tr.Pick(func() float64 { return 0 }, nil)); got != "a b" {
		t.Error("lowest draw: got", got)
	}
	if got := uris(tr.Pick(func() float64 { return 0.999999999 }, nil)); got != "b a" {
		t.Error("highest draw: got", got)
	}
}

func TestTargetsThatAreDownComeLast(t *testing.T) {
	tr := Trunk{Targets: []Endpoint{{URI: "a"}, {URI: "b", Priority: 1}, {URI: "c", Priority: 2}}}
	down := func(uri string) bool { return uri != "b" }
	if got := uris(tr.Pick(rand.Float64, down)); got != "b a c" {
		t.Error("got", got)
	}
	if uris(tr.Targets) != "a b c" {
		t.Error("Pick changed the trunk")
	}
}
