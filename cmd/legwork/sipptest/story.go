package sipptest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A story is a scenario with one line for each message, of which compose makes
// SIPp's XML:
//
//	> INVITE +sdp | Supported: 100rel      sends a request, with SDP and a header
//	<? 100                                 a message that may come or not
//	< 183 | Require: 100rel | $n RSeq: ([0-9]+)
//	> PRACK | RAck: [$n] 1 INVITE
//	< 200 PRACK                            a response to PRACK
//	< 200 | !Require: | = a=sendonly       no such header; what the body holds
//	pause 50                               milliseconds in which nothing may come
//	both                                   what stands up to "and", and up to
//	and                                    "done", in either order; each begins
//	done                                   with something received
//
// Words after the method or status: a method that a response belongs to, unless it is
// that of the latest request of the other direction; the Request-URI, sent as it
// stands, received as a pattern; +sdp, +sendonly, +recvonly, +sendrecv and
// +inactive, a body; tag=x, our tag in a response, for a callee who forks; @2,
// another dialog than the first, with a Call-ID of its own that belongs to the
// same SIPp call; auth, on a 401 or 407 that a header [authentication ...]
// answers; once, for a request that SIPp is not to repeat: until its response it
// would send nothing else.
//
// Parts after a " | ": a header; when received, a POSIX pattern for some part
// of its value (^ and $ hold at its ends, and . stays within it). "$name " before a header
// keeps the first group of the pattern; "!Name:" says that there is none. "= " is the
// body: its type and its text (\n is a line's end) when sent, a pattern when received;
// "!= " is a pattern that the body must not match. "$a == $b" and "$a != $b" compare what
// was kept.
type story struct{ steps []step }

// step is one line. What is sent or received has a method or a status.
type step struct {
	sent, optional bool
	pause          string
	mark           string // both, and, done
	status         int
	method         string // of a response: the one it belongs to
	uri            string
	sdp            string // direction of the media; "sdp": none is said
	tag            string
	dialog         string
	auth, once     bool
	parts          []part
	of             int // the request that this responds to, or -1
}

// part is what stands between two bars.
type part struct {
	keep  string // variable
	name  string // of a header; "": the body
	value string
	not   bool
	with  string // keep is compared with it
}

func readStory(text string) (s story, err error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		st, err := readStep(line)
		if err != nil {
			return s, fmt.Errorf("story: %q: %w", line, err)
		}
		if err := s.add(st); err != nil {
			return s, fmt.Errorf("story: %q: %w", line, err)
		}
	}
	if len(s.steps) == 0 {
		return s, errors.New("story: empty")
	}
	return s, nil
}

func readStep(line string) (st step, err error) {
	parts := strings.Split(line, " | ")
	words := strings.Fields(parts[0])
	st = step{dialog: "1", of: -1}
	switch words[0] {
	case "both", "and", "done":
		st.mark = words[0]
		return st, nil
	case "pause":
		st.pause = strings.Join(words[1:], "")
		return st, nil
	case ">":
		st.sent = true
	case "<":
	case "<?":
		st.optional = true
	default:
		return st, errors.New("begins with none of > < <? pause both and done")
	}
	if len(words) < 2 {
		return st, errors.New("no method or status")
	}
	if st.status, err = strconv.Atoi(words[1]); err != nil {
		st.status, st.method = 0, words[1]
	}
	for _, w := range words[2:] {
		st.word(w)
	}
	for _, p := range parts[1:] {
		if err := st.part(p); err != nil {
			return st, err
		}
	}
	return st, nil
}

func (s *step) word(w string) {
	key, value, _ := strings.Cut(w, "=")
	switch {
	case strings.HasPrefix(w, "+"):
		s.sdp = w[1:]
	case strings.HasPrefix(w, "@") && len(w) == 2: // else a placeholder
		s.dialog = w[1:]
	case key == "tag":
		s.tag = value
	case w == "auth":
		s.auth = true
	case w == "once":
		s.once = true
	case s.status > 0:
		s.method = w
	default:
		s.uri = w
	}
}

func (s *step) part(text string) error {
	if s.sent && strings.HasPrefix(text, "[") { // [authentication ...]
		s.parts = append(s.parts, part{name: text})
		return nil
	}
	if m := regexp.MustCompile(`^\$(\w+) (==|!=) \$(\w+)$`).FindStringSubmatch(text); m != nil {
		s.parts = append(s.parts, part{keep: m[1], not: m[2] == "!=", with: m[3]})
		return nil
	}
	m := regexp.MustCompile(`^(?:\$(\w+) )?(!?)([A-Za-z-]*)([:=]) ?(.*)$`).FindStringSubmatch(text)
	if m == nil || (m[3] == "") != (m[4] == "=") {
		return fmt.Errorf("%q is neither a header nor a body", text)
	}
	s.parts = append(s.parts, part{keep: m[1], not: m[2] != "", name: m[3], value: m[5]})
	return nil
}

// message tells a step that is sent or received.
func (s step) message() bool { return s.pause == "" && s.mark == "" }

// add finds what a response belongs to.
func (s *story) add(st step) error {
	if st.status > 0 {
		for i, before := range slices.Backward(s.steps) {
			request := before.message() && before.status == 0 && before.sent != st.sent
			if request && before.method != "ACK" && before.dialog == st.dialog && (st.method == "" || st.method == before.method) {
				st.of, st.method = i, before.method
				break
			}
		}
		if st.of < 0 {
			return errors.New("responds to nothing")
		}
	}
	s.steps = append(s.steps, st)
	return nil
}
