package lib

import (
	"context"
	"net/url"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

const defaultHTTPTimeout = 2 * time.Second

func (x *library) http() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{"client": function("b2b.http.client", func(a args) int {
		spec := readClient(a)
		c := x.env.client(spec)
		if c == nil {
			a.fail("more than %d different clients; make them once, outside of hooks", maxClients)
		}
		return a.give(x.clients.New(a.L, c))
	})}
}

func readClient(a args) clientSpec {
	f := a.fields(a.table(1, "the definition"), "")
	spec := clientSpec{base: f.text("base"), timeout: f.seconds("timeout", defaultHTTPTimeout), headers: f.texts("headers")}
	if cache := f.sub("cache"); cache != nil {
		spec.ttl, spec.stale, spec.negative = cache.seconds("ttl", 0), cache.seconds("stale", 0), cache.seconds("negative", 0)
		cache.done()
	}
	if b := f.sub("breaker"); b != nil {
		spec.failures = b.whole("failures", 1, 1000, 5)
		spec.window, spec.open = b.seconds("window", 10*time.Second), b.seconds("open", 30*time.Second)
		b.done()
	}
	f.done()
	u, err := url.Parse(spec.base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Fragment != "" || u.RawQuery != "" {
		a.fail("base must be an address like \"https://api.example/v1\", not '%s'", spec.base)
	}
	if spec.timeout <= 0 {
		a.fail("timeout must be more than 0")
	}
	return spec
}

// clientMethods wait, so they may be used where waiting is allowed only.
func (x *library) clientMethods() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"get":  method("http_client:get", func(a args) int { return x.ask(a, "GET") }),
		"post": method("http_client:post", func(a args) int { return x.ask(a, "POST") }),
	}
}

func (x *library) ask(a args, verb string) int {
	c := self(a, x.clients)
	l := x.readLookup(a, verb, c.spec.timeout)
	question := func() Question { return Question{Key: verb + " " + c.named(l), Body: l.body} }
	found, reason, ok := x.look(a, "http", c.host, question, func(ctx context.Context) (Answer, error) {
		got, cached, err := c.ask(ctx, l)
		if err != nil {
			return Answer{}, err
		}
		return Answer{Status: got.status, Body: got.body, Cached: cached}, nil
	})
	if !ok {
		return a.giveFailure(reason)
	}
	return a.give(x.answers.New(a.L, &scriptAnswer{Answer: found}))
}

func (x *library) readLookup(a args, verb string, timeout time.Duration) *lookup {
	l := &lookup{method: verb, path: a.optText(1, "the path", ""), timeout: timeout}
	checkPath(a, l.path)
	if !a.has(2) {
		return l
	}
	f := a.fields(a.table(2, "the options"), "")
	l.query, l.headers, l.timeout = f.texts("query"), f.texts("headers"), f.seconds("timeout", timeout)
	if verb != "GET" {
		l.body = []byte(f.optText("body", ""))
		if v := f.get("json"); v != glua.LNil {
			x.jsonBody(a, l, v)
		}
	}
	f.done()
	if l.timeout <= 0 {
		a.fail("timeout must be more than 0")
	}
	return l
}

// checkPath keeps a path with something of a caller's in it below the base.
func checkPath(a args, path string) {
	if len(path) > 2048 || strings.ContainsAny(path, "#\\") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		a.fail("a path may have 2048 bytes and no spaces, line breaks, # or backslash; put values into query")
	}
	before, _, _ := strings.Cut(path, "?")
	for part := range strings.SplitSeq(before, "/") {
		if plain, err := url.PathUnescape(part); err != nil || plain == ".." || strings.Contains(plain, "../") {
			a.fail("a path may not have '..' or a broken %%-escape; put values into query")
		}
	}
}

func (x *library) jsonBody(a args, l *lookup, v glua.LValue) {
	if len(l.body) > 0 {
		a.fail("give body or json, not both")
	}
	text, err := x.encodeJSON(v)
	if err != nil {
		a.fail("json: %v", err)
	}
	l.body = text
	if l.headers == nil {
		l.headers = map[string]string{}
	}
	for name := range l.headers {
		if strings.EqualFold(name, "Content-Type") {
			return
		}
	}
	l.headers["Content-Type"] = "application/json"
}

// A scriptAnswer is an answer in one VM; the JSON is read when it is asked for.
type scriptAnswer struct {
	Answer
	json glua.LValue
}

func (x *library) answerFields() map[string]func(L *glua.LState, r *scriptAnswer) glua.LValue {
	return map[string]func(L *glua.LState, r *scriptAnswer) glua.LValue{
		"status": func(_ *glua.LState, r *scriptAnswer) glua.LValue { return glua.LNumber(r.Status) },
		"ok":     func(_ *glua.LState, r *scriptAnswer) glua.LValue { return glua.LBool(r.Status < 300) },
		"body":   func(L *glua.LState, r *scriptAnswer) glua.LValue { return lua.FromGo(L, string(r.Body)) },
		"cached": func(_ *glua.LState, r *scriptAnswer) glua.LValue { return glua.LBool(r.Cached) },
		"json": func(L *glua.LState, r *scriptAnswer) glua.LValue {
			if r.json == nil {
				v, err := x.decodeJSON(L, r.Body)
				if err != nil {
					v = glua.LNil
				}
				r.json = v
			}
			return r.json
		},
	}
}
