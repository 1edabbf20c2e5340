package offer

import (
	"fmt"
	"strconv"
	"strings"
)

// Codec is one payload type of an RTP stream.
type Codec struct {
	Name     string // as written in rtpmap or by RFC 3551; "" when neither says
	Payload  int    // 0 to 127
	Clock    int    // Hz, 0 when unknown
	Channels int    // 1 when not said
	Fmtp     string // format parameters, "" when none
}

// Codecs returns the codecs in the order of the m= line, which is the order of
// preference (RFC 3264 section 5.1). A stream that is not RTP has none.
func (m *Stream) Codecs() []Codec {
	if !m.RTP() {
		return nil
	}
	maps, params := m.byPayload("rtpmap"), m.byPayload("fmtp")
	var all []Codec
	for _, format := range m.formats() {
		payload := number(format)
		if payload < 0 {
			continue
		}
		c, ok := parseMap(maps[payload])
		if !ok {
			c = static(payload)
		}
		c.Payload, c.Fmtp = payload, params[payload]
		all = append(all, c)
	}
	return all
}

// byPayload returns the values of a per-payload attribute, the first of each.
func (m *Stream) byPayload(name string) map[int]string {
	values := map[int]string{}
	for _, l := range m.lines[1:] {
		value, ok := attrValue(l.text, name)
		if !ok {
			continue
		}
		payload, rest := payloadOf(value)
		if _, again := values[payload]; !again {
			values[payload] = rest
		}
	}
	return values
}

// parseMap reads "opus/48000/2".
func parseMap(text string) (c Codec, ok bool) {
	f := strings.Split(strings.TrimSpace(text), "/")
	if f[0] == "" {
		return Codec{}, false
	}
	c = Codec{Name: f[0], Channels: 1}
	if len(f) > 1 {
		c.Clock = positive(f[1])
	}
	if len(f) > 2 {
		c.Channels = max(1, positive(f[2]))
	}
	return c, true
}

// positive reads a number below 2^31, else 0.
func positive(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// static is RFC 3551 tables 4 and 5.
func static(payload int) Codec {
	audio := func(name string, clock int) Codec { return Codec{Name: name, Clock: clock, Channels: 1} }
	switch payload {
	case 0:
		return audio("PCMU", 8000)
	case 3:
		return audio("GSM", 8000)
	case 4:
		return audio("G723", 8000)
	case 5:
		return audio("DVI4", 8000)
	case 6:
		return audio("DVI4", 16000)
	case 7:
		return audio("LPC", 8000)
	case 8:
		return audio("PCMA", 8000)
	case 9:
		return audio("G722", 8000)
	case 10:
		return Codec{Name: "L16", Clock: 44100, Channels: 2}
	case 11:
		return audio("L16", 44100)
	case 12:
		return audio("QCELP", 8000)
	case 13:
		return audio("CN", 8000)
	case 14:
		return audio("MPA", 90000)
	case 15:
		return audio("G728", 8000)
	case 16:
		return audio("DVI4", 11025)
	case 17:
		return audio("DVI4", 22050)
	case 18:
		return audio("G729", 8000)
	}
	return staticVideo(payload)
}

func staticVideo(payload int) Codec {
	c := Codec{Clock: 90000, Channels: 1}
	switch payload {
	case 25:
		c.Name = "CelB"
	case 26:
		c.Name = "JPEG"
	case 28:
		c.Name = "nv"
	case 31:
		c.Name = "H261"
	case 32:
		c.Name = "MPV"
	case 33:
		c.Name = "MP2T"
	case 34:
		c.Name = "H263"
	default:
		return Codec{Channels: 1}
	}
	return c
}

// event reports telephone-event (RFC 4733).
func (c Codec) event() bool { return strings.EqualFold(c.Name, "telephone-event") }

// speaks reports a codec that can carry the stream alone, which events, comfort
// noise, redundancy, retransmission and error correction cannot.
func (c Codec) speaks() bool {
	switch strings.ToLower(c.Name) {
	case "telephone-event", "tone", "cn", "red", "rtx", "ulpfec", "flexfec", "flexfec-03", "parityfec":
		return false
	}
	return true
}

// needs returns the payloads that c repeats: apt of rtx (RFC 4588 section 8.6),
// the list of red (RFC 2198 section 5).
func (c Codec) needs() (payloads []int) {
	switch {
	case strings.EqualFold(c.Name, "rtx"):
		for param := range strings.SplitSeq(c.Fmtp, ";") {
			if apt, ok := strings.CutPrefix(strings.TrimSpace(param), "apt="); ok {
				payloads = append(payloads, number(apt))
			}
		}
	case strings.EqualFold(c.Name, "red"):
		for word := range strings.SplitSeq(c.Fmtp, "/") {
			if n := number(strings.TrimSpace(word)); n >= 0 {
				payloads = append(payloads, n)
			}
		}
	}
	return payloads
}

// wish is a codec as a script names it: "opus", "opus/48000", "opus/48000/2".
type wish struct {
	name            string
	clock, channels int // 0: any
}

type wishes []wish

func parseWishes(names []string) (wishes, error) {
	all := make(wishes, 0, len(names))
	for _, name := range names {
		f := strings.Split(name, "/")
		w := wish{name: f[0]}
		if len(f) > 1 {
			w.clock = positive(f[1])
		}
		if len(f) > 2 {
			w.channels = positive(f[2])
		}
		if w.name == "" || len(f) > 3 || len(f) > 1 && w.clock == 0 || len(f) > 2 && w.channels == 0 {
			return nil, fmt.Errorf("%q is not a codec: write name, name/rate or name/rate/channels", name)
		}
		all = append(all, w)
	}
	return all, nil
}

// rank returns the place of the first wish that c meets, len(all) when none.
func (all wishes) rank(c Codec) int {
	for i, w := range all {
		if strings.EqualFold(w.name, c.Name) &&
			(w.clock == 0 || w.clock == c.Clock) && (w.channels == 0 || w.channels == c.Channels) {
			return i
		}
	}
	return len(all)
}

func (all wishes) has(c Codec) bool { return all.rank(c) < len(all) }

// ratedEvents reports whether events are wished for with their rate.
func (all wishes) ratedEvents() bool {
	for _, w := range all {
		if strings.EqualFold(w.name, "telephone-event") && w.clock != 0 {
			return true
		}
	}
	return false
}
