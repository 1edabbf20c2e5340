package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Privacy says whether a neighbour is trusted with who calls.
type Privacy struct {
	Trust bool `yaml:"trust" doc:"true: who calls is believed from it and told to it; false: P-Asserted-Identity and Remote-Party-ID are dropped both ways, and callers who ask for Privacy are anonymous."`
}

// Codecs choose the codecs of a trunk's sessions.
type Codecs struct {
	Keep   []string `yaml:"keep" doc:"No others than these: name, name/rate or name/rate/channels; empty: all. A stream with none of them, such as video, is refused."`
	Drop   []string `yaml:"drop" doc:"Not these."`
	Prefer []string `yaml:"prefer" doc:"These first, in this order."`
}

func (r *reader) codecs(c *Codecs) {
	for _, list := range [...][]string{c.Keep, c.Drop, c.Prefer} {
		for i := range list {
			if at := &list[i]; !r.at[at].wrong && !isCodec(*at) {
				r.refuse(at, fmt.Sprintf("%q is not a codec", *at), `such as "PCMA", "opus/48000" or "opus/48000/2"`)
			}
		}
	}
}

// isCodec takes a name, and the rate and channels behind it.
func isCodec(s string) bool {
	parts := strings.Split(s, "/")
	for _, n := range parts[1:] {
		if v, err := strconv.ParseUint(n, 10, 31); err != nil || v == 0 {
			return false
		}
	}
	return len(parts) <= 3 && isToken(parts[0])
}
