package script

import (
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// uriView is a URI: of a request, of an address, or one that stands for
// itself. Edits are written through.
type uriView struct {
	m      *machine
	req    *messageView // whose Request-URI it is, or nil
	addr   *addrView    // whose URI it is, or nil
	text   string       // what was parsed last
	uri    message.URI
	parsed bool
}

func (v *uriView) now(L *glua.LState) string {
	switch {
	case v.req != nil:
		return v.req.read(L).URI
	case v.addr != nil:
		return v.addr.read(L).URI
	}
	return v.text
}

// read parses the text again when it has changed under the view.
func (v *uriView) read(L *glua.LState) *message.URI {
	if now := v.now(L); !v.parsed || now != v.text {
		u, err := message.ParseURI(now)
		if err != nil {
			u = message.URI{}
		}
		v.text, v.uri, v.parsed = now, u, true
	}
	return &v.uri
}

func (v *uriView) edit(L *glua.LState, change func(u *message.URI)) {
	u := *v.read(L)
	if u.Scheme == "" {
		lua.RaiseAt(L, "%q is not a URI; assign a whole one", v.text)
	}
	u.Params = append(message.Params(nil), u.Params...)
	change(&u)
	v.write(L, u.String())
}

func (v *uriView) write(L *glua.LState, s string) {
	switch {
	case v.req != nil:
		must(L, setURI(v.req.edit(L), s))
		v.req.wrote(L, b2bua.OpSet, "uri", s)
	case v.addr != nil:
		v.addr.edit(L, func(a *message.Addr) { a.URI = s })
	default:
		must(L, checkText("URI", s))
		u, err := message.ParseURI(s)
		if err != nil || strings.ContainsAny(s, " \t<>\"") {
			lua.RaiseAt(L, "%q is not a URI", s)
		}
		v.text, v.uri, v.parsed = s, u, true
	}
}

// getURI gives nil for a response.
func getURI(L *glua.LState, v *messageView) glua.LValue {
	if !v.read(L).IsRequest() {
		return glua.LNil
	}
	if v.uri == nil {
		v.uri = v.m.classes.uri.New(L, &uriView{m: v.m, req: v})
	}
	return v.uri
}

// newURI is b2b.uri("sip:...").
func (m *machine) newURI(L *glua.LState) int {
	v := &uriView{m: m}
	v.write(L, wantText(L, L.Get(1)))
	L.Push(m.classes.uri.New(L, v))
	return 1
}

func (m *machine) uriDef() lua.ClassDef[*uriView] {
	part := func(of func(*message.URI) string) getter[*uriView] {
		return func(L *glua.LState, v *uriView) glua.LValue { return text(of(v.read(L))) }
	}
	write := func(set func(u *message.URI, s string)) setter[*uriView] {
		return func(L *glua.LState, v *uriView, value glua.LValue) {
			s := ""
			if value != glua.LNil {
				s = wantText(L, value)
			}
			must(L, checkText("URI", s))
			v.edit(L, func(u *message.URI) { set(u, s) })
		}
	}
	return lua.ClassDef[*uriView]{
		Get: map[string]getter[*uriView]{
			"scheme":   part(func(u *message.URI) string { return u.Scheme }),
			"user":     part(func(u *message.URI) string { return u.User }),
			"password": part(func(u *message.URI) string { return u.Password }),
			"host":     part(func(u *message.URI) string { return u.Host }),
			"port": func(L *glua.LState, v *uriView) glua.LValue {
				return number(v.read(L).Port)
			},
			"params": func(L *glua.LState, v *uriView) glua.LValue {
				return m.classes.params.New(L, &paramsView{uri: v})
			},
			"headers": func(L *glua.LState, v *uriView) glua.LValue {
				return m.classes.params.New(L, &paramsView{uri: v, headers: true})
			},
		},
		Set: map[string]setter[*uriView]{
			"scheme":   write(func(u *message.URI, s string) { u.Scheme = strings.ToLower(s) }),
			"user":     write(func(u *message.URI, s string) { u.User = escape(s, userExtra) }),
			"password": write(func(u *message.URI, s string) { u.Password = escape(s, "&=+$,") }),
			"host":     writeHost,
			"port":     writePort,
		},
		Meta: toString((*uriView).String),
	}
}

// String is the URI as it stands; of a message that is gone, as it stood.
func (v *uriView) String() string {
	switch {
	case v.req != nil && v.req.msg != nil:
		return v.req.msg.URI
	case v.addr != nil:
		return message.URIOf(v.addr.String())
	}
	return v.text
}

// writeHost accepts a name or an address; a bare IPv6 address gets its brackets.
func writeHost(L *glua.LState, v *uriView, value glua.LValue) {
	host := wantText(L, value)
	if strings.Count(host, ":") > 1 && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	u, err := message.ParseURI("sip:" + host)
	if err != nil || u.Host != host || u.Port != 0 {
		lua.RaiseAt(L, "%q is not a host; a port goes to .port", host)
	}
	v.edit(L, func(u *message.URI) { u.Host = host })
}

func writePort(L *glua.LState, v *uriView, value glua.LValue) {
	port := 0
	if value != glua.LNil {
		if port = wantInt(L, value); port < 1 || port > 65535 {
			lua.RaiseAt(L, "port %d is not 1 to 65535", port)
		}
	}
	v.edit(L, func(u *message.URI) { u.Port = port })
}

// What may stand unescaped besides unreserved characters (RFC 3261 section 25.1).
const (
	userExtra  = "&=+$,;?/#" // "#" is not legal, but what people dial
	paramExtra = "[]/:&+$"
	hnvExtra   = "[]/?:+$"
)

// escape writes what may not stand as it is as %HH; an escape that is there
// already stays.
func escape(s, extra string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case alphanumeric(c), strings.IndexByte("-_.!~*'()", c) >= 0, strings.IndexByte(extra, c) >= 0:
			b.WriteByte(c)
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(c)
		default:
			const digits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// unescape undoes %HH; what is not one stays.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			n, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b = append(b, byte(n))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}
