package flows

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
)

// users reads users.yaml, as the configuration does.
func users(user string) (digest.Secret, bool) {
	src, err := os.ReadFile("users.yaml")
	if err != nil {
		return digest.Secret{}, false
	}
	for line := range strings.Lines(string(src)) {
		if name, password, _ := strings.Cut(line, ": "); name == user {
			return digest.Secret{Password: strings.TrimSpace(password)}, true
		}
	}
	return digest.Secret{}, false
}

// challenge is the latest one of a phone's proxy, and how often it was answered.
type challenge struct {
	values  map[string]string
	answers string // the header field of the credentials
	count   int
}

// challenged keeps the challenge of a 401 or 407: that for MD5, which RFC 3665
// has. RFC 8760 puts better ones beside it.
func (p *phone) challenged(res *message.Message) {
	for asks, answers := range map[string]string{"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"} {
		for _, value := range res.All(asks) {
			values := map[string]string{"algorithm": "MD5"}
			for _, m := range regexp.MustCompile(`(\w+)=(?:"([^"]*)"|([^\s,"]+))`).FindAllStringSubmatch(value, -1) {
				values[strings.ToLower(m[1])] = m[2] + m[3]
			}
			if values["algorithm"] == "MD5" {
				p.challenge = challenge{values: values, answers: answers}
			}
		}
	}
	if p.challenge.values == nil {
		p.w.Fatalf("%s can't answer: %s", p.name, res)
	}
}

// credentials answers the latest challenge (RFC 2617 section 3.2.2), whether the
// request is its repeat or a later one.
func (p *phone) credentials(user, password string) edit {
	return func(req *message.Message) {
		c := &p.challenge
		c.count++
		v, nc, cnonce := c.values, fmt.Sprintf("%08x", c.count), "0a4f113b"
		a1, a2 := hash(user, v["realm"], password), hash(req.Method, req.URI)
		req.Set(c.answers, fmt.Sprintf(
			`Digest username=%q, realm=%q, nonce=%q, uri=%q, qop=auth, nc=%s, cnonce=%q, response=%q, algorithm=MD5`+opaque(v),
			user, v["realm"], v["nonce"], req.URI, nc, cnonce, hash(a1, v["nonce"], nc, cnonce, "auth", a2),
		))
	}
}

func opaque(values map[string]string) string {
	if values["opaque"] == "" {
		return ""
	}
	return `, opaque="` + values["opaque"] + `"`
}

func hash(parts ...string) string {
	sum := md5.Sum([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(sum[:])
}

// proves sends the request that was challenged again, with credentials.
func (p *phone) proves(user, password string) *message.Message {
	p.w.Helper()
	req := p.mine.Clone()
	cseq, method, _ := req.CSeq()
	req.Set("CSeq", fmt.Sprintf("%d %s", cseq+1, method))
	return p.line.request(req, p.proxy, []edit{p.credentials(user, password)})
}
