package offer

import (
	"bytes"
	"strings"
	"testing"
)

// edits are all edits of a session, each with what must hold behind it.
func edits(name string, n int) map[string]func(*Session) {
	each := func(f func(*Stream)) func(*Session) {
		return func(s *Session) {
			for _, m := range s.Media() {
				f(m)
			}
		}
	}
	return map[string]func(*Session){
		"keep":       each(func(m *Stream) { _ = m.Keep(name, "PCMU", "telephone-event/8000") }),
		"drop":       each(func(m *Stream) { _ = m.Drop(name, "opus") }),
		"prefer":     each(func(m *Stream) { _ = m.Prefer(name, "PCMA", "opus/48000") }),
		"direction":  each(func(m *Stream) { _ = m.SetDirection(RecvOnly) }),
		"ptime":      each(func(m *Stream) { _ = m.SetPTime(n) }),
		"port":       each(func(m *Stream) { _ = m.SetPort(n) }),
		"attr":       each(func(m *Stream) { _ = m.SetAttr(name, name) }),
		"no attr":    each(func(m *Stream) { m.DelAttr(name) }),
		"remove":     each((*Stream).Remove),
		"stream c":   each(func(m *Stream) { _ = m.SetConnection(name) }),
		"hold":       (*Session).Hold,
		"strip":      func(s *Session) { _ = s.Strip("ice", "crypto", "video") },
		"connection": func(s *Session) { _ = s.SetConnection("2001:db8::1") },
		"origin":     func(s *Session) { _ = s.SetOrigin(Origin{"-", "1", "2", "192.0.2.1"}) },
	}
}

func FuzzEditTwiceIsOnce(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b, "opus", 30)
		f.Add(b, "G722/8000", 0)
		f.Add(b, "fmtp:101", 9)
		f.Add(b, "192.0.2.77", 7000)
	}
	f.Fuzz(func(t *testing.T, b []byte, name string, n int) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Bytes(), b) {
			t.Fatalf("parsed %q, wrote %q", b, s.Bytes())
		}
		for edit, do := range edits(name, n) {
			s := parse(t, string(b))
			count := len(s.Media())
			do(s)
			once := s.Bytes()
			do(s)
			if twice := s.Bytes(); !bytes.Equal(once, twice) {
				t.Errorf("%s once %q, twice %q", edit, once, twice)
			}
			again, err := Parse(once)
			if err != nil {
				if len(b) > MaxSize-10000 || bytes.Count(b, []byte("\n")) > MaxLines-200 {
					continue // the edit took it over the bounds
				}
				t.Fatalf("%s made what does not parse: %v: %q", edit, err, once)
			}
			if len(again.Media()) != count {
				t.Errorf("%s changed the number of streams", edit)
			}
		}
	})
}

func FuzzKeepLeavesOnlyTheNamed(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b, "opus", "PCMA")
		f.Add(b, "VP8", "rtx")
	}
	f.Fuzz(func(t *testing.T, b []byte, first, second string) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		for _, m := range s.Media() {
			before := m.Codecs()
			kept := m.Keep(first, second) == nil
			if after := m.Codecs(); kept && len(before) > 0 && len(after) == 0 || !kept && len(after) != len(before) {
				t.Errorf("kept %v, from %v to %v", kept, before, after)
			}
			for _, c := range m.Codecs() {
				if kept && !c.event() && !named(c, first) && !named(c, second) {
					t.Errorf("kept %q and %q and got %v", first, second, c)
				}
			}
		}
	})
}

// named is the plain reading of a codec's name, as a check on wishes.
func named(c Codec, name string) bool {
	name, _, _ = strings.Cut(name, "/")
	return strings.EqualFold(c.Name, name)
}

func FuzzReplaceInMultipart(f *testing.F) {
	part := "--b\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n\r\n"
	f.Add("multipart/mixed;boundary=b", []byte(part+"--b--\r\n"), []byte("v=0\n"))
	f.Add("multipart/mixed;boundary=b", []byte("--b\nContent-Type: multipart/x;boundary=c\n\n--c\n\nhi\n--c--\n--b\n"+part+"--b--"), []byte(""))
	f.Add("application/sdp", []byte("v=0\r\n"), []byte("--b"))
	f.Fuzz(func(t *testing.T, contentType string, b, sdp []byte) {
		old, ok := Find(contentType, b)
		out, err := Replace(contentType, b, sdp)
		if err != nil {
			return
		}
		if !ok {
			t.Fatal("replaced what is not found")
		}
		if got, ok := Find(contentType, out); !ok || !bytes.Equal(got, sdp) {
			t.Fatalf("put %q in, found %q", sdp, got)
		}
		if again, err := Replace(contentType, out, sdp); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("once %q, twice %q, %v", out, again, err)
		}
		if bytes.Contains(bytes.ToLower(b), []byte("content-length")) {
			return // its digits follow
		}
		if want := len(b) - len(old) + len(sdp); len(out) != want {
			t.Fatalf("%d bytes, want %d", len(out), want)
		}
	})
}
