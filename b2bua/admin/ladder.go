package admin

import (
	"net/http"
	"strconv"
	"strings"
)

// Ladder says how a call is to be shown.
type Ladder struct {
	Form        Form
	Width       int  // of text, in columns; 0: any
	Colour      bool // of text
	MaskNumbers bool // as well as the secrets
}

// Form of a ladder.
type Form string

// The forms, as the parameter format names them.
const (
	FormText Form = "text"
	FormHTML Form = "html" // one page that needs nothing else
	FormJSON Form = "json"
)

// kind is its media type.
func (f Form) kind() string {
	switch f {
	case FormHTML:
		return "text/html; charset=utf-8"
	case FormJSON:
		return "application/json"
	default:
		return "text/plain; charset=utf-8"
	}
}

// ladder shows one call as the client wants it: by the parameter format, else by
// Accept, else as text.
func (a *api) ladder(w http.ResponseWriter, r *http.Request) {
	want, why := readLadder(r)
	if why != "" {
		refuse(w, http.StatusBadRequest, why)
		return
	}
	body, ok, err := a.History.Ladder(r.PathValue("id"), want)
	switch {
	case err != nil:
		a.log.Error("ladder can't be drawn", "call", r.PathValue("id"), "err", err)
		refuse(w, http.StatusInternalServerError, "the ladder can't be drawn")
		return
	case !ok:
		refuse(w, http.StatusNotFound, "no call "+strconv.Quote(r.PathValue("id"))+" is remembered")
		return
	}
	if want.Form == FormHTML {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")
	}
	w.Header().Set("Content-Type", want.Form.kind())
	_, _ = w.Write(body) // the peer has gone if this fails
}

// readLadder reads the parameters; why says what is wrong with them.
func readLadder(r *http.Request) (want Ladder, why string) {
	var err error
	q := r.URL.Query()
	if text := q.Get("width"); text != "" {
		if want.Width, err = strconv.Atoi(text); err != nil || want.Width < 1 || want.Width > 1000 {
			return want, "width is a number of columns from 1 to 1000"
		}
	}
	if text := q.Get("colour"); text != "" {
		if want.Colour, err = strconv.ParseBool(text); err != nil {
			return want, "colour is true or false"
		}
	}
	if want.MaskNumbers, why = masks(r); why != "" {
		return want, why
	}
	switch f := Form(q.Get("format")); f {
	case FormText, FormHTML, FormJSON:
		want.Form = f
	case "":
		want.Form = accepted(r.Header.Get("Accept"))
	default:
		return want, "format is text, html or json"
	}
	return want, ""
}

// masks reads the parameter mask.
func masks(r *http.Request) (numbers bool, why string) {
	switch r.URL.Query().Get("mask") {
	case "":
		return false, ""
	case "numbers":
		return true, ""
	}
	return false, "mask is numbers; secrets always are masked"
}

// accepted is the first form that an Accept names.
func accepted(field string) Form {
	for one := range strings.SplitSeq(field, ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(one), ";")
		switch strings.ToLower(kind) {
		case "text/html":
			return FormHTML
		case "application/json":
			return FormJSON
		}
	}
	return FormText
}
