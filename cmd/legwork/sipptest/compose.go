package sipptest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// composer writes SIPp's XML for a story.
type composer struct {
	story
	out     strings.Builder
	kept    []string           // variables, each of which SIPp wants to be used
	dialogs map[string]*spoken // by name
	at      int                // the step that is written
}

// spoken is a dialog as far as it has got.
type spoken struct {
	callID  string
	ours    bool // we sent its first request
	cseq    int
	invite  int // CSeq of our latest INVITE
	sentAt  int // step of our latest INVITE
	failed  bool
	version int // of our SDP
	tag     string
	peer    bool // its tag is in variable toN
}

// compose makes a scenario file of a story.
func compose(text string) (string, error) {
	s, err := readStory(text)
	if err != nil {
		return "", err
	}
	c := &composer{story: s, dialogs: map[string]*spoken{}}
	c.out.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"story\">\n")
	for i := 0; i < len(s.steps); {
		if i, err = c.write(i); err != nil {
			return "", err
		}
	}
	if len(c.kept) > 0 {
		slices.Sort(c.kept)
		fmt.Fprintf(&c.out, "<Reference variables=%q/>\n", strings.Join(slices.Compact(c.kept), ","))
	}
	c.out.WriteString("</scenario>\n")
	return c.out.String(), nil
}

// write writes a step, or two parts in either order, and returns the step after
// it.
func (c *composer) write(i int) (next int, err error) {
	if c.steps[i].mark == "" {
		c.step(i, "")
		return i + 1, nil
	}
	and, done := c.marked(i, "and"), c.marked(i, "done")
	if c.steps[i].mark != "both" || and < 0 || done < and || and == i+1 || done == and+1 || c.steps[i+1].sent || c.steps[and+1].sent {
		return 0, errors.New("story: both, and, done with something received first between each")
	}
	first, second := fmt.Sprintf("first%d", i), fmt.Sprintf("done%d", i)
	c.step(i+1, first)
	c.stretch(and+1, done)
	c.stretch(i+1, and)
	fmt.Fprintf(&c.out, "<nop next=%q/>\n<label id=%q/>\n", second, first)
	c.stretch(i+2, and)
	c.stretch(and+1, done)
	fmt.Fprintf(&c.out, "<label id=%q/>\n", second)
	return done + 1, nil
}

func (c *composer) stretch(from, to int) {
	for i := from; i < to; i++ {
		c.step(i, "")
	}
}

// marked finds a mark behind a step; -1: none.
func (c *composer) marked(i int, mark string) int {
	for j := i + 1; j < len(c.steps); j++ {
		if c.steps[j].mark == mark {
			return j
		}
	}
	return -1
}

// step writes one step. What is received need not come when there is a label to
// go to when it does.
func (c *composer) step(i int, label string) {
	st := c.steps[i]
	c.at = i
	switch d := c.dialog(st); {
	case st.pause != "":
		fmt.Fprintf(&c.out, "<pause milliseconds=%q/>\n", st.pause)
	case !st.sent:
		c.receive(st, d, label)
	case st.status > 0:
		c.respond(st, d)
	default:
		c.request(st, d)
	}
}

func (c *composer) dialog(st step) *spoken {
	d := c.dialogs[st.dialog]
	if d == nil && st.message() {
		d = &spoken{callID: "[call_id]", ours: st.sent, tag: "[pid]-[call_number]-" + st.dialog}
		if st.dialog != "1" { // SIPp looks for its calls behind the slashes
			d.callID = st.dialog + "///[call_id]"
		}
		c.dialogs[st.dialog] = d
	}
	return d
}

// keep notes that a variable is assigned, and returns its name.
func (c *composer) keep(name string) string {
	c.kept = append(c.kept, name)
	return name
}

// request sends a request, the first of a dialog or within one.
func (c *composer) request(st step, d *spoken) {
	branch := c.at
	switch st.method {
	case "ACK", "CANCEL":
		if st.method == "CANCEL" || d.failed {
			branch = d.sentAt
		}
	case "INVITE":
		d.cseq++
		d.invite, d.sentAt = d.cseq, c.at
	default:
		d.cseq++
	}
	cseq := d.cseq
	if st.method == "ACK" || st.method == "CANCEL" {
		cseq = d.invite
	}
	from, to, uri := c.ends(st, d)
	if st.uri != "" {
		uri = st.uri
	}
	c.send(st, d, st.method != "ACK", fmt.Sprintf("%s %s SIP/2.0", st.method, uri), []string{
		"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-" + strconv.Itoa(branch),
		"Max-Forwards: 70", from, to, "Call-ID: " + d.callID, fmt.Sprintf("CSeq: %d %s", cseq, st.method), contact(st.method, "alice"),
	})
}

// ends are From, To and Request-URI of a request of ours.
func (c *composer) ends(st step, d *spoken) (from, to, uri string) {
	const callee = "sip:[service]@[remote_ip]:[remote_port]"
	if !d.ours {
		return "From:[$to" + st.dialog + "];tag=" + cmp.Or(st.tag, d.tag), "To:[$from" + st.dialog + "]", "[$uri" + st.dialog + "]"
	}
	from, to, uri = `From: "Alice" <sip:alice@[local_ip]:[local_port]>;tag=`+d.tag, "To: <"+callee+">", callee
	switch {
	case st.method == "ACK" && d.failed:
		to = "[last_To:]"
		if d.peer {
			uri = "[$uri" + st.dialog + "]"
		}
	case d.peer && st.method != "CANCEL":
		to, uri = "To:[$to"+st.dialog+"]", "[$uri"+st.dialog+"]"
	}
	return from, to, uri
}

func contact(method, user string) string {
	switch method {
	case "ACK", "BYE", "CANCEL", "PRACK", "INFO", "MESSAGE", "PUBLISH":
		return ""
	}
	return "Contact: <sip:" + user + "@[local_ip]:[local_port];transport=[transport]>"
}

// respond answers the request of an earlier step.
func (c *composer) respond(st step, d *spoken) {
	head := []string{"[last_Via:]", "[last_Record-Route:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]"}
	if c.lastReceived() != st.of {
		n := strconv.Itoa(st.of)
		head = []string{"Via:[$via" + n + "]", "From:[$rf" + n + "]", "To:[$rt" + n + "]", "Call-ID: " + d.callID, "CSeq:[$cseq" + n + "]"}
	}
	if c.opens(st.of) && st.status > 100 {
		i := slices.IndexFunc(head, func(h string) bool { return h == "[last_To:]" || strings.HasPrefix(h, "To:") })
		head[i] += ";tag=" + cmp.Or(st.tag, d.tag)
	}
	if st.status < 400 {
		user := "bob"
		if d.ours {
			user = "alice"
		}
		head = append(head, contact(st.method, user))
	}
	c.send(st, d, st.method == "INVITE" && st.status >= 200, fmt.Sprintf("SIP/2.0 %d Story", st.status), head)
}

// opens tells whether a received request has no tag of ours.
func (c *composer) opens(of int) bool {
	name, method := c.steps[of].dialog, c.steps[of].method
	if c.dialogs[name].ours {
		return false
	}
	first := slices.IndexFunc(c.steps, func(s step) bool { return s.message() && s.dialog == name })
	if first == of || method == "CANCEL" {
		return true
	}
	// Again after a challenge.
	return c.steps[first].method == method && !slices.ContainsFunc(c.steps[:of], func(s step) bool {
		return s.dialog == name && s.sent && s.status > 100 && s.status < 300
	})
}

func (c *composer) lastReceived() int {
	for i := c.at - 1; i >= 0; i-- {
		if st := c.steps[i]; st.message() && !st.sent {
			return i
		}
	}
	return -1
}

// send writes a message whose parts replace headers of its head.
func (c *composer) send(st step, d *spoken, repeat bool, start string, head []string) {
	kind, body := c.body(st, d)
	for _, p := range st.parts {
		if p.name == "" {
			continue
		}
		text := p.name + ": " + p.value
		if strings.HasPrefix(p.name, "[") {
			text = p.name
		}
		if i := slices.IndexFunc(head, func(h string) bool { return strings.HasPrefix(strings.TrimPrefix(h, "[last_"), p.name+":") }); i >= 0 {
			head[i] = text
			if p.not {
				head[i] = ""
			}
		} else if !p.not {
			head = append(head, text)
		}
	}
	head = slices.DeleteFunc(head, func(h string) bool { return h == "" })
	c.out.WriteString("<send")
	if repeat && !st.once {
		c.out.WriteString(` retrans="500"`)
	}
	c.out.WriteString("><![CDATA[\n" + start + "\n" + strings.Join(head, "\n") + "\n")
	if kind == "" {
		c.out.WriteString("Content-Length: 0\n\n")
	} else {
		c.out.WriteString("Content-Type: " + kind + "\nContent-Length: [len]\n\n" + body)
	}
	c.out.WriteString("]]></send>\n")
}

func (c *composer) body(st step, d *spoken) (kind, text string) {
	for _, p := range st.parts {
		if p.name == "" {
			kind, text, _ = strings.Cut(p.value, " ")
			return kind, strings.ReplaceAll(text, `\n`, "\n") + "\n"
		}
	}
	if st.sdp == "" {
		return "", ""
	}
	d.version++
	text = fmt.Sprintf("v=0\no=story 2890844526 %d IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n", d.version)
	text += "m=audio [media_port] RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n"
	if st.sdp != "sdp" {
		text += "a=" + st.sdp + "\n"
	}
	return "application/sdp", text
}

// receive waits for a message and looks at it.
func (c *composer) receive(st step, d *spoken, label string) {
	if st.status > 0 {
		fmt.Fprintf(&c.out, "<recv response=\"%d\"", st.status)
	} else {
		fmt.Fprintf(&c.out, "<recv request=%q", st.method)
	}
	if st.optional || label != "" {
		c.out.WriteString(` optional="true"`)
	}
	if label != "" {
		fmt.Fprintf(&c.out, " next=%q", label)
	}
	if st.auth {
		c.out.WriteString(` auth="true"`)
	}
	c.out.WriteString("><action>\n")
	c.remember(st, d)
	for i, p := range st.parts {
		if p.with != "" {
			c.compare(p)
			continue
		}
		where, pattern := "msg", within(p.name)+value(p.value)
		if p.name == "" {
			where, pattern = "body", p.value
		} else if p.not && p.value == "" {
			pattern = within(p.name)
		}
		name := c.keep(fmt.Sprintf("got%dx%d", c.at, i))
		if p.keep != "" {
			name += "," + c.keep(p.keep)
		}
		c.look(where, pattern, name, !p.not)
	}
	c.out.WriteString("</action></recv>\n")
	if st.method == "INVITE" && st.status >= 200 {
		d.failed = st.status >= 300
	}
}

// compare looks whether two variables are the same: SIPp puts none into a
// pattern.
func (c *composer) compare(p part) {
	pair := c.keep(fmt.Sprintf("pair%d%s%s", c.at, p.keep, p.with))
	fmt.Fprintf(&c.out, "<assignstr assign_to=%q value=\"[$%s] [$%s]\"/>\n", pair, p.keep, p.with)
	check := "check_it"
	if p.not {
		check = "check_it_inverse"
	}
	fmt.Fprintf(&c.out, `<ereg regexp="^([^ ]*) \1$" search_in="var" variable=%q %s="true" assign_to=%q/>`+"\n", pair, check, c.keep("is"+pair))
}

// remember keeps what later steps say again.
func (c *composer) remember(st step, d *spoken) {
	if st.status > 0 {
		c.look("msg", within("CSeq")+"[0-9]+ "+st.method, c.keep(fmt.Sprintf("of%d", c.at)), true)
		if makes := st.method == "INVITE" || st.method == "SUBSCRIBE"; d.ours && makes && st.status > 100 && st.status < 300 {
			c.look("msg", line("To"), c.group("to"+st.dialog), true)
			c.look("msg", within("Contact")+"[^[:cntrl:]]*<([^>]*)>", c.group("uri"+st.dialog), st.status >= 200)
			d.peer = true
		}
		return
	}
	if st.uri != "" {
		c.look("msg", "^"+st.method+" "+st.uri, c.keep(fmt.Sprintf("ruri%d", c.at)), true)
	}
	if !d.ours && d.cseq == 0 && c.opens(c.at) && st.method != "CANCEL" {
		c.look("msg", line("From"), c.group("from"+st.dialog), true)
		c.look("msg", line("To"), c.group("to"+st.dialog), true)
		c.look("msg", within("Contact")+"[^[:cntrl:]]*<([^>]*)>", c.group("uri"+st.dialog), false)
	}
	n := strconv.Itoa(c.at)
	for _, h := range [][2]string{{"Via", "via"}, {"From", "rf"}, {"To", "rt"}, {"CSeq", "cseq"}} {
		c.look("msg", line(h[0]), c.group(h[1]+n), true)
	}
}

// group are the variables for a pattern with one group that name keeps.
func (c *composer) group(name string) string { return c.keep("all"+name) + "," + c.keep(name) }

func (c *composer) look(where, pattern, names string, must bool) {
	check := "check_it"
	if strings.HasPrefix(names, "got") && !must {
		check, must = "check_it_inverse", true
	}
	quoted := strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;", ">", "&gt;").Replace(pattern)
	fmt.Fprintf(&c.out, "<ereg regexp=\"%s\" search_in=%q %s=\"%t\" assign_to=%q/>\n", quoted, where, check, must, names)
}

// line is a pattern for a header whose group is its value, with the space
// before it.
func line(header string) string { return "[[:cntrl:]]" + header + ":([^[:cntrl:]]*)" }

// within is a pattern for a header up to its value.
func within(header string) string { return "[[:cntrl:]]" + header + ":[ ]*" }

// value makes a pattern stay within a header's value.
func value(pattern string) string {
	var b strings.Builder
	if p, ok := strings.CutPrefix(pattern, "^"); ok {
		pattern = p
	} else {
		b.WriteString("[^[:cntrl:]]*")
	}
	escaped, class := false, false
	for i, r := range pattern {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '[' && !class:
			class = true
		case r == ']' && class && pattern[i-1] != ':':
			class = false
		case r == '.' && !class:
			b.WriteString("[^[:cntrl:]]")
			continue
		case r == '$' && i == len(pattern)-1:
			b.WriteString("[[:cntrl:]]")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
