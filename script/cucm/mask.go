package cucm

import (
	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
	"legwork/script/lua"
)

// maxMask bounds a number mask.
const maxMask = 256

// masked puts the last characters of user in the place of the mask's wildcards;
// wildcards for which there is none stay.
func masked(user, mask string, wildcard byte) string {
	out, left := []byte(mask), len(user)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i] == wildcard && left > 0 {
			left--
			out[i] = user[left]
		}
	}
	return string(out)
}

// wantMask reads the arguments mask and mask-char.
func wantMask(L *glua.LState, n int) (mask string, wildcard byte) {
	mask, wildcard = wantText(L, n), 'X'
	if len(mask) > maxMask {
		lua.RaiseAt(L, "a number mask has at most %d characters", maxMask)
	}
	if char := mayText(L, n+1); len(char) == 1 {
		wildcard = char[0]
	}
	return mask, wildcard
}

// maskURI applies a mask to the user of a SIP or tel URI.
func maskURI(uri, mask string, wildcard byte) (text, user string, ok bool) {
	u, err := message.ParseURI(uri)
	if err != nil || u.User == "" {
		return uri, "", false
	}
	u.User = masked(u.User, mask, wildcard)
	return u.String(), u.User, true
}

// sipURI is what sipUtils.parseUri gives.
type sipURI struct{ text string }

// parsing is the library sipUtils.
func (s *Script) parsing(L *glua.LState) glua.LValue {
	lib := L.NewTable()
	lua.Register(L, lib, map[string]glua.LGFunction{"parseUri": func(L *glua.LState) int {
		v := readValue(mayText(L, 1))
		if _, err := message.ParseURI(v.uri); err != nil {
			return pushNil(L)
		}
		lua.Charge(L, len(v.uri)+64)
		L.Push(s.classes.uri.New(L, &sipURI{v.uri}))
		return 1
	}})
	return lua.ReadOnly(L, "sipUtils", lib)
}

func uriDef() lua.ClassDef[*sipURI] {
	return lua.ClassDef[*sipURI]{
		Methods: map[string]glua.LGFunction{
			"applyNumberMask": func(L *glua.LState) int {
				u := uriOf(L)
				mask, wildcard := wantMask(L, 2)
				text, user, ok := maskURI(u.text, mask, wildcard)
				if !ok {
					return pushNil(L)
				}
				u.text = text
				return pushText(L, user)
			},
			"getHost": func(L *glua.LState) int { return pushText(L, parsed(uriOf(L).text).Host) },
			"getUser": func(L *glua.LState) int { return pushText(L, parsed(uriOf(L).text).User) },
			"encode":  func(L *glua.LState) int { return pushText(L, uriOf(L).text) },
		},
		Meta: map[string]glua.LGFunction{"__tostring": func(L *glua.LState) int { return pushText(L, uriOf(L).text) }},
	}
}

func uriOf(L *glua.LState) *sipURI {
	if ud, ok := L.Get(1).(*glua.LUserData); ok {
		if u, ok := ud.Value.(*sipURI); ok {
			return u
		}
	}
	lua.RaiseAt(L, "a sipUri expected, got %s; call its methods with a colon", L.Get(1).Type())
	return nil
}

func parsed(text string) message.URI {
	u, _ := message.ParseURI(text) // which parseUri has tried
	return u
}
