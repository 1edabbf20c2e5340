package message

import (
	"strconv"
	"strings"
)

// StatusSpan reads 180, 18x or 1xx, within 100 to 699.
func StatusSpan(s string) (low, high int, ok bool) {
	digits := strings.TrimRight(s, "xX")
	if len(s) != 3 || digits == "" {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return 0, 0, false
	}
	low, high = int(n), int(n)
	for range 3 - len(digits) {
		low, high = low*10, high*10+9
	}
	return low, high, low >= 100 && high <= 699
}
