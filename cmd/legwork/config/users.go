package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// users checks the realm and reads the file of users. What is wrong in that
// file is told with its own lines.
func (r *reader) users(u *Users) {
	if !r.at[&u.Realm].wrong && (u.Realm == "" || !isQuotable(u.Realm)) {
		r.refuse(&u.Realm, fmt.Sprintf("users.realm: %q is not a realm", u.Realm), "up to 128 characters without quotes and backslashes")
	}
	for i, a := range u.Algorithms {
		if slices.Contains(u.Algorithms[:i], a) {
			r.refuse(&u.Algorithms[i], fmt.Sprintf("users.algorithms: %s stands there twice", a), "remove one")
		}
	}
	if u.File == "" {
		return
	}
	r.files = append(r.files, u.File)
	before := len(r.problems)
	if r.checkFile(&u.File, u.File, "users.file"); len(r.problems) > before {
		return
	}
	src, err := readFile(u.File)
	if err != nil {
		r.refuse(&u.File, fmt.Sprintf("users.file: %v", err), "name a file that this user may read")
		return
	}
	inner := &reader{file: u.File, dir: filepath.Dir(u.File), env: r.env, at: map[any]mark{}}
	u.Accounts = inner.accounts(src)
	inner.problems.sort()
	r.elsewhere = append(r.elsewhere, inner.problems...)
	r.files = append(r.files, inner.files...)
	if md5, sha256 := u.Hashes(); md5 && sha256 {
		r.warn(&u.File, "users.file: some users have an MD5 HA1 and some one of SHA-256: a phone answers the kind it likes best, whatever its user has", "give all the same kind, or passwords")
	}
}

// Hashes tells which kinds of HA1 there are among the users.
func (u *Users) Hashes() (md5, sha256 bool) {
	for _, a := range u.Accounts {
		md5 = md5 || len(a.HA1) == 32
		sha256 = sha256 || len(a.HA1) == 64
	}
	return md5, sha256
}

func (r *reader) accounts(src []byte) map[string]Account {
	all := map[string]Account{}
	root := r.tree(src)
	if root == nil {
		return all
	}
	if _, ok := root.(ast.MapNode); !ok { // want would show it
		r.problem(root, "want a mapping of user names to passwords", "write name: password")
		return all
	}
	r.pairs(root, "", func(user string, at, value ast.Node) {
		if !isUser(user) {
			r.problem(at, fmt.Sprintf("%q is not the name of a user", user), userCure)
			return
		}
		if a, ok := r.account(value, join("", user)); ok {
			all[user] = a
		}
	})
	return all
}

// account is a password or an HA1, or a mapping that says which of them.
func (r *reader) account(n ast.Node, name string) (a Account, ok bool) {
	if _, isMap := n.(ast.MapNode); isMap {
		before := len(r.problems)
		if r.structure(n, reflect.ValueOf(&a).Elem(), field{key: name}); len(r.problems) > before {
			return a, false
		}
	} else {
		s, ok := r.secret(n, name)
		if !ok {
			return a, false
		}
		if a.Password = Secret(s); isHA1(s) {
			a = Account{HA1: Secret(s)}
		}
	}
	if msg, cure := a.fault(); msg != "" {
		r.problem(n, name+": "+msg, cure)
		return a, false
	}
	a.HA1 = Secret(strings.ToLower(string(a.HA1)))
	return a, true
}

func (a *Account) fault() (msg, cure string) {
	switch {
	case a.Password == "" && a.HA1 == "":
		return "no password", "give one, or remove the user"
	case a.Password != "" && a.HA1 != "":
		return "both password and ha1", "remove one of them"
	case a.HA1 != "" && !isHA1(string(a.HA1)):
		return "ha1 is not 32 (MD5) or 64 (SHA-256) hexadecimal digits", "a password is password: ..."
	case !isPrintable(string(a.Password)):
		return "control character in the password", "remove it"
	}
	return "", ""
}

// isHA1 tells whether s has the form of a hash: 128 or 256 bits in hex.
func isHA1(s string) bool {
	return (len(s) == 32 || len(s) == 64) && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F')
	})
}

const userCure = "up to 128 characters without colons, quotes and backslashes"

// isUser tells whether s may be the user name of digest: RFC 7616 section 3.4.2
// hashes it before a colon.
func isUser(s string) bool { return s != "" && isQuotable(s) && !strings.Contains(s, ":") }

// isQuotable tells whether s may stand in a quoted string as it is.
func isQuotable(s string) bool {
	return len(s) <= 128 && isPrintable(s) && !strings.ContainsAny(s, "\"\\\t")
}
