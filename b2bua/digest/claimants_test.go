package digest

import (
	"fmt"
	"reflect"
	"testing"
)

func TestClaimantsAreTheUsersThatReadMayAskAbout(t *testing.T) {
	req := invite()
	add := func(name, user, realm string) {
		req.Add(name, fmt.Sprintf(`Digest username="%s", realm="%s", nonce="y"`, escape(user), escape(realm)))
	}
	for _, user := range []string{"alice", `b "o\b`, "alice", "", "carol", "dave"} {
		add("Authorization", user, `our "realm"`)
	}
	add("Authorization", "eve", "another")
	add("Proxy-Authorization", "mallory", `our "realm"`)
	req.Add("Authorization", `Basic realm="our \"realm\"", username="x"`)
	req.Add("Authorization", `Digest username="broken`)
	for most, want := range map[int][]string{9: {"alice", `b "o\b`, "carol", "dave"}, 2: {"alice", `b "o\b`}, 0: nil} {
		if got := Claimants(req, `our "realm"`, UAS, most); !reflect.DeepEqual(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	s := newServer(t, Config{})
	req = signed(t, s, &Client{}, invite())
	claim, out := s.Read(req, realm, UAS)
	if out != Claimed || !reflect.DeepEqual(Claimants(req, realm, UAS, 9), []string{claim.User}) {
		t.Errorf("%s: whom Read finds is not among the claimants", out)
	}
}
