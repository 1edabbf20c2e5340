package dialog

import (
	"errors"
	"slices"
	"testing"
)

func TestRouteSetOfTheInvitingSideIsReversed(t *testing.T) {
	d := UAC(ID{}, "", "", "sip:bob@192.0.2.4", []string{"<sip:p2.example;lr>", "<sip:p1.example;lr>"}, 1)
	uri, routes, next := d.Path()
	if uri != "sip:bob@192.0.2.4" || next != "sip:p1.example;lr" ||
		!slices.Equal(routes, []string{"<sip:p1.example;lr>", "<sip:p2.example;lr>"}) {
		t.Fatalf("got %q %q %q", uri, routes, next)
	}
}

func TestStrictRouterTakesTheRequestURI(t *testing.T) {
	d := UAS(ID{}, "", "", "sip:alice@192.0.2.3", []string{"<sip:p1.example>", "<sip:p2.example;lr>"}, 1)
	uri, routes, next := d.Path()
	if uri != "sip:p1.example" || next != "sip:p1.example" ||
		!slices.Equal(routes, []string{"<sip:p2.example;lr>", "<sip:alice@192.0.2.3>"}) {
		t.Fatalf("got %q %q %q", uri, routes, next)
	}
}

func TestRequestsMustCountUp(t *testing.T) {
	d := UAS(ID{}, "", "", "", nil, 7)
	if err := d.Receive(7); !errors.Is(err, ErrOrder) {
		t.Fatalf("the same number again: %v", err)
	}
	if err := d.Receive(9); err != nil {
		t.Fatalf("a gap is allowed: %v", err)
	}
	if err := d.Receive(8); !errors.Is(err, ErrOrder) {
		t.Fatalf("an older one: %v", err)
	}
}

func TestRefreshKeepsTheTargetWithoutContact(t *testing.T) {
	d := UAS(ID{}, "", "", "sip:a@192.0.2.1", nil, 1)
	d.Refresh("")
	if d.Target != "sip:a@192.0.2.1" {
		t.Fatal("target lost")
	}
	d.Refresh("sip:a@192.0.2.2")
	if uri, _, _ := d.Path(); uri != "sip:a@192.0.2.2" {
		t.Fatalf("target not refreshed: %s", uri)
	}
}
