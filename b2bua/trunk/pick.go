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
	slices.SortStableFunc(list, func(a, b Endpoint) int { return a.Priority - b.Priority })
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && list[end].Priority == list[start].Priority {
			end++
		}
		shuffle(list[start:end], random)
		start = end
	}
	return list
}

// shuffle puts a drawn one first and goes on with the rest.
func shuffle(equals []Endpoint, random func() float64) {
	total := 0
	for _, e := range equals {
		total += max(e.Weight, 1)
	}
	for len(equals) > 1 {
		left := int(random() * float64(total))
		i := 0
		for ; i < len(equals)-1; i++ {
			if left -= max(equals[i].Weight, 1); left < 0 {
				break
			}
		}
		total -= max(equals[i].Weight, 1)
		drawn := equals[i]
		copy(equals[1:i+1], equals[:i])
		equals[0] = drawn
		equals = equals[1:]
	}
}
