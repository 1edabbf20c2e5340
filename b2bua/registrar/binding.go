package registrar

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"legwork/b2bua/message"
)

// Binding is one place where the user of an address of record can be reached.
type Binding struct {
	// Contact is the URI as registered. It may be of any scheme and hold
	// headers or a method, which have no place in a Request-URI.
	Contact   string
	Q         float64 // 0 to 1; 1 when none was given
	Expires   time.Time
	Path      []string // values of Route on the way to it (RFC 3327)
	Flow      string   // Origin's; leads to the first of Path when there is one
	Source    string
	Transport string
	// Instance and RegID name the user agent and its flow (RFC 5626 section 6).
	// RegID is 0 when either was not given: then Contact tells bindings apart.
	Instance   string
	RegID      uint32
	CallID     string
	CSeq       uint32
	Registered time.Time // or refreshed

	text string // Contact as an address with its parameters, without expires
	id   identity
}

// maxParams bounds the parameters of a Contact, and those of its URI.
const maxParams = 32

var errContact = errors.New("a contact can't be read")

// bind makes a binding of an address that was registered or kept.
func bind(a message.Addr) (Binding, error) {
	u, err := message.ParseURI(a.URI)
	if err != nil || len(a.Params) > maxParams || len(u.Params) > maxParams || !isVisible(a.URI) {
		return Binding{}, errContact
	}
	for _, p := range a.Params {
		if !message.IsToken(p.Name) || !isParamValue(p.Value) {
			return Binding{}, errContact
		}
	}
	b := Binding{Contact: a.URI, Q: 1, text: a.String(), id: identify(u)}
	if q, ok := a.Params.Get("q"); ok {
		if b.Q, ok = parseQ(q); !ok {
			return Binding{}, errContact
		}
	}
	b.Instance, _ = a.Params.Get("+sip.instance")
	if text, ok := a.Params.Get("reg-id"); ok && b.Instance != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n == 0 {
			return Binding{}, errContact
		}
		b.RegID = uint32(n)
	}
	return b, nil
}

// same tells whether a REGISTER for one is meant for the other: by instance and
// flow when either has them (RFC 5626 section 6), else by URI.
func (b *Binding) same(o *Binding) bool {
	if b.RegID != 0 || o.RegID != 0 {
		return b.RegID == o.RegID && b.Instance == o.Instance
	}
	return b.id.same(&o.id)
}

// sortBindings puts them in the order to try them.
func sortBindings(list []Binding) {
	slices.SortStableFunc(list, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(b.Q, a.Q), b.Registered.Compare(a.Registered))
	})
}

// parseQ reads a qvalue; digits beyond the third pass.
func parseQ(s string) (float64, bool) {
	if s == "" || strings.Trim(s, ".0123456789") != "" {
		return 0, false
	}
	q, err := strconv.ParseFloat(s, 64)
	return q, err == nil && q <= 1
}

// isParamValue accepts a token, a host or one whole quoted string (RFC 3261
// section 25.1, gen-value): what stands behind it is still read as parameters.
func isParamValue(s string) bool {
	if !strings.HasPrefix(s, `"`) {
		return isVisible(s) && !strings.ContainsAny(s, "\"<>,;\\")
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i == len(s)-1 && isText(s)
		}
	}
	return false
}

// isVisible accepts US-ASCII without white space and controls.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// isText accepts what JSON gives back unchanged and a header line can hold.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// format is the version of what encode writes. Another process may be of
// another version: it must not take half of what it reads.
const format = 1

type entry struct {
	Format   int   `json:"v"`
	Bindings []row `json:"b"`
}

// row is a binding in the store; times in milliseconds since 1970.
type row struct {
	Contact    string   `json:"c"`
	Expires    int64    `json:"e"`
	Registered int64    `json:"r"`
	CallID     string   `json:"i"`
	CSeq       uint32   `json:"n"`
	Path       []string `json:"p,omitempty"`
	Flow       string   `json:"f,omitempty"`
	Source     string   `json:"s,omitempty"`
	Transport  string   `json:"t,omitempty"`
}

func encode(list []Binding) (string, error) {
	rows := make([]row, len(list))
	for i := range list {
		b := &list[i]
		rows[i] = row{
			b.text, b.Expires.UnixMilli(), b.Registered.UnixMilli(),
			b.CallID, b.CSeq, b.Path, b.Flow, b.Source, b.Transport,
		}
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	err := e.Encode(entry{format, rows})
	return strings.TrimSuffix(text.String(), "\n"), err
}

// decode trusts nothing: whoever can write to the store could put a line end
// into a header.
func decode(text string) ([]Binding, error) {
	var k entry
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return nil, err
	}
	if k.Format != format {
		return nil, fmt.Errorf("format is %d, want %d", k.Format, format)
	}
	list := make([]Binding, len(k.Bindings))
	for i, w := range k.Bindings {
		a, err := message.ParseAddr(w.Contact)
		if err != nil {
			return nil, errContact
		}
		b, err := bind(a)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(w.Path, func(hop string) bool { return !isText(hop) }) {
			return nil, errors.New("a path can't be read")
		}
		b.Expires, b.Registered = time.UnixMilli(w.Expires), time.UnixMilli(w.Registered)
		b.CallID, b.CSeq, b.Path = w.CallID, w.CSeq, w.Path
		b.Flow, b.Source, b.Transport = w.Flow, w.Source, w.Transport
		list[i] = b
	}
	return list, nil
}
