package number

import "testing"

func TestANumberIsTheSameFromElsewhere(t *testing.T) {
	for _, c := range []struct {
		user, wanted string
		same, sought bool
	}{
		{"+4930123456", "030123456", true, true},
		{"030123456", "+4930123456", true, true},
		{"+49(30)123-456", "+4930123456", true, true},
		{"+4930123456", "123456", true, true},
		{"+4930123456", "3456", false, true},
		{"+4930123456", "56", false, false},
		{"3456", "+4930123456", false, false},
		{"34", "34", true, true},
		{"34", "+34", false, true},
		{"4711;ext=1", "4711", false, true},
		{"alice", "Alice", true, true},
		{"alice1234", "1234", false, false},
		{"+4930123456", "000000", false, false},
		{"", "", false, false},
		{"", "1234", false, false},
		{"1234", "", false, false},
	} {
		if got := Same(c.user, c.wanted); got != c.same {
			t.Errorf("%q is %q: %v", c.user, c.wanted, got)
		}
		if got := Sought(c.user, c.wanted); got != c.sought {
			t.Errorf("%q is found by %q: %v", c.user, c.wanted, got)
		}
	}
}
