package offer

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
)

// seeds returns the bodies in testdata by name.
func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.sdp")
	if err != nil || len(names) < 20 {
		t.Fatalf("%d seeds, %v", len(names), err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(name), ".sdp")] = body
	}
	return all
}

// seed parses one body of testdata.
func seed(t testing.TB, name string) *Session {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name + ".sdp")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(body))
}

func parse(t testing.TB, body string) *Session {
	t.Helper()
	s, err := Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// body makes an SDP of one audio stream and these lines behind its m= line.
func body(m string, lines ...string) string {
	head := []string{"v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", m}
	return strings.Join(append(head, lines...), "\r\n") + "\r\n"
}

// has checks which lines are in a text and which, led by "!", are not.
func has(t *testing.T, text []byte, lines ...string) {
	t.Helper()
	all := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	for _, want := range lines {
		want, absent := strings.CutPrefix(want, "!")
		found := false
		for _, l := range all {
			found = found || l == want
		}
		if found == absent {
			t.Errorf("line %q: present %v in\n%s", want, found, text)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUneditedSDPKeepsEveryByte(t *testing.T) {
	all := seeds(t)
	for name, text := range map[string]string{
		"no last line end": "v=0\r\no=x\r\ns=",
		"mixed line ends":  "v=0\no=x\r\ns=- \n\r\n\n",
		"one line":         "v=0",
		"unknown lines":    "v=0\r\nX=?\r\n?=\r\na=\r\nm=a\t1/0  q  *\t\r\ny=\r\n",
		"eight bit":        "v=0\r\ns=Gr\xfc\xdfe \xe2\x82\xac\r\n",
	} {
		all[name] = []byte(text)
	}
	for name, in := range all {
		s, err := Parse(in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if out := s.Bytes(); !bytes.Equal(out, in) {
			t.Errorf("%s: %q became %q", name, in, out)
		}
	}
}

func TestParseRefusesWhatIsNoSDP(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":          {"", ErrSyntax},
		"text":             {"hello", ErrSyntax},
		"other version":    {"v=1\r\n", ErrSyntax},
		"leading blank":    {"\r\nv=0\r\n", ErrSyntax},
		"not x=":           {"v=0\r\nfoo\r\n", ErrSyntax},
		"one letter":       {"v=0\r\na", ErrSyntax},
		"CR inside":        {"v=0\r\na=x\ry\r\n", ErrSyntax},
		"CR at the end":    {"v=0\r\na=x\r", ErrSyntax},
		"NUL":              {"v=0\r\na=x\x00\r\n", ErrSyntax},
		"empty m":          {"v=0\r\nm=\r\n", ErrSyntax},
		"short m":          {"v=0\r\nm=audio 1 RTP/AVP\r\n", ErrSyntax},
		"blank first in m": {"v=0\r\nm= audio 1 RTP/AVP 0\r\n", ErrSyntax},
		"odd blanks in m":  {"v=0\r\nm=audio\v1\fRTP/AVP\u00a00\r\n", ErrSyntax},
		"RFC 4475 dblreq":  {"v=0\r\nm=audio 49217 RTP/AVP 0 12\r\nm =video 3227 RTP/AVP 31\r\n", ErrSyntax},
		"port too big":     {"v=0\r\nm=audio 65536 RTP/AVP 0\r\n", ErrSyntax},
		"port is negative": {"v=0\r\nm=audio -1 RTP/AVP 0\r\n", ErrSyntax},
		"port is a word":   {"v=0\r\nm=audio x RTP/AVP 0\r\n", ErrSyntax},
		"65 streams":       {"v=0\r\n" + strings.Repeat("m=audio 1 RTP/AVP 0\r\n", 65), ErrTooLarge},
		"4097 lines":       {"v=0\n" + strings.Repeat("a=\n", 4096), ErrTooLarge},
		"65536 bytes":      {"v=0\ns=" + strings.Repeat("x", 65530), ErrTooLarge},
	} {
		if _, err := Parse([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestLargestSDPIsAccepted(t *testing.T) {
	for name, text := range map[string]string{
		"64 streams":  "v=0\r\n" + strings.Repeat("m=audio 1 RTP/AVP 0\r\n", 64),
		"4096 lines":  "v=0\n" + strings.Repeat("a=\n", 4095),
		"65535 bytes": "v=0\ns=" + strings.Repeat("x", 65529),
	} {
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewLinesEndAsTheFirstOneDoes(t *testing.T) {
	for _, end := range []string{"\r\n", "\n"} {
		text := strings.ReplaceAll(body("m=audio 1 RTP/AVP 0"), "\r\n", end)
		for _, in := range []string{text, strings.TrimSuffix(text, end)} {
			s := parse(t, in)
			must(t, s.Audio().SetDirection(SendOnly))
			if want := text + "a=sendonly" + end; string(s.Bytes()) != want {
				t.Errorf("%q, want %q", s.Bytes(), want)
			}
		}
	}
}

func TestStreamsAreFoundByKindAndPlace(t *testing.T) {
	s := seed(t, "webrtc")
	all := s.Media()
	if len(all) != 3 || s.Audio() != all[0] || s.Video() != all[1] || all[2].Kind() != "application" {
		t.Fatalf("%d streams, audio %p, video %p of %p", len(all), s.Audio(), s.Video(), all)
	}
	all[0] = nil
	if s.Media()[0] == nil {
		t.Error("the caller's slice is the session's")
	}
	s = seed(t, "sipp")
	if s.Video() != nil {
		t.Error("a video stream where there is none")
	}
	if a := s.Audio(); a.Port() != 6000 || a.Protocol() != "RTP/AVP" || !a.RTP() || a.Removed() {
		t.Errorf("port %d, protocol %s", a.Port(), a.Protocol())
	}
}

func TestOtherParsersReadWhatWasEdited(t *testing.T) {
	for name := range seeds(t) {
		s := seed(t, name)
		if (&sdp.SessionDescription{}).Unmarshal(s.Bytes()) != nil {
			t.Logf("%s: the other parser refuses it unedited too", name)
			continue
		}
		s.Hold()
		must(t, s.Strip("ice", "crypto", "video"))
		must(t, s.SetConnection("2001:db8::9"))
		must(t, s.SetOrigin(Origin{"legwork", "1", "2", "192.0.2.9"}))
		for _, m := range s.Media() {
			_ = m.Keep("PCMU", "opus")
			must(t, m.Prefer("opus"))
			must(t, m.SetPTime(30))
			must(t, m.SetAttr("x-edit", "yes"))
		}
		var other sdp.SessionDescription
		if err := other.Unmarshal(s.Bytes()); err != nil {
			t.Errorf("%s: %v in\n%s", name, err, s.Bytes())
		}
		if len(other.MediaDescriptions) != len(s.Media()) {
			t.Errorf("%s: %d streams, want %d", name, len(other.MediaDescriptions), len(s.Media()))
		}
	}
}
