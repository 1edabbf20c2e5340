package luatest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/pcap"
	"legwork/script/lua"
)

// Write writes the test.
func (r *Retelling) Write(w io.Writer) error {
	hops := r.hops()
	steps := r.steps(hops)
	var b bytes.Buffer
	fmt.Fprintf(&b, "-- Made by legwork fixture of %s:\n-- %s\n", oneLine(r.File), oneLine(r.Call.String()))
	if hops[1].imagined {
		b.WriteString("-- No callee is in the capture: the one here does what the caller saw.\n")
	}
	b.WriteString("local t = require \"b2b.test\"\n\n")
	if slices.ContainsFunc(steps, func(s step) bool { return s.sent && len(s.Body) > 0 }) {
		b.WriteString("local function lines(text) return (text:gsub(\"\\n\", \"\\r\\n\")) end\n\n")
	}
	called := userOf(hops[0].first.URI)
	if called == "" {
		called = hops[0].first.URI
	}
	fmt.Fprintf(&b, "t.it(%s, function()\n", lua.Quote("calls "+called+" as on "+r.Call.Invite().At.UTC().Format("2006-01-02 15:04:05")))
	r.writeInvite(&b, hops[0].first)
	now, attempts, addresses := hops[0].first.At, 0, addressesOf(hops)
	for _, s := range steps {
		if gap := s.at.Sub(now).Seconds(); gap >= 0.05 {
			fmt.Fprintf(&b, "  t.advance(%s)\n", strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.3f", gap), "0"), "."))
			now = s.at
		}
		if s.invite {
			attempts++
			fmt.Fprintf(&b, "  t.eq(c:attempts(), %d)\n", attempts)
		}
		s.write(&b, addresses)
	}
	if attempts > 0 {
		fmt.Fprintf(&b, "  t.eq(c:attempts(), %d)\n", attempts)
	}
	b.WriteString("end)\n")
	_, err := w.Write(b.Bytes())
	return err
}

// writeInvite writes t.invite: all that the caller sent but what belongs to the
// hop and to nobody else.
func (r *Retelling) writeInvite(b *bytes.Buffer, m pcap.Message) {
	invite := m.Clone()
	user := ""
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		if _, after, found := strings.Cut(invite.Get(name), `username="`); found {
			user, _, _ = strings.Cut(after, `"`)
		}
		invite.Del(name)
	}
	for _, name := range []string{"Via", "Route", "Record-Route", "Content-Length"} {
		invite.Del(name)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "INVITE %s SIP/2.0\n", invite.URI)
	for _, h := range invite.Headers {
		fmt.Fprintf(&text, "%s: %s\n", h.Name, h.Value)
	}
	text.WriteString("\n" + strings.ReplaceAll(string(invite.Body), "\r\n", "\n"))
	b.WriteString("  local c = t.invite {\n")
	if r.Trunk != "" {
		fmt.Fprintf(b, "    from_trunk = %s,", lua.Quote(r.Trunk))
		if r.Remark != "" {
			b.WriteString(" -- " + oneLine(r.Remark))
		}
		b.WriteString("\n")
	}
	if user != "" {
		fmt.Fprintf(b, "    auth = { user = %s, password = \"?\" }, -- its password is not in the capture\n", lua.Quote(user))
	}
	fmt.Fprintf(b, "    text = %s,\n  }\n", long(text.String()))
}

// addressesOf are the hosts of the capture: they are others in a test.
func addressesOf(hops []*hop) []string {
	var list []string
	for _, h := range hops {
		for _, at := range []string{h.first.From.Addr().String(), h.first.To.Addr().String()} {
			if !slices.Contains(list, at) {
				list = append(list, at)
			}
		}
	}
	return list
}

func (s *step) write(b *bytes.Buffer, addresses []string) {
	switch {
	case s.sent:
		s.writeSent(b)
	case s.invite:
		s.writeExpected(b, addresses)
	case s.IsRequest():
		fmt.Fprintf(b, "  t.ok(%s:received(%s))\n", s.hop.name, lua.Quote(s.Message.Method))
	case s.hop.name == "c:a()" && s.Message.Method == "INVITE" && s.Status >= 200 && cseq(s.Message) == cseq(s.hop.first):
		fmt.Fprintf(b, "  t.eq(%s:final().status, %d)\n", s.hop.name, s.Status)
	default:
		fmt.Fprintf(b, "  t.ok(%s:received(%d))\n", s.hop.name, s.Status)
	}
}

// told are the headers that a test's agents send as they were seen; those that
// begin with X- or P- too.
func told(name string) bool {
	for _, prefix := range []string{"X-", "P-"} {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return true
		}
	}
	return slices.ContainsFunc([]string{
		"Reason", "Retry-After", "Warning", "Remote-Party-ID", "Privacy", "Diversion", "History-Info", "Alert-Info", "Subject",
		"WWW-Authenticate", "Proxy-Authenticate", "Refer-To", "Referred-By", "Event", "Subscription-State", "Info-Package",
	}, func(known string) bool { return message.Same(known, name) })
}

func (s *step) writeSent(b *bytes.Buffer) {
	what := lua.Quote(s.Message.Method)
	if !s.IsRequest() {
		what = fmt.Sprint(s.Status)
	}
	var headers []string
	done := map[string]bool{}
	for _, h := range s.Headers {
		name := message.LongName(h.Name)
		isContact := s.Status/100 == 3 && message.Same(name, "Contact")
		isType := len(s.Body) > 0 && message.Same(name, "Content-Type") && !bytes.HasPrefix(s.Body, []byte("v=0"))
		if done[name] || !told(name) && !isContact && !isType {
			continue
		}
		done[name] = true
		headers = append(headers, fmt.Sprintf("[%s] = %s", lua.Quote(name), valuesOf(s.All(name))))
	}
	args := []string{what}
	if len(headers) > 0 {
		args = append(args, "{ "+strings.Join(headers, ", ")+" }")
	}
	if len(s.Body) > 0 {
		if len(headers) == 0 {
			args = append(args, "nil")
		}
		args = append(args, "lines"+spaced(long(strings.ReplaceAll(string(s.Body), "\r\n", "\n"))))
	}
	fmt.Fprintf(b, "  %s:send(%s)\n", s.hop.name, strings.Join(args, ", "))
}

func valuesOf(values []string) string {
	if len(values) == 1 {
		return lua.Quote(values[0])
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = lua.Quote(v)
	}
	return "{ " + strings.Join(list, ", ") + " }"
}

// writeExpected is what a callee's INVITE said.
func (s *step) writeExpected(b *bytes.Buffer, addresses []string) {
	name := "b" + strings.Trim(s.hop.name, "c:b()")
	fmt.Fprintf(b, "  local %s = %s:received(\"INVITE\")\n", name, s.hop.name)
	fmt.Fprintf(b, "  t.eq(%s.uri.user, %s)\n", name, orNil(userOf(s.URI)))
	fmt.Fprintf(b, "  t.eq(%s.from.uri.user, %s)\n", name, orNil(userOf(message.URIOf(s.Get("From")))))
	done := map[string]bool{}
	for _, h := range s.Headers {
		header := message.LongName(h.Name)
		if done[header] || !told(header) {
			continue
		}
		done[header] = true
		line := fmt.Sprintf("t.eq(%s.h[%s], %s)", name, lua.Quote(header), lua.Quote(h.Value))
		if slices.ContainsFunc(addresses, func(a string) bool { return strings.Contains(h.Value, a) }) {
			line = "-- " + line + " names an address"
		}
		b.WriteString("  " + line + "\n")
	}
	if isSDP(s.Message.Message) {
		fmt.Fprintf(b, "  t.ok(%s.sdp)\n", name)
	} else {
		fmt.Fprintf(b, "  t.eq(%s.sdp, nil)\n", name)
	}
}

func orNil(text string) string {
	if text == "" {
		return "nil"
	}
	return lua.Quote(text)
}

// oneLine keeps a remark from becoming code.
func oneLine(text string) string { return printable(strings.Join(strings.Fields(text), " ")) }

// long is a text of lines.
func long(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return lua.Quote(s)
		}
	}
	level := ""
	for strings.Contains(s+"]", "]"+level+"]") {
		level += "="
	}
	return "[" + level + "[\n" + s + "]" + level + "]"
}

// spaced keeps a long text apart from the name of a function.
func spaced(s string) string {
	if strings.HasPrefix(s, "[") {
		return " " + s
	}
	return "(" + s + ")"
}
