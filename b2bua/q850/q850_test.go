package q850

import "testing"

func TestCausesBecomeTheCodesOfRFC3398(t *testing.T) {
	for cause, want := range map[int]int{
		1: 404, 17: 486, 18: 408, 19: 480, 21: 403, 22: 410, 27: 502, 28: 484, 29: 501, 34: 503, 41: 503, 55: 403, 65: 488, 79: 501,
		88: 503, 102: 504, 111: 500, 127: 500,
		25: 480, 44: 503, 63: 503, 69: 501, 95: 500, 96: 500, 120: 500, // by their class
	} {
		if got, ok := ToSIP(cause); got != want || !ok {
			t.Errorf("ToSIP(%d) = %d, %v; want %d", cause, got, ok, want)
		}
	}
}

func TestNormalClearingIsNoFailure(t *testing.T) {
	for _, cause := range []int{16, 0, -1, 128, 1 << 40} {
		if code, ok := ToSIP(cause); ok {
			t.Errorf("ToSIP(%d) = %d", cause, code)
		}
	}
}

func TestCodesBecomeTheCausesOfRFC3398(t *testing.T) {
	for code, want := range map[int]int{
		302: 23, 400: 41, 403: 21, 404: 1, 405: 63, 408: 102, 410: 22, 480: 18, 483: 25, 484: 28, 486: 17, 500: 41, 501: 79, 502: 38,
		503: 41, 504: 102, 600: 17, 603: 21, 604: 1,
		499: 41, 599: 41, 699: 17, // as x00
	} {
		if got, ok := FromSIP(code); got != want || !ok {
			t.Errorf("FromSIP(%d) = %d, %v; want %d", code, got, ok, want)
		}
	}
	for _, code := range []int{0, 100, 200, 299, 700, -1} {
		if cause, ok := FromSIP(code); ok {
			t.Errorf("FromSIP(%d) = %d", code, cause)
		}
	}
}

func TestEveryCauseInATableHasAName(t *testing.T) {
	for cause := range codes {
		if Text(cause) == "" {
			t.Errorf("cause %d has no name", cause)
		}
	}
	for code, cause := range causes {
		if Text(cause) == "" {
			t.Errorf("cause %d of %d has no name", cause, code)
		}
	}
}
