package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua/number"
)

// Privacy says whether a neighbour is trusted with who calls.
type Privacy struct {
	Trust bool `yaml:"trust" doc:"true: who calls is believed from it and told to it; false: P-Asserted-Identity and Remote-Party-ID are dropped both ways, and callers who ask for Privacy are anonymous."`
}

// Codecs choose the codecs of a trunk's sessions.
type Codecs struct {
	Keep   []string `yaml:"keep" doc:"No others than these: name, name/rate or name/rate/channels; empty: all. A stream with none of them, such as video, is refused."`
	Drop   []string `yaml:"drop" doc:"Not these."`
	Prefer []string `yaml:"prefer" doc:"These first, in this order."`
}

func (r *reader) codecs(c *Codecs) {
	for _, list := range [...][]string{c.Keep, c.Drop, c.Prefer} {
		for i := range list {
			if at := &list[i]; !r.at[at].wrong && !isCodec(*at) {
				r.refuse(at, fmt.Sprintf("%q is not a codec", *at), `such as "PCMA", "opus/48000" or "opus/48000/2"`)
			}
		}
	}
	for i := range c.Drop {
		at := &c.Drop[i]
		if slices.ContainsFunc(c.Keep, func(k string) bool { return strings.EqualFold(k, *at) }) {
			r.refuse(at, fmt.Sprintf("codec %q is both kept and dropped", *at), "remove one of them")
		}
	}
}

// isCodec takes a name, and the rate and channels behind it.
func isCodec(s string) bool {
	parts := strings.Split(s, "/")
	for _, n := range parts[1:] {
		if v, err := strconv.ParseUint(n, 10, 31); err != nil || v == 0 {
			return false
		}
	}
	return len(parts) <= 3 && isToken(parts[0])
}

// Q850 says what is done with causes.
type Q850 struct {
	Add    bool           `yaml:"add" doc:"Failures, BYE and CANCEL that go to it have a cause."`
	Read   bool           `yaml:"read" doc:"A failure that comes from it has the code that its cause stands for."`
	Causes map[string]int `yaml:"causes" doc:"Status codes to causes, where add is to differ from RFC 3398 section 8.2.6.1: {486: 21}."`
	Codes  map[string]int `yaml:"codes" doc:"Causes to status codes, where read is to differ from RFC 3398 section 7.2.4.1: {21: 486}."`
}

func (r *reader) q850(q *Q850) {
	for code, cause := range q.Causes {
		if _, ok := failure(code); !ok || !isCause(strconv.Itoa(cause)) {
			r.refuse(entry{&q.Causes, code}, fmt.Sprintf("q850.causes: %s: %d is not a code and its cause", code, cause), "300 to 699: 1 to 127")
		}
	}
	for cause, code := range q.Codes {
		if !isCause(cause) || code < 400 || code > 699 {
			r.refuse(entry{&q.Codes, cause}, fmt.Sprintf("q850.codes: %s: %d is not a cause and its code", cause, code), "1 to 127: 400 to 699")
		}
	}
	if len(q.Causes) > 0 && !q.Add {
		r.refuse(&q.Causes, "q850.causes: none is sent", "set q850.add: true")
	}
	if len(q.Codes) > 0 && !q.Read {
		r.refuse(&q.Codes, "q850.codes: no cause is read", "set q850.read: true")
	}
}

func isCause(s string) bool {
	n, err := strconv.ParseUint(s, 10, 7)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}

// Numbers say how a neighbour writes telephone numbers.
type Numbers struct {
	Country   string     `yaml:"country" doc:"Two letters (ISO 3166): where numbers without a country code are dialled."`
	Format    NumberForm `yaml:"format" enum:"e164 plain national keep" doc:"e164: +4930123456; plain: 4930123456; national: 030123456, and abroad 0044...; keep: as it is."`
	URI       NumberForm `yaml:"uri" enum:"e164 plain national keep" doc:"That of the Request-URI; left out: format."`
	From      NumberForm `yaml:"from" enum:"e164 plain national keep" doc:"That of From; left out: format."`
	To        NumberForm `yaml:"to" enum:"e164 plain national keep" doc:"That of To; left out: format."`
	Identity  NumberForm `yaml:"identity" enum:"e164 plain national keep" doc:"That of P-Asserted-Identity, P-Preferred-Identity and Remote-Party-ID; left out: format."`
	UserPhone bool       `yaml:"user_phone" doc:"Numbers that are rewritten have user=phone."`
}

// NumberForm is one way to write a number.
type NumberForm string

// The values of numbers.format and its kin.
const (
	NumberE164     NumberForm = "e164"
	NumberPlain    NumberForm = "plain"
	NumberNational NumberForm = "national"
	NumberKeep     NumberForm = "keep"
)

// numbers fills in the forms that are left out, and checks.
func (r *reader) numbers(n *Numbers) {
	if n == nil || r.at[n].wrong {
		return
	}
	if n.Format == "" {
		n.Format = NumberKeep
	}
	rewrites := false
	for _, form := range [...]*NumberForm{&n.URI, &n.From, &n.To, &n.Identity} {
		if *form == "" {
			*form = n.Format
		}
		rewrites = rewrites || *form != NumberKeep
		if *form == NumberNational && n.Country == "" && !r.at[&n.Country].wrong {
			r.refuse(n, "numbers: national is of no country", "set numbers.country")
			break
		}
	}
	if n.UserPhone && !rewrites {
		r.refuse(&n.UserPhone, "numbers.user_phone: no number is rewritten", "set numbers.format")
	}
	if c := n.Country; c != "" && (len(c) != 2 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		r.refuse(&n.Country, fmt.Sprintf("numbers.country: %q is not a country", c), "two capital letters, such as DE")
	} else if c != "" && !number.Known(c) {
		r.refuse(&n.Country, fmt.Sprintf("numbers.country: there is no country %q", c), "its letters in ISO 3166, such as DE, or GB for the United Kingdom")
	}
}

// Diversion is how a neighbour is told who diverted a call.
type Diversion string

// The values of diversion.
const (
	DiversionKeep    Diversion = "keep"
	DiversionHistory Diversion = "history"
	DiversionOnly    Diversion = "diversion"
	DiversionBoth    Diversion = "both"
	DiversionNone    Diversion = "none"
)
