package script

import (
	"encoding/hex"
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// challenge is b2b.challenge as it stands in a script. The engine gets its
// Challenge; users is asked before, while the script may still be run.
type challenge struct {
	b2bua.Challenge
	users *glua.LFunction // users(user, realm); nil: the configured ones
}

// challenge is b2b.challenge{realm=, users=, code=}.
func (m *machine) challenge(L *glua.LState) b2bua.Decision {
	var c challenge
	if L.Get(1) == glua.LNil {
		return c
	}
	f := wantForm(L, "b2b.challenge")
	f.only("realm", "users", "code")
	c.Realm = f.text("realm")
	if err := checkText("realm", c.Realm); err != nil {
		f.fail("%s", err.Error())
	}
	if len(c.Realm) > maxRealm {
		f.fail("realm is longer than %d bytes", maxRealm)
	}
	switch f.get("code") {
	case glua.LNil, glua.LNumber(401):
	case glua.LNumber(407):
		c.Proxy = true
	default:
		f.fail("code is %s; want 401, or 407 as a proxy would", kindOf(f.get("code")))
	}
	switch users := f.get("users").(type) {
	case *glua.LNilType:
	case *glua.LFunction:
		c.users = users
	default:
		m.checkUsers(f)
	}
	return c
}

const (
	maxRealm     = 128
	maxClaimants = 4 // users who are looked up for one request
)

// checkUsers accepts the names of the configured users.
func (m *machine) checkUsers(f form) {
	known := []string{"users", m.gen.cfg.Realm()}
	if name, ok := f.get("users").(glua.LString); !ok || string(name) != known[0] && string(name) != known[1] {
		f.fail("users is %s; want function(user, realm), %q or %q", quotedOr(f.get("users")), known[0], known[1])
	}
}

// quotedOr shows a string, and names what is none.
func quotedOr(v glua.LValue) string {
	if s, ok := v.(glua.LString); ok {
		return fmt.Sprintf("%q", string(s))
	}
	return kindOf(v)
}

// take makes the engine's challenge. Those who claim to be users of the realm
// are looked up by the script now; of others there is nothing to know.
func (c challenge) take(L *glua.LState, m *machine, req *message.Message) (b2bua.Challenge, error) {
	if c.users == nil {
		return c.Challenge, nil
	}
	realm, role := c.Realm, digest.UAS
	if realm == "" {
		realm = m.gen.cfg.Realm()
	}
	if c.Proxy {
		role = digest.Proxy
	}
	known := map[string]digest.Secret{}
	for _, user := range digest.Claimants(req, realm, role, maxClaimants) {
		secret, ok, err := c.lookUp(L, user, realm)
		if err != nil {
			return b2bua.Challenge{}, err
		}
		if ok {
			known[user] = secret
		}
	}
	c.Users = func(user string) (digest.Secret, bool) {
		secret, ok := known[user]
		return secret, ok
	}
	return c.Challenge, nil
}

// lookUp asks the script for one user. Errors show nothing of what it returned.
func (c challenge) lookUp(L *glua.LState, user, realm string) (digest.Secret, bool, error) {
	v, err := lua.Ask(L, c.users, glua.LString(user), glua.LString(realm))
	if err != nil {
		return digest.Secret{}, false, err
	}
	switch v := v.(type) {
	case *glua.LNilType:
		return digest.Secret{}, false, nil
	case glua.LBool:
		if !bool(v) { // of "row and row.password"
			return digest.Secret{}, false, nil
		}
	case glua.LString:
		if v != "" {
			return digest.Secret{Password: string(v)}, true, nil
		}
		return digest.Secret{}, false, c.wrong("an empty password")
	case *glua.LTable:
		if ha1, ok := hashOf(v); ok {
			return digest.Secret{HA1: ha1}, true, nil
		}
		return digest.Secret{}, false, c.wrong("a table that is no {ha1 = ...} of 32 or 64 hex digits")
	}
	return digest.Secret{}, false, c.wrong("a " + v.Type().String())
}

// hashOf reads {ha1 = "..."}.
func hashOf(t *glua.LTable) (string, bool) {
	ha1, ok := t.RawGetString("ha1").(glua.LString)
	_, err := hex.DecodeString(string(ha1))
	return strings.ToLower(string(ha1)), ok && err == nil && (len(ha1) == 32 || len(ha1) == 64)
}

func (c challenge) wrong(what string) error {
	e := &lua.Error{Msg: "users returned " + what + "; want the password, {ha1 = ...} or nil for an unknown user"}
	if c.users.Proto != nil {
		e.File, e.Line = c.users.Proto.SourceName, c.users.Proto.LineDefined
	}
	return e
}
