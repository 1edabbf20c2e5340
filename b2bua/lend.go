package b2bua

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/registrar"
	"legwork/b2bua/store"
)

// A REGISTER that is relayed takes a contact of ours upstream in the place of
// each of the phone's: sip:TOKEN@us. The token is made of the address of record
// and the phone's contact, so that a refresh says the same. What the upstream
// registrar grants is kept under the token in a registrar of the engine's own,
// with the phone's contact, Path and flow. A request for a token goes to the
// phone by default, and so does a script's target {aor = "sip:TOKEN@..."}.
//
// A Service-Route in the answer stays here: it is a way for us, not the phone.

// lentPrefix marks a user that is a token.
const lentPrefix = "lw-"

// maxLent bounds the contacts of one relayed REGISTER.
const maxLent = 10

// loan is a phone's contact and the token that stands for it upstream.
type loan struct {
	token string
	own   message.Addr
}

func newLender(kept store.Store) (*registrar.Registrar, error) {
	if kept == nil {
		kept = store.NewMemory(store.Limits{})
	}
	return registrar.New(registrar.Config{Store: kept, Min: time.Second, Default: time.Hour, Max: 365 * 24 * time.Hour})
}

// isLent tells a token from other users.
func isLent(user string) bool {
	digits, ok := strings.CutPrefix(user, lentPrefix)
	if !ok || len(digits) != 32 {
		return false
	}
	_, err := hex.DecodeString(digits)
	return err == nil
}

// lentAs is the address of record of a token in the engine's registrar.
func lentAs(token string) string { return "sip:" + token + "@lent.invalid" }

// lentTo is where a request for a token goes by default; nil: it is for none.
func lentTo(uri string) Decision {
	if !isLent(userOf(uri)) {
		return nil
	}
	return Route{Targets: []Target{{AOR: uri}}}
}

var errLoans = errors.New("contacts can't be read or are too many")

// borrow reads the contacts of a REGISTER that is to be relayed.
func (t *txn) borrow() error {
	contacts := t.req.List("Contact")
	if len(contacts) > maxLent {
		return errLoans
	}
	aor, err := registrar.AOR(message.URIOf(t.req.Get("To")))
	if err != nil {
		return errLoans
	}
	for _, text := range contacts {
		if text == "*" {
			continue
		}
		a, err := message.ParseAddr(text)
		if err != nil {
			return errLoans
		}
		sum := sha256.Sum256([]byte(aor + "\x00" + a.URI))
		t.loans = append(t.loans, loan{lentPrefix + hex.EncodeToString(sum[:16]), a})
	}
	return nil
}

// lend writes our contacts into a REGISTER: the same terms, another address. What
// a contact says about flows (RFC 5626) is between the phone and us.
func (t *txn) lend(m *message.Message, l *leg) {
	m.Del("Contact")
	if t.req.Get("Contact") == "*" {
		m.Add("Contact", "*")
	}
	for _, one := range t.loans {
		ours := message.Addr{URI: l.contactAs(one.token)}
		for _, p := range one.own.Params {
			if !message.Same(p.Name, "reg-id") && !message.Same(p.Name, "+sip.instance") {
				ours.Params = append(ours.Params, p)
			}
		}
		m.Add("Contact", ours.String())
	}
}

// returned is an answer to a relayed REGISTER, with the phone's contacts.
type returned struct{ res *message.Message }

func (returned) event() {}

// giveBack keeps what was granted, and puts the phone's contacts into the place of
// ours. It asks the store, outside the mailbox.
func (t *txn) giveBack(res, out *message.Message) {
	r, from, req, loans := t.server.lent, t.origin(), t.req, t.loans
	t.question = func() event {
		granted := grants(res)
		for _, one := range loans {
			if filed := r.Register(lentRegister(req, one, granted[one.token]), from, granted[one.token]); filed.Err != nil && !errors.Is(filed.Err, registrar.ErrOutOfOrder) {
				t.log().Error("registration can't be kept", "err", filed.Err)
				return returned{req.Respond(500, "", t.tag)}
			}
		}
		for _, text := range res.List("Contact") {
			if own, ok := ownContact(r, text, loans); ok {
				out.Add("Contact", own)
			}
		}
		return returned{out}
	}
}

// grants are the times that an answer gives to tokens.
func grants(res *message.Message) map[string]time.Duration {
	granted := map[string]time.Duration{}
	for _, text := range res.List("Contact") {
		a, err := message.ParseAddr(text)
		if err != nil {
			continue
		}
		expires, ok := a.Params.Get("expires")
		if !ok {
			expires = res.Get("Expires")
		}
		seconds, err := strconv.ParseUint(expires, 10, 32)
		if err != nil {
			seconds = 3600 // RFC 3261 section 10.2.1.1
		}
		granted[userOf(a.URI)] = time.Duration(seconds) * time.Second
	}
	return granted
}

// lentRegister is a REGISTER for a token; without time it removes it.
func lentRegister(req *message.Message, one loan, granted time.Duration) *message.Message {
	n, _, _ := req.CSeq()
	own := one.own
	own.Params = append(message.Params(nil), own.Params...)
	own.Params.Set("expires", strconv.Itoa(int(granted/time.Second)))
	m := &message.Message{Method: "REGISTER"}
	m.Add("To", "<"+lentAs(one.token)+">")
	m.Add("Call-ID", req.CallID())
	m.Add("CSeq", strconv.FormatUint(uint64(n), 10)+" REGISTER")
	for _, hop := range req.All("Path") {
		m.Add("Path", hop)
	}
	m.Add("Contact", own.String())
	return m
}

// ownContact is a contact of an upstream registrar as the phone knows it: one of
// ours becomes the phone's, also another phone's of the same user; false for one
// that nobody remembers. Others are as they are.
func ownContact(r *registrar.Registrar, text string, loans []loan) (string, bool) {
	a, err := message.ParseAddr(text)
	if err != nil {
		return "", false
	}
	token := userOf(a.URI)
	if !isLent(token) {
		return text, true
	}
	for _, one := range loans {
		if one.token == token {
			a.URI = one.own.URI
			return a.String(), true
		}
	}
	bindings, err := r.Lookup(lentAs(token))
	if err != nil || len(bindings) == 0 {
		return "", false
	}
	a.URI = bindings[0].Contact
	return a.String(), true
}
