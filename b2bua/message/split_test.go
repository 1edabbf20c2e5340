package message

import (
	"slices"
	"strings"
	"testing"
)

var heads = []string{
	"OPTIONS sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nX:\r\nSubject : one: two \r\n\r\n",
	"OPTIONS sip:a@192.0.2.1 SIP/2.0\r\nSubject: one\r\n two\r\n\t three\r\nf: <sip:b@192.0.2.2>\r\n\r\n",
	"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nTo: \"a:b\" <sip:a@192.0.2.1>\r\n\r\n",
	"OPTIONS sip:a@192.0.2.1 SIP/2.0\r\n folded\r\nX: 1\r\n\r\n",
	"OPTIONS soap.beep://192.0.2.1/ SIP/2.0\r\nX: 1\r\n 2\r\n\r\n",
}

// FuzzFieldsAreCutAsSipgoCutsThem holds our views against sipgo's copies: what
// both take, they split alike.
func FuzzFieldsAreCutAsSipgoCutsThem(f *testing.F) {
	for _, head := range heads {
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, head string) {
		head, _, _ = strings.Cut(head, "\r\n\r\n")
		_, lines, _ := strings.Cut(head, "\r\n")
		if strings.Count(head, "\r\n") != strings.Count(head, "\n") || strings.Count(head, "\r") != strings.Count(head, "\n") || lines == "" {
			return
		}
		var ours, theirs Message
		split, _, err := parser.ParseHeaders([]byte(head+"\r\n\r\n"), false)
		if err != nil || theirs.takeSplit(split) != nil || ours.unfold(lines+"\r\n") != nil {
			return
		}
		for _, m := range []*Message{&ours, &theirs} {
			for i := range m.Headers { // how much white space a fold leaves is nobody's business
				m.Headers[i].Value = strings.Join(strings.Fields(m.Headers[i].Value), " ")
			}
		}
		if !slices.Equal(ours.Headers, theirs.Headers) {
			t.Errorf("ours:   %q\nsipgo's: %q\nof %q", ours.Headers, theirs.Headers, head)
		}
	})
}
