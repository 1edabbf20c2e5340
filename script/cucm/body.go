package cucm

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/script/lua"
)

const sdpType = "application/sdp"

// maxParts bounds the parts of a body that is taken apart.
const maxParts = 32

// part is one content body; all but kind and text may be left out.
type part struct{ kind, disposition, encoding, language, text string }

// getSDP is msg:getSdp(): text, or nil.
func getSDP(L *glua.LState) int {
	m := self(L).msg.Read()
	sdp, ok := offer.Find(m.Get("Content-Type"), m.Body)
	if !ok {
		return pushNil(L)
	}
	return pushText(L, string(sdp))
}

func setSDP(L *glua.LState) int {
	v, sdp := self(L), wantText(L, 2)
	m := v.msg.Read()
	kind := m.Get("Content-Type")
	body, err := offer.Replace(kind, m.Body, []byte(sdp))
	switch {
	case errors.Is(err, offer.ErrNoSDP):
		must(L, addPart(v.msg, part{kind: sdpType, text: sdp}))
	case err != nil:
		must(L, err)
	default:
		must(L, v.msg.SetBody(string(body), kind))
	}
	return 0
}

// removeUnreliableSDP is msg:removeUnreliableSdp(): takes the SDP out of a 18X
// that needs no PRACK.
func removeUnreliableSDP(L *glua.LState) int {
	v := self(L)
	if m := v.msg.Read(); m.Status > 100 && m.Status < 200 && !reliable(m) {
		must(L, removePart(v.msg, sdpType))
	}
	return 0
}

// getContentBody is msg:getContentBody(type): body, disposition, encoding and
// language.
func getContentBody(L *glua.LState) int {
	m, kind := self(L).msg.Read(), wantText(L, 2)
	parts, err := partsOf(m)
	must(L, err)
	for _, one := range parts {
		if !sameType(one.kind, kind) {
			continue
		}
		pushText(L, one.text)
		for _, text := range []string{one.disposition, one.encoding, one.language} {
			if text == "" {
				L.Push(glua.LNil)
			} else {
				pushText(L, text)
			}
		}
		return 4
	}
	return pushNil(L)
}

// addContentBody is msg:addContentBody(type, body[, disposition[, encoding[,
// language]]]).
func addContentBody(L *glua.LState) int {
	v := self(L)
	must(L, addPart(v.msg, wantPart(L)))
	return 0
}

// wantPart reads the arguments of addContentBody.
func wantPart(L *glua.LState) part {
	one := part{kind: wantText(L, 2), text: wantText(L, 3), disposition: mayText(L, 4), encoding: mayText(L, 5), language: mayText(L, 6)}
	for _, text := range []string{one.kind, one.disposition, one.encoding, one.language} {
		if err := message.CheckValue(text); err != nil {
			lua.RaiseAt(L, "addContentBody: %v", err)
		}
	}
	return one
}

func removeContentBody(L *glua.LState) int {
	must(L, removePart(self(L).msg, wantText(L, 2)))
	return 0
}

func sameType(a, b string) bool {
	a, _, _ = strings.Cut(a, ";")
	b, _, _ = strings.Cut(b, ";")
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// partsOf are the bodies of a message: those within multipart/mixed, or the one.
func partsOf(m *message.Message) ([]part, error) {
	if len(m.Body) == 0 {
		return nil, nil
	}
	kind, params, err := mime.ParseMediaType(m.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" || params["boundary"] == "" {
		return []part{{
			m.Get("Content-Type"), m.Get("Content-Disposition"), m.Get("Content-Encoding"), m.Get("Content-Language"), string(m.Body),
		}}, nil
	}
	var parts []part
	for r := multipart.NewReader(bytes.NewReader(m.Body), params["boundary"]); ; {
		one, err := r.NextRawPart()
		if err != nil {
			return parts, nil
		}
		if len(parts) == maxParts {
			return nil, fmt.Errorf("the body has more than %d parts", maxParts)
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(one); err != nil {
			return parts, nil
		}
		h := one.Header
		parts = append(parts, part{
			h.Get("Content-Type"), h.Get("Content-Disposition"), h.Get("Content-Encoding"), h.Get("Content-Language"), text.String(),
		})
	}
}

func addPart(m Message, one part) error {
	parts, err := partsOf(m.Read())
	if err != nil {
		return err
	}
	if len(parts) == maxParts {
		return fmt.Errorf("the body has %d parts, which is the most", maxParts)
	}
	return setParts(m, append(parts, one))
}

func removePart(m Message, kind string) error {
	parts, err := partsOf(m.Read())
	if err != nil {
		return err
	}
	var kept []part
	for _, one := range parts {
		if !sameType(one.kind, kind) {
			kept = append(kept, one)
		}
	}
	if len(kept) == len(parts) {
		return nil
	}
	return setParts(m, kept)
}

// setParts writes the bodies: one by itself, several as multipart/mixed (RFC
// 2046).
func setParts(m Message, parts []part) error {
	head := part{}
	body := ""
	switch len(parts) {
	case 0:
	case 1:
		head, body = parts[0], parts[0].text
	default:
		boundary := unused(parts)
		head = part{kind: "multipart/mixed;boundary=" + boundary}
		body = multipartOf(parts, boundary)
	}
	for name, text := range map[string]string{
		"Content-Disposition": head.disposition, "Content-Encoding": head.encoding, "Content-Language": head.language,
	} {
		if err := setOrRemove(m, name, text); err != nil {
			return err
		}
	}
	return m.SetBody(body, head.kind)
}

func setOrRemove(m Message, name, text string) error {
	switch _, there := m.Read().Lookup(name); {
	case text != "":
		return m.SetHeader(name, text)
	case there:
		return m.SetHeader(name)
	}
	return nil
}

// unused is a boundary that no part holds.
func unused(parts []part) string {
	for n := 1; ; n++ {
		boundary := fmt.Sprintf("boundary-%d", n)
		taken := false
		for _, one := range parts {
			taken = taken || strings.Contains(one.text, boundary)
		}
		if !taken {
			return boundary
		}
	}
}

func multipartOf(parts []part, boundary string) string {
	var b strings.Builder
	for _, one := range parts {
		b.WriteString("--" + boundary + "\r\n")
		for _, h := range [][2]string{
			{"Content-Type", one.kind},
			{"Content-Disposition", one.disposition},
			{"Content-Encoding", one.encoding},
			{"Content-Language", one.language},
		} {
			if h[1] != "" {
				b.WriteString(h[0] + ": " + h[1] + "\r\n")
			}
		}
		b.WriteString("\r\n" + one.text + "\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return b.String()
}
