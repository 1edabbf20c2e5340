package b2bua

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// order puts the targets of a route into the order of its strategy; drawn are
// the random numbers of its call.
func (s *Server) order(r *Route, req *message.Message, drawn func() float64) []Target {
	targets := r.Targets
	switch r.Strategy {
	case Serial:
		if slices.ContainsFunc(targets, func(t Target) bool { return t.Beside }) {
			return targets
		}
	case Parallel:
		return targets
	default:
		first, backup := split(targets, func(t Target) bool { return !t.Backup })
		for _, list := range [][]Target{first, backup} {
			s.arrange(list, r, req, drawn)
		}
		targets = append(first, backup...)
	}
	alive, dead := split(targets, s.mayAnswer)
	if len(dead) == 0 {
		return targets
	}
	return append(alive, dead...)
}

// arrange orders targets among themselves.
func (s *Server) arrange(list []Target, r *Route, req *message.Message, drawn func() float64) {
	if r.Strategy == Hash {
		key := r.Key
		if key == "" {
			key = message.URIOf(req.Get("From"))
		}
		slices.SortStableFunc(list, func(a, b Target) int { return cmp.Compare(b.score(key), a.score(key)) })
		return
	}
	trunk.Shuffle(list, func(t Target) int { return t.Weight }, drawn)
	if r.Strategy == LeastLoaded {
		slices.SortStableFunc(list, func(a, b Target) int { return cmp.Compare(s.load(a), s.load(b)) })
	}
}

// score is a target's in rendezvous hashing: the highest takes the key. Weight
// is its share of all keys.
func (t *Target) score(key string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key + "\x00" + t.name() + "\x00" + t.User))
	drawn := (float64(mixed(h.Sum64())>>11) + 0.5) / (1 << 53) // in (0,1)
	return float64(max(t.Weight, 1)) / -math.Log(drawn)
}

// mixed spreads each bit over all (the end of MurmurHash3): FNV leaves names that
// differ in their last letter close together.
func mixed(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// load is how busy a target's trunk is for its weight; without a trunk nothing is
// counted.
func (s *Server) load(t Target) float64 {
	if t.Trunk == "" {
		return 0
	}
	return float64(s.trunks.Of(t.Trunk).Calls()) / float64(max(t.Weight, 1))
}

// mayAnswer tells whether a target may answer, for all that is known.
func (s *Server) mayAnswer(t Target) bool {
	return t.Trunk == "" || s.trunks.Of(t.Trunk).Reachable()
}

// split keeps the order in both parts.
func split(list []Target, is func(Target) bool) (yes, no []Target) {
	for _, t := range list {
		if is(t) {
			yes = append(yes, t)
		} else {
			no = append(no, t)
		}
	}
	return yes, no
}
