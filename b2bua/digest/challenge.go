package digest

import (
	"slices"
	"strings"

	"legwork/b2bua/message"
)

// challenge is one that a Client can answer.
type challenge struct {
	role                 Role
	realm, nonce, opaque string // as between the quotes
	hasOpaque            bool
	algorithm            Algorithm
	named                string // the algorithm as written; "" when it was not
	qop                  string // what we take of its offers; "" when there was none
	stale                bool
}

// challenges reads all of a 401 or 407, one for each role and realm: a forking
// proxy gathers those of its branches, of both kinds (RFC 3261 section 16.7
// step 7). Of one realm a SHA goes before MD5; among equals the topmost is
// taken, as RFC 8760 section 2.4 wants. seen: there was a challenge at all.
func challenges(res *message.Message) (found []challenge, seen bool) {
	for _, role := range []Role{UAS, Proxy} {
		values := res.All(role.challengeField())
		seen = seen || len(values) > 0
		for _, value := range values[:min(len(values), mostValues)] {
			auths, _ := readAuths(value)
			for i := range auths {
				if ch, ok := readChallenge(role, &auths[i]); ok {
					found = keepStrongest(found, ch)
				}
			}
		}
	}
	return found, seen
}

func keepStrongest(found []challenge, ch challenge) []challenge {
	i := slices.IndexFunc(found, func(have challenge) bool {
		return have.role == ch.role && have.realm == ch.realm
	})
	switch {
	case i < 0:
		return append(found, ch)
	case found[i].algorithm.plain() == MD5 && ch.algorithm.plain() != MD5:
		found[i] = ch
	}
	return found
}

// readChallenge refuses what cannot be answered. userhash is passed over: it
// allows a hashed user name and does not ask for one (RFC 7616 section 3.4.4).
func readChallenge(role Role, a *auth) (challenge, bool) {
	ch := challenge{
		role: role, realm: a.get("realm"), nonce: a.get("nonce"), opaque: a.get("opaque"),
		named: a.get("algorithm"), stale: strings.EqualFold(a.get("stale"), "true"),
	}
	ch.hasOpaque = slices.ContainsFunc(a.params, func(p param) bool { return strings.EqualFold(p.name, "opaque") })
	known, answerable := false, false
	ch.algorithm, known = ParseAlgorithm(ch.named)
	ch.qop, answerable = chooseQOP(a.get("qop"))
	// Without qop there is no cnonce, of which a session key is made.
	if ch.qop == "" && ch.algorithm.session() {
		return challenge{}, false
	}
	return ch, a.isDigest() && ch.nonce != "" && known && answerable
}

// chooseQOP takes auth before auth-int; no offer is RFC 2069.
func chooseQOP(offers string) (qop string, ok bool) {
	none := true
	for offer := range strings.SplitSeq(offers, ",") {
		switch offer = strings.ToLower(strings.TrimSpace(offer)); offer {
		case "":
			continue
		case "auth":
			return "auth", true
		case "auth-int":
			qop = offer
		}
		none = false
	}
	return qop, none || qop != ""
}
