package message

import "strconv"

// Append writes the message. Content-Length is always the body's: a field of
// that name is replaced.
func (m *Message) Append(b []byte) []byte { return m.AppendVia(b, "") }

// AppendVia writes the message with one more Via on top, which m itself does
// not get; "" adds none.
func (m *Message) AppendVia(b []byte, via string) []byte {
	if m.IsRequest() {
		b = append(append(append(b, m.Method...), ' '), m.URI...)
		b = append(b, " SIP/2.0\r\n"...)
	} else {
		b = strconv.AppendInt(append(b, "SIP/2.0 "...), int64(m.Status), 10)
		b = append(append(append(b, ' '), m.Reason...), "\r\n"...)
	}
	if via != "" {
		b = append(append(append(b, "Via: "...), via...), "\r\n"...)
	}
	for i := range m.Headers {
		h := &m.Headers[i]
		if Same(h.Name, "Content-Length") {
			continue
		}
		b = append(append(append(b, h.Name...), ": "...), h.Value...)
		b = append(b, "\r\n"...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(m.Body)), 10)
	return append(append(b, "\r\n\r\n"...), m.Body...)
}

// Bytes is Append into new memory.
func (m *Message) Bytes() []byte { return m.BytesVia("") }

// BytesVia is AppendVia into new memory, hardly more than it takes: messages
// are kept for half a minute in case they must be sent again.
func (m *Message) BytesVia(via string) []byte {
	size := len(m.Method) + len(m.URI) + len(m.Reason) + len(via) + len(m.Body) + len("SIP/2.0 999 \r\nVia: \r\nContent-Length: 65535\r\n\r\n")
	for i := range m.Headers {
		size += len(m.Headers[i].Name) + len(m.Headers[i].Value) + len(": \r\n")
	}
	return m.AppendVia(make([]byte, 0, size), via)
}

// String is the message as text, for logs and tests.
func (m *Message) String() string { return string(m.Bytes()) }

func appendPort(b []byte, port int) []byte {
	return strconv.AppendInt(append(b, ':'), int64(port), 10)
}

// Respond builds a response to m as RFC 3261 section 8.2.6.2 wants it: Vias,
// From, To, Call-ID and CSeq echoed, To with the tag when m has none (100 gets
// none), Timestamp echoed in 100. reason "" takes the standard phrase.
func (m *Message) Respond(code int, reason, toTag string) *Message {
	if reason == "" {
		reason = ReasonPhrase(code)
	}
	r := &Message{Method: m.Method, Status: code, Reason: reason, Headers: make([]Header, 0, 12)}
	for _, h := range m.Headers {
		switch {
		case Same(h.Name, "Via"), Same(h.Name, "From"), Same(h.Name, "Call-ID"), Same(h.Name, "CSeq"):
		case Same(h.Name, "To"):
			if code > 100 && toTag != "" && Tag(h.Value) == "" {
				h.Value = addTag(h.Value, toTag)
			}
		case code == 100 && Same(h.Name, "Timestamp"):
		default:
			continue
		}
		r.Headers = append(r.Headers, h)
	}
	return r
}

// addTag appends a tag and leaves the rest as received.
func addTag(value, tag string) string {
	if _, _, _, ok := splitAddr(value); !ok {
		return value
	}
	return value + ";tag=" + tag
}
