package number

// Mask hides the last four digits, of a short number the last half: enough to
// find a call again, too little to call the person.
func Mask(s string) string {
	digits := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			digits++
		}
	}
	hide := 4
	if digits < 8 {
		hide = (digits + 1) / 2
	}
	b := []byte(s)
	for i := len(b) - 1; i >= 0 && hide > 0; i-- {
		if isDigit(b[i]) {
			b[i] = '*'
			hide--
		}
	}
	return string(b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
