package config

import (
	"fmt"
	"strings"
	"time"
)

// leastPatience is the shortest timeout of health.
const leastPatience = 100 * time.Millisecond

// register checks a trunk's account.
func (r *reader) register(t *Trunk) {
	a := t.Register
	if a == nil || r.at[a].wrong {
		return
	}
	r.required(a, &a.AOR, "aor", `such as "sip:acct@carrier.example"`)
	if a.AOR != "" {
		if msg, cure := aorFault(a.AOR); msg != "" {
			r.refuse(&a.AOR, fmt.Sprintf("aor: %q %s", a.AOR, msg), cure)
		}
	}
	if a.ContactUser != "" && !isUserPart(a.ContactUser) {
		r.refuse(&a.ContactUser, fmt.Sprintf("contact_user: %q is not the user of a SIP URI", a.ContactUser), "letters, digits and -_.!~*'()&=+$,;?/ alone; %XX for others")
	}
	if len(t.Targets) == 0 && !r.at[&t.Targets].wrong {
		r.refuse(a, "register: the trunk has no targets", "name the registrar, or the proxy in front of it, in targets")
	}
}

// health checks when a trunk's targets are down.
func (r *reader) health(t *Trunk) {
	h := t.Health
	if h == nil || r.at[h].wrong {
		return
	}
	if len(t.Targets) == 0 && !r.at[&t.Targets].wrong {
		r.refuse(h, "health: the trunk has no targets", "name them, or remove the key")
	}
	if _, written := r.at[&h.Timeout]; written && h.Options > 0 && h.Timeout > h.Options && !r.at[&h.Timeout].wrong && !r.at[&h.Options].wrong {
		r.warn(&h.Timeout, fmt.Sprintf("health: timeout (%s) is longer than options (%s): while a target is silent OPTIONS come each %s",
			h.Timeout, h.Options, h.Timeout+h.Options), "raise options or lower timeout")
	}
}

// probe fills in the keys of health that the file left out.
func (r *reader) probe(h *Health) {
	if h == nil {
		return
	}
	if _, written := r.at[&h.Options]; !written {
		h.Options = 30 * time.Second
	}
	if h.Timeout == 0 {
		h.Timeout = 2 * time.Second
		if h.Options > 0 {
			h.Timeout = max(min(h.Timeout, h.Options/2), leastPatience)
		}
	}
	if h.DownAfter == 0 {
		h.DownAfter = 3
	}
	if h.UpAfter == 0 {
		h.UpAfter = 2
	}
}

// aorFault says why uri is no address of record to register.
func aorFault(uri string) (msg, cure string) {
	rest, isSIP := strings.CutPrefix(uri, "sip:")
	user, host, hasUser := strings.Cut(rest, "@")
	switch {
	case !isSIP:
		return "is no SIP URI", "write sip:USER@DOMAIN"
	case !hasUser || !isUserPart(user):
		return "has no user", "write sip:USER@DOMAIN"
	case !isHost(strings.Trim(host, "[]")) && !isHostPort(host):
		return "has no host, or parameters", "write sip:USER@DOMAIN"
	}
	return "", ""
}

// isUserPart follows RFC 3261 section 25.1.
func isUserPart(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(c rune) bool {
		return !isAlphanumeric(c) && !strings.ContainsRune("-_.!~*'()&=+$,;?/%", c)
	})
}
