package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Leaks say what is inside, and is to stay there.
type Leaks struct {
	Words    []string `yaml:"words" doc:"Host names, domains, products: found in any case, also within longer words; three letters at least."`
	Networks []string `yaml:"networks" doc:"CIDRs of the inside. What goes to an address there is not looked at."`
	Every    int      `yaml:"every" min:"1" max:"1000000" doc:"One message of so many is looked at; 1: each."`
}

func (r *reader) leaks(l *Leaks) {
	for i := range l.Words {
		if at := &l.Words[i]; !r.at[at].wrong && len(strings.TrimSpace(*at)) < 3 {
			r.refuse(at, fmt.Sprintf("leaks.words: %q is found everywhere", *at), "three letters at least")
		}
	}
	for i := range l.Networks {
		at := &l.Networks[i]
		if r.at[at].wrong {
			continue
		}
		if _, err := netip.ParsePrefix(*at); err != nil {
			r.refuse(at, fmt.Sprintf("leaks.networks: %q is not a CIDR", *at), `such as "10.0.0.0/8"`)
		}
	}
}
