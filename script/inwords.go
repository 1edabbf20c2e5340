package script

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// briefly is what decisions of one kind have in common: of targets the trunk or
// that they are a URI, not whom they ring.
func briefly(d b2bua.Decision) string {
	switch e := d.(type) {
	case b2bua.Route:
		return "route " + trunksOf(e.Targets)
	case b2bua.Next:
		return strings.TrimSpace("next " + trunksOf(e.Targets))
	case b2bua.Reject:
		return fmt.Sprintf("reject %d", e.Code)
	case b2bua.Redirect:
		return fmt.Sprintf("redirect %d", e.Code)
	case b2bua.HangUp:
		return fmt.Sprintf("hang up %d", e.Code)
	case b2bua.Failed:
		return "an error"
	case nil:
		return "the default"
	}
	name := fmt.Sprintf("%T", d)
	return strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
}

func trunksOf(targets []b2bua.Target) string {
	var names []string
	for _, t := range targets {
		switch {
		case t.Trunk != "" && t.URI == "":
			names = append(names, t.Trunk)
		case t.AOR != "":
			names = append(names, "a registered user")
		default:
			names = append(names, "a URI")
		}
	}
	return strings.Join(names, ", ")
}

// inWords is a decision with all that it says, and its place.
func inWords(d b2bua.Decided) string {
	text := briefly(d.Decision)
	switch e := d.Decision.(type) {
	case b2bua.Route:
		text = "route" + targetsInWords(e.Targets) + settingsOf(e)
	case b2bua.Next:
		text = "next" + targetsInWords(e.Targets)
		for _, h := range e.Headers {
			text += " with " + h.Name
		}
	case b2bua.Reject:
		text += " " + e.Reason
	case b2bua.Redirect:
		for _, contact := range e.Contacts {
			text += " " + message.MaskURI(contact)
		}
	case b2bua.Failed:
		text += ": " + problemOf(e.Err).Msg
	}
	text = bounded(strings.TrimSpace(text))
	if d.Where != "" {
		text += " (" + d.Where + ")"
	}
	return text
}

func targetsInWords(targets []b2bua.Target) (text string) {
	for i, t := range targets {
		if i > 0 {
			text += ","
		}
		for _, part := range []string{t.Trunk, t.User, t.Host, message.MaskURI(t.URI), message.MaskURI(t.AOR)} {
			if part != "" {
				text += " " + part
			}
		}
	}
	return text
}

// settingsOf are the parts of a route besides its targets that are not as usual.
func settingsOf(r b2bua.Route) (text string) {
	for _, one := range []struct {
		name  string
		value any
	}{
		{"try", r.Try}, {"ring", r.Ring}, {"budget", r.Budget}, {"max_duration", r.MaxDuration}, {"strategy", r.Strategy},
	} {
		if !reflect.ValueOf(one.value).IsZero() {
			text += fmt.Sprintf(" %s=%v", one.name, one.value)
		}
	}
	if !reflect.DeepEqual(r.Headers, trunk.Headers{}) {
		text += " with headers"
	}
	return text
}

// written is a message that a hook has edited, on one side of a comparison.
type written struct {
	sign  string
	msg   *message.Message // nil: the hook has none
	edits []b2bua.Edit
}

// differing are the lines of two messages that are not in both, and the fields
// that these are of. Credentials are not shown.
func differing(live, shadow written) (lines, fields []string) {
	if live.msg == nil || shadow.msg == nil {
		return nil, nil
	}
	a, b := linesOf(live.msg), linesOf(shadow.msg)
	if slices.Equal(a, b) {
		return nil, nil
	}
	more := map[[2]string]int{} // than in the other
	for _, l := range a {
		more[l]++
	}
	for _, l := range b {
		more[l]--
	}
	for _, one := range []struct {
		written
		other *written
		lines [][2]string
		more  int
	}{{live, &shadow, a, 1}, {shadow, &live, b, -1}} {
		for _, l := range one.lines {
			if more[l]*one.more <= 0 {
				continue
			}
			more[l] -= one.more
			if len(lines) < maxLines {
				lines = append(lines, one.sign+bounded(message.Mask(l[0]+": "+l[1]))+one.place(l[0], one.other))
			}
			if !slices.Contains(fields, l[0]) && len(fields) < maxLines {
				fields = append(fields, l[0])
			}
		}
	}
	if len(fields) == 0 { // the same ones
		return nil, []string{"order of fields"}
	}
	slices.Sort(fields)
	return lines, fields
}

// place is the line of the script that wrote a field last, or that of the other
// side that took it away; "": none is known.
func (w *written) place(field string, other *written) string {
	if at := w.line(field); at != "" {
		return " (" + at + ")"
	}
	if at := other.line(field); at != "" {
		return " (not so at " + at + ")"
	}
	return ""
}

func (w *written) line(field string) string {
	for _, e := range slices.Backward(w.edits) {
		if e.File != "" && (message.Same(e.Name, field) || field == uriLine && e.Name == "uri" || field == "body" && e.Name == "sdp") {
			return e.File + ":" + strconv.Itoa(e.Line)
		}
	}
	return ""
}

const uriLine = "Request-URI"

// linesOf is a message as fields: its first line and its body are two of them.
func linesOf(m *message.Message) [][2]string {
	lines := [][2]string{{uriLine, m.URI}}
	if m.Status > 0 {
		lines[0] = [2]string{"status", statusOf(m)}
	}
	for _, h := range m.Headers {
		lines = append(lines, [2]string{message.LongName(h.Name), h.Value})
	}
	for line := range strings.Lines(string(m.Body)) {
		lines = append(lines, [2]string{"body", strings.TrimSpace(line)})
	}
	return lines
}
