package cucm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
	"legwork/script/lua"
)

// Side is the direction of a message, as seen from us.
type Side string

// What comes from the trunk, what goes to it.
const (
	Inbound  Side = "inbound"
	Outbound Side = "outbound"
)

// Handler is one message handler, such as M.outbound_18X_INVITE.
type Handler struct {
	Side      Side
	Key       string // "INVITE", "18X INVITE", "ANY ANY"
	File      string
	Line      int
	low, high int    // statuses; 0 to 0 is a request
	method    string // or "ANY"
	fn        *glua.LFunction
}

const wild = "ANY"

func (h *Handler) meets(side Side, m *message.Message) bool {
	return h.Side == side && m.Status >= h.low && m.Status <= h.high && (h.method == wild || h.method == m.Method)
}

// Provisional tells whether it meets a 1xx that crosses.
func (h *Handler) Provisional() bool { return h.low <= 199 && h.high > 100 }

// compare puts the more specific first: the exact status, 18X, 1XX, ANY; then
// the exact method.
func (h Handler) compare(other Handler) int {
	anyMethod := func(h Handler) int {
		if h.method == wild {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(h.high-h.low, other.high-other.low), cmp.Compare(anyMethod(h), anyMethod(other)))
}

// Pick is the one handler that runs for a message, or nil.
func (s *Script) Pick(side Side, m *message.Message) *Handler {
	for i := range s.handlers {
		if s.handlers[i].meets(side, m) {
			return &s.handlers[i]
		}
	}
	return nil
}

// handlersOf reads the table that a script returned.
func handlersOf(file string, v glua.LValue) (all []Handler, warnings []lua.Problem, err error) {
	t, ok := v.(*glua.LTable)
	if !ok {
		return nil, nil, &lua.Error{File: file, Line: 1, Msg: "a script for CUCM returns its table of message handlers, not " +
			v.Type().String() + "; end it with \"return M\""}
	}
	if err := checkAllowed(t.RawGetString("allowHeaders")); err != nil {
		return nil, nil, &lua.Error{File: file, Line: 1, Msg: err.Error()}
	}
	t.ForEach(func(k, v glua.LValue) {
		name, isText := k.(glua.LString)
		fn, isFunction := v.(*glua.LFunction)
		if !isText || !isFunction || fn.IsG {
			return
		}
		h, fault := handlerOf(string(name))
		switch {
		case fault != "":
			warnings = append(warnings, lua.Problem{File: fn.Proto.SourceName, Line: fn.Proto.LineDefined, Msg: fault})
		case h.Side != "":
			h.File, h.Line, h.fn = fn.Proto.SourceName, fn.Proto.LineDefined, fn
			all = append(all, h)
		}
	})
	slices.SortFunc(all, func(a, b Handler) int { return cmp.Or(a.compare(b), strings.Compare(a.Key, b.Key)) })
	slices.SortFunc(warnings, func(a, b lua.Problem) int { return a.Line - b.Line })
	return all, warnings, nil
}

// checkAllowed reads allowHeaders. Here every header can be read, so that
// nothing more comes of it.
func checkAllowed(v glua.LValue) error {
	if v == glua.LNil {
		return nil
	}
	t, ok := v.(*glua.LTable)
	if !ok {
		return fmt.Errorf("M.allowHeaders is a %s; want a list of header names", v.Type())
	}
	var err error
	t.ForEach(func(_, one glua.LValue) {
		if name, ok := one.(glua.LString); !ok || !message.IsToken(string(name)) {
			err = fmt.Errorf("M.allowHeaders: %q is not the name of a header", one.String())
		}
	})
	return err
}

// handlerOf reads a name in M. A function that is no handler has no side; fault
// says what keeps one from ever running.
func handlerOf(name string) (h Handler, fault string) {
	words := strings.Split(name, "_")
	side := Side(strings.ToLower(words[0]))
	near := lua.Nearest(words[0], []string{string(Inbound), string(Outbound)})
	switch {
	case side != Inbound && side != Outbound && (near == "" || len(words) < 2 || !isUpper(words[len(words)-1])):
		return Handler{}, "" // a function of the script's own
	case words[0] != string(Inbound) && words[0] != string(Outbound):
		return Handler{}, unknown(name, cmp.Or(near, string(side))+name[len(words[0]):])
	}
	h = Handler{Side: side, Key: strings.Join(words[1:], " ")}
	switch len(words) {
	case 2:
		h.method = words[1]
	case 3:
		var ok bool
		if h.low, h.high, ok = statuses(words[1]); !ok {
			return Handler{}, fmt.Sprintf("unknown message handler %s: %q is not a status such as 180, 18X, 1XX or ANY; it never runs", name, words[1])
		}
		h.method = words[2]
	default:
		return Handler{}, unknown(name, "")
	}
	if h.method != wild && !slices.Contains(methods(), h.method) {
		near := cmp.Or(lua.Nearest(strings.ToUpper(h.method), append(methods(), wild)), strings.ToUpper(h.method))
		if near == h.method || !message.IsToken(near) {
			near = ""
		} else {
			near = strings.TrimSuffix(name, h.method) + near
		}
		return Handler{}, unknown(name, near)
	}
	return h, ""
}

func unknown(name, near string) string {
	text := "unknown message handler " + name
	if near != "" {
		text += fmt.Sprintf(", did you mean %q?", near)
	}
	return text + "; it never runs"
}

func isUpper(s string) bool { return s != "" && s == strings.ToUpper(s) && s != strings.ToLower(s) }

// statuses reads 180, 18X, 1XX or ANY.
func statuses(s string) (low, high int, ok bool) {
	if s == wild {
		return 100, 699, true
	}
	if strings.Contains(s, "x") {
		return 0, 0, false
	}
	return message.StatusSpan(s)
}

func methods() []string {
	return []string{
		"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "MESSAGE", "REFER", "NOTIFY",
		"SUBSCRIBE", "PUBLISH",
	}
}
