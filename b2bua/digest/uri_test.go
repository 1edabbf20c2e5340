package digest

import (
	"strings"
	"testing"
)

func TestURIOfTheCredentialsNamesTheSameResource(t *testing.T) {
	many := strings.Repeat(";a=1", mostParams+1)
	for _, test := range []struct {
		claimed, requested string
		same               bool
	}{
		{"sip:bob@legwork.example", "sip:bob@legwork.example", true},
		{"sip:bob@legwork.example", "SIP:bob@LEGWORK.example:5060", true},
		{"sip:b%6Fb@legwork.example", "sip:bob@legwork.example", true},
		{"sip:bob@legwork.example;transport=tcp", "sip:bob@legwork.example;ob", true},
		{"sips:legwork.example:5061", "sips:legwork.example", true},
		{"sip:bob@[2001:db8::1]", "sip:bob@[2001:DB8::1]:5060", true},
		{"tel:+15550100", "tel:+15550100", true},
		{"*", "*", true},
		{"sip:Bob@legwork.example", "sip:bob@legwork.example", false},
		{"sip:bob@legwork.example", "sip:bob@192.0.2.1", false},
		{"sip:bob@legwork.example:5062", "sip:bob@legwork.example", false},
		{"sips:bob@legwork.example", "sip:bob@legwork.example", false},
		{"sip:bob@legwork.example;maddr=192.0.2.9", "sip:bob@legwork.example", false},
		{"sip:bob@legwork.example", "sip:bob@legwork.example;method=BYE", false},
		{"sip:bob@legwork.example;x=1", "sip:bob@legwork.example;x=2", false},
		{"sip:bob@legwork.example?subject=x", "sip:bob@legwork.example", false},
		{"tel:+15550100", "tel:+15550101", false},
		{"", "sip:bob@legwork.example", false},
		{"sip:bob%4@legwork.example", "sip:bob%4@legwork.example:5060", true},
		{"sip:bob@legwork.example" + many, "sip:bob@legwork.example:5060" + many, false},
		{"sip:bob@legwork.example", "sip:bob@legwork.example;x=" + strings.Repeat("x", mostBytes), false},
	} {
		if got := sameResource(test.claimed, test.requested); got != test.same {
			t.Errorf("%.60s and %.60s: %v", test.claimed, test.requested, got)
		}
		if len(test.claimed) < mostBytes && len(test.requested) < mostBytes && sameResource(test.requested, test.claimed) != test.same {
			t.Errorf("%.60s and %.60s: not both ways", test.claimed, test.requested)
		}
	}
}

func TestAHostAloneStandsForAll(t *testing.T) {
	for _, host := range []string{"sip:legwork.example", "sip:192.0.2.1:5080"} {
		if !sameResource(host, "sip:bob@legwork.example:5060;ob") || !sameResource(host, "sip:legwork.example") {
			t.Errorf("%s is refused", host)
		}
	}
	if sameResource("sip:bob@legwork.example", "sip:legwork.example") {
		t.Error("a user stands for the host")
	}
}
