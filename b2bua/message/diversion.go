package message

import (
	"slices"
	"strconv"
	"strings"
)

// DiversionForm is how a neighbour is told who diverted a call (RFC 7544).
type DiversionForm uint8

// AnyDiversion leaves what there is.
const (
	AnyDiversion      DiversionForm = iota
	HistoryForm                     // History-Info (RFC 7044)
	DiversionOnlyForm               // Diversion (RFC 5806)
	BothForms
	NoDiversion // neither
)

// ParseDiversionForm reads a form as configuration and scripts write it.
func ParseDiversionForm(s string) (f DiversionForm, ok bool) {
	i := slices.Index([]string{"keep", "history", "diversion", "both", "none"}, s)
	return DiversionForm(max(i, 0)), i >= 0
}

// maxDiversions bounds the diversions of one call that are told.
const maxDiversions = 20

// unknownParty stands for a diversion of which only the count is known.
const unknownParty = "sip:unknown@unknown.invalid"

// diversion is one user that sent the call on.
type diversion struct {
	display, uri string // without cause and headers
	reason       string // of RFC 5806: user-busy ...
	private      bool   // wants to stay unknown
	public       bool   // does not
}

// TellDiversion writes who diverted a call in that form and no other. Diversions
// that the message tells in it stay; else it is made of the other form, so that
// applying it again changes nothing. In a response nothing is made.
func (m *Message) TellDiversion(form DiversionForm) {
	history, listed := m.List("History-Info"), m.List("Diversion")
	if form == AnyDiversion || len(history)+len(listed) == 0 {
		return
	}
	if form == HistoryForm || form == BothForms {
		if m.IsRequest() && len(listed) > 0 && len(diversionsOf(history)) == 0 {
			m.replaceList("History-Info", m.asHistory(readDiversions(listed)))
		}
	} else {
		m.Del("History-Info")
	}
	if form == DiversionOnlyForm || form == BothForms {
		if m.IsRequest() && len(listed) == 0 {
			m.replaceList("Diversion", asDiversions(diversionsOf(history), asksFor(m.Get("Privacy"), "history")))
		}
	} else {
		m.Del("Diversion")
	}
}

func (m *Message) replaceList(name string, values []string) {
	if len(values) == 0 {
		return
	}
	m.Del(name)
	for _, value := range values {
		m.Add(name, value)
	}
}

// readDiversions reads Diversion, which has the last one first, and returns the
// first one first. A counter above 1 stands for others before (RFC 7544 section
// 5.1).
func readDiversions(listed []string) []diversion {
	var all []diversion
	for _, one := range listed {
		a, err := ParseAddr(one)
		if err != nil {
			continue
		}
		d := diversion{display: a.Display, uri: a.URI}
		d.reason, _ = a.Params.Get("reason")
		privacy, said := a.Params.Get("privacy")
		d.public = strings.EqualFold(privacy, "off")
		d.private = said && !d.public
		all = append(all, d)
		counter, _ := a.Params.Get("counter")
		n, _ := strconv.Atoi(counter)
		for range min(max(n, 1)-1, maxDiversions) {
			all = append(all, diversion{uri: unknownParty, reason: "unknown"})
		}
	}
	all = all[:min(len(all), maxDiversions)]
	slices.Reverse(all)
	return all
}

// asHistory writes a chain of History-Info that ends at the Request-URI: each
// entry has the cause for which the one before it sent the call on.
func (m *Message) asHistory(all []diversion) []string {
	if len(all) == 0 {
		return nil
	}
	entries, index := make([]string, 0, len(all)+1), ""
	write := func(a Addr, d diversion, before *diversion) {
		u := asSIP(a.URI, m.URI)
		switch u.Headers = ""; {
		case d.private:
			u.Headers = "Privacy=history"
		case d.public:
			u.Headers = "Privacy=none"
		}
		last := index
		if index += ".1"; before == nil {
			index = "1"
		}
		a.Params = Params{{"index", index, true}}
		u.Params.Del("cause")
		if before != nil {
			u.Params.Set("cause", strconv.Itoa(causeOf(before.reason)))
			a.Params.Set("mp", last)
		}
		a.URI = u.String()
		entries = append(entries, a.String())
	}
	var before *diversion
	for i := range all {
		write(Addr{Display: all[i].display, URI: all[i].uri}, all[i], before)
		before = &all[i]
	}
	write(Addr{URI: m.URI}, diversion{}, before)
	return entries
}

// asSIP gives a telephone number the form that can have a cause: that of a URI at
// the host that the call goes to.
func asSIP(uri, at string) URI {
	u, err := ParseURI(uri)
	if err != nil || u.Scheme != "tel" {
		return u
	}
	sip, err := ParseURI(at)
	if err != nil || !sip.IsSIP() {
		sip = URI{Host: "unknown.invalid"}
	}
	return URI{Scheme: "sip", User: u.User, Host: sip.Host, Params: Params{{"user", "phone", true}}}
}

// diversionsOf reads History-Info, the first diversion first: an entry with a
// cause that means one (RFC 4458) tells that of its mp, else of the entry before.
// The former way is a Reason in the entry of who diverted (RFC 4244).
func diversionsOf(history []string) []diversion {
	history = history[:min(len(history), maxDiversions+1)]
	var all []diversion
	entries := make(map[string]Addr, len(history))
	before := ""
	for i, text := range history {
		a, err := ParseAddr(text)
		if err != nil {
			continue
		}
		index, said := a.Params.Get("index")
		if !said {
			index = "#" + strconv.Itoa(i)
		}
		entries[index] = a
		by := before
		if mp, ok := a.Params.Get("mp"); ok {
			by = mp
		}
		before = index
		who, known := entries[by]
		if u, err := ParseURI(a.URI); known && err == nil {
			if reason := reasonOf(&u, who.URI); reason != "" {
				all = append(all, diverted(who, reason))
			}
		}
	}
	return all
}

// reasonOf is why the call came to a URI of History-Info; "": it was not diverted
// there.
func reasonOf(to *URI, from string) string {
	cause, ok := to.Params.Get("cause")
	if !ok {
		u, err := ParseURI(from)
		if err != nil {
			return ""
		}
		for _, f := range headersIn(&u) {
			if one := (&Message{Headers: []Header{f}}).SIPCause(); one != 0 && Same(f.Name, "Reason") {
				cause = strconv.Itoa(one)
			}
		}
	}
	code, err := strconv.Atoi(cause)
	if err != nil {
		return ""
	}
	for _, c := range causes() {
		if c.code == code {
			return c.reason
		}
	}
	return ""
}

// diverted is what an entry of History-Info says of who it is.
func diverted(a Addr, reason string) diversion {
	d := diversion{display: a.Display, uri: a.URI, reason: reason}
	u, err := ParseURI(a.URI)
	if err != nil {
		return d
	}
	for _, f := range headersIn(&u) {
		if Same(f.Name, "Privacy") {
			d.private = d.private || asksFor(f.Value, "history")
			d.public = d.public || asksFor(f.Value, "none")
		}
	}
	u.Headers = ""
	u.Params.Del("cause")
	d.uri = u.String()
	return d
}

// asksFor tells whether a Privacy has that among its values.
func asksFor(privacy, what string) bool {
	for one := range strings.FieldsFuncSeq(privacy, func(r rune) bool { return strings.ContainsRune(";, \t", r) }) {
		if strings.EqualFold(one, what) {
			return true
		}
	}
	return false
}

func headersIn(u *URI) []Header {
	fields, err := uriFields(u.Headers)
	if err != nil {
		return nil
	}
	return fields
}

// asDiversions writes Diversion, the last one first. Those of which only the count
// is known count with the next that is known.
func asDiversions(all []diversion, private bool) []string {
	var list []string
	counter := 1
	for i, d := range all {
		if strings.HasPrefix(d.uri, unknownParty) && i < len(all)-1 {
			counter++
			continue
		}
		a := Addr{Display: d.display, URI: d.uri, Params: Params{{"reason", d.reason, true}, {"counter", strconv.Itoa(counter), true}}}
		switch {
		case d.private || private:
			a.Params.Set("privacy", "full")
		case d.public:
			a.Params.Set("privacy", "off")
		}
		list, counter = append(list, a.String()), 1
	}
	slices.Reverse(list)
	return list
}

type cause struct {
	reason string
	code   int
}

// causes are the reasons of RFC 5806 and the causes of RFC 4458, by RFC 7544
// section 5; the first of a kind is the one that is written. All other reasons
// are 404.
func causes() []cause {
	return []cause{
		{"unknown", 404},
		{"unconditional", 302},
		{"user-busy", 486},
		{"no-answer", 408},
		{"deflection", 480},
		{"deflection", 487},
		{"unavailable", 503},
	}
}

func causeOf(reason string) int {
	for _, c := range causes() {
		if strings.EqualFold(c.reason, reason) {
			return c.code
		}
	}
	return 404
}

// HideHistory makes those entries of History-Info anonymous whose Privacy says so
// (RFC 7044 section 10.1.2); their index, and so that they were there, stays.
func (m *Message) HideHistory() {
	before := m.List("History-Info")
	after, hidden := make([]string, 0, len(before)), false
	for _, text := range before {
		a, err := ParseAddr(text)
		if err == nil && diverted(a, "").private {
			hidden = true
			u, _ := ParseURI(a.URI)
			cause, _ := u.Params.Get("cause")
			a.Display, a.URI = "", "sip:anonymous@anonymous.invalid"
			if cause != "" {
				a.URI += ";cause=" + cause
			}
			text = a.String()
		}
		after = append(after, text)
	}
	if hidden {
		m.replaceList("History-Info", after)
	}
}
