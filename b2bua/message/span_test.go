package message

import "testing"

func TestASpanOfStatusesIsOneOrTenOrAHundred(t *testing.T) {
	for s, want := range map[string][2]int{
		"180": {180, 180}, "18x": {180, 189}, "1XX": {100, 199}, "6xx": {600, 699},
		"099": {}, "7xx": {}, "xxx": {}, "18": {}, "1x8": {}, "-1x": {}, "+18": {}, "": {},
	} {
		low, high, ok := StatusSpan(s)
		if ok != (want[0] > 0) || ok && (low != want[0] || high != want[1]) {
			t.Errorf("%q: %d to %d, %v", s, low, high, ok)
		}
	}
}
