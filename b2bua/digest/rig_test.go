package digest

import (
	"fmt"
	"strings"
	"testing"

	"legwork/b2bua/message"
)

const realm = "legwork.example"

// request is one with header fields that digest does not look at left out.
func request(method, uri string) *message.Message {
	return &message.Message{Method: method, URI: uri, Headers: []message.Header{
		{Name: "Via", Value: "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"},
		{Name: "From", Value: "<sip:alice@client.example>;tag=a"},
		{Name: "To", Value: "<sip:bob@legwork.example>"},
		{Name: "Call-ID", Value: "1@192.0.2.1"},
		{Name: "CSeq", Value: "1 " + method},
	}}
}

func invite() *message.Message { return request("INVITE", "sip:bob@legwork.example") }

// with is the request sent again with these fields, over the wire.
func with(t testing.TB, req *message.Message, fields []message.Header) *message.Message {
	t.Helper()
	again := req.Clone()
	again.Replace(fields)
	read, err := message.Parse(again.Bytes())
	if err != nil {
		t.Fatalf("%v in\n%s", err, again)
	}
	return read
}

// challenged is a response with these challenges, each a line of its own.
func challenged(req *message.Message, role Role, values ...string) *message.Message {
	res := req.Respond(role.Code(), "", "b")
	for _, v := range values {
		res.Add(role.challengeField(), v)
	}
	return res
}

func offered(nonce string, more ...string) string {
	return fmt.Sprintf(`Digest realm="%s", nonce="%s", qop="auth"%s`, realm, nonce, strings.Join(more, ""))
}

func always(user, password string) func(string) (Credentials, bool) {
	return func(string) (Credentials, bool) { return Credentials{user, password}, true }
}

// answered is req with the client's answer to res.
func answered(t testing.TB, c *Client, res, req *message.Message, cred func(string) (Credentials, bool)) *message.Message {
	t.Helper()
	fields, err := c.Answer(res, req, cred)
	if err != nil {
		t.Fatal(err)
	}
	return with(t, req, fields)
}

// sent reads the credentials of a request.
func sent(t testing.TB, req *message.Message, role Role) *auth {
	t.Helper()
	auths, ok := readAuths(req.Get(role.credentialsField()))
	if !ok || len(auths) != 1 {
		t.Fatalf("%s: %q", role.credentialsField(), req.Get(role.credentialsField()))
	}
	return &auths[0]
}
