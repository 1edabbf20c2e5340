package trunk

import "slices"

// Pick orders a trunk's targets for one call: by priority, and among equals
// drawn by weight as RFC 2782 draws SRV records. Those that down names come
// last, in the same order: a dead end may have recovered, and trying it beats
// refusing the call. random gives numbers in [0,1); down may be nil.
func (t *Trunk) Pick(random func() float64, down func(uri string) bool) []Endpoint {
	up, rest := make([]Endpoint, 0, len(t.Targets)), []Endpoint(nil)
	for _, e := range t.Targets {
		if down != nil && down(e.URI) {
			rest = append(rest, e)
		} else {
			up = append(up, e)
		}
	}
	return append(draw(up, random), draw(rest, random)...)
}

func draw(list []Endpoint, random func() float64) []Endpoint {
	slices.SortStableFunc(list, inTurn)
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && inTurn(list[end], list[start]) == 0 {
			end++
		}
		Shuffle(list[start:end], func(e Endpoint) int { return e.Weight }, random)
		start = end
	}
	return list
}

// inTurn compares endpoints by when they are tried: 0 leaves it to their weights.
func inTurn(a, b Endpoint) int {
	switch {
	case a.Priority != b.Priority:
		return a.Priority - b.Priority
	case a.Backup == b.Backup:
		return 0
	case a.Backup:
		return 1
	}
	return -1
}

// Shuffle draws a list by weight, heavier ones sooner, in its place (RFC 2782's
// way). A weight below 1 counts as 1; random gives numbers in [0,1).
func Shuffle[T any](list []T, weight func(T) int, random func() float64) {
	total := 0
	for _, one := range list {
		total += max(weight(one), 1)
	}
	for len(list) > 1 {
		left := int(random() * float64(total))
		i := 0
		for ; i < len(list)-1; i++ {
			if left -= max(weight(list[i]), 1); left < 0 {
				break
			}
		}
		drawn := list[i]
		total -= max(weight(drawn), 1)
		copy(list[1:i+1], list[:i])
		list[0] = drawn
		list = list[1:]
	}
}
