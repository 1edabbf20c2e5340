package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// claimants checks the users and listeners that trunks match: there must be such
// ones. It comes behind users, which reads them.
func (r *reader) claimants(c *Config) {
	for _, t := range c.Trunks {
		for i := range t.Match {
			at := &t.Match[i]
			if r.at[at].wrong {
				continue
			}
			if user, ok := strings.CutPrefix(*at, "user:"); ok && isUser(user) {
				r.claimant(at, user, &c.Users)
			}
			if listener, ok := strings.CutPrefix(*at, "listener:"); ok && !slices.Contains(namesOf(c.Listen), listener) {
				r.refuse(at, fmt.Sprintf("match: no listener %q", listener), didYouMean(listener, namesOf(c.Listen)))
			}
		}
	}
}

func (r *reader) claimant(at *string, user string, u *Users) {
	switch _, known := u.Accounts[user]; {
	case known:
	case u.File == "":
		r.refuse(at, fmt.Sprintf("match: %s can't prove who it is: there are no users", *at), "name their file in users.file")
	case u.Accounts != nil: // else the file itself is refused
		r.refuse(at, fmt.Sprintf("match: no user %q in users.file", user), didYouMean(user, slices.Sorted(maps.Keys(u.Accounts))))
	}
}
