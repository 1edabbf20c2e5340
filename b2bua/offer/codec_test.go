package offer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// names lists the codecs of a stream as name/clock.
func names(m *Stream) string {
	var all []string
	for _, c := range m.Codecs() {
		all = append(all, fmt.Sprintf("%d:%s/%d", c.Payload, c.Name, c.Clock))
	}
	return strings.Join(all, " ")
}

func TestCodecsAreReadFromMapsAndStaticTypes(t *testing.T) {
	got := seed(t, "opus-two-rates").Audio().Codecs()
	want := []Codec{
		{"opus", 96, 48000, 2, "useinbandfec=1; maxplaybackrate=48000"},
		{"G722", 9, 8000, 1, ""},
		{"PCMA", 8, 8000, 1, ""},
		{"PCMU", 0, 8000, 1, ""},
		{"G729", 18, 8000, 1, "annexb=no"},
		{"telephone-event", 101, 48000, 1, "0-16"},
		{"telephone-event", 97, 8000, 1, "0-16"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	m := parse(t, body("m=audio 1 RTP/AVP 0 3 4 8 9 13 18 96 x 128", "a=rtpmap:3 iLBC/8000")).Audio()
	if got := names(m); got != "0:PCMU/8000 3:iLBC/8000 4:G723/8000 8:PCMA/8000 9:G722/8000 13:CN/8000 18:G729/8000 96:/0" {
		t.Error(got)
	}
}

func TestStaticTypesAreThoseOfRFC3551(t *testing.T) {
	var audio, video []string
	for n := range 128 {
		if c := static(n); c.Name != "" && n < 24 {
			audio = append(audio, fmt.Sprintf("%d:%s/%d/%d", n, c.Name, c.Clock, c.Channels))
		} else if c.Name != "" {
			video = append(video, fmt.Sprintf("%d:%s/%d", n, c.Name, c.Clock))
		}
	}
	if got := strings.Join(audio, " "); got != "0:PCMU/8000/1 3:GSM/8000/1 4:G723/8000/1 5:DVI4/8000/1 6:DVI4/16000/1 7:LPC/8000/1 "+
		"8:PCMA/8000/1 9:G722/8000/1 10:L16/44100/2 11:L16/44100/1 12:QCELP/8000/1 13:CN/8000/1 14:MPA/90000/1 "+
		"15:G728/8000/1 16:DVI4/11025/1 17:DVI4/22050/1 18:G729/8000/1" {
		t.Error(got)
	}
	if got := strings.Join(video, " "); got != "25:CelB/90000 26:JPEG/90000 28:nv/90000 31:H261/90000 32:MPV/90000 33:MP2T/90000 34:H263/90000" {
		t.Error(got)
	}
}

func TestKeepMovesPayloadMapAndParametersTogether(t *testing.T) {
	s := seed(t, "opus-two-rates")
	must(t, s.Audio().Keep("OPUS/48000"))
	has(t, s.Bytes(), "m=audio 7078 RTP/AVP 96 101",
		"a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1; maxplaybackrate=48000", "a=rtcp-fb:96 ccm tmmbr", "a=rtcp-fb:* trr-int 5000",
		"a=rtpmap:101 telephone-event/48000", "a=fmtp:101 0-16",
		"!a=rtpmap:97 telephone-event/8000", "!a=fmtp:97 0-16", "!a=rtpmap:8 PCMA/8000", "!a=fmtp:18 annexb=no", "a=ptime:20")
}

func TestKeepAndDropDecideByNameRateAndKin(t *testing.T) {
	phone := func() *Stream { return seed(t, "opus-two-rates").Audio() }
	oneEvent := func() *Stream {
		return parse(t, body("m=audio 1 RTP/AVP 96 0 101", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000")).Audio()
	}
	browser := func() *Stream { return seed(t, "webrtc").Audio() }
	video := func() *Stream { return seed(t, "webrtc").Video() }
	for _, c := range []struct {
		name string
		on   *Stream
		keep []string
		drop []string
		want string
	}{
		{"events of the lost rate go", phone(), []string{"pcmu", "PCMA/8000"}, nil, "8:PCMA/8000 0:PCMU/8000 97:telephone-event/8000"},
		{"naming the event changes nothing", phone(), []string{"PCMA", "telephone-event"}, nil, "8:PCMA/8000 97:telephone-event/8000"},
		{"a rated event is exact", phone(), []string{"PCMA", "telephone-event/48000"}, nil, "8:PCMA/8000 101:telephone-event/48000"},
		{"a rate that is not there keeps no event", phone(), []string{"PCMA", "telephone-event/16000"}, nil, "8:PCMA/8000"},
		{"the last event stays", oneEvent(), []string{"opus"}, nil, "96:opus/48000 101:telephone-event/8000"},
		{"channels count when named", phone(), []string{"opus/48000/1", "G722"}, nil, "9:G722/8000 97:telephone-event/8000"},
		{"comfort noise and red must be named", browser(), []string{"opus"}, nil, "111:opus/48000 110:telephone-event/48000"},
		{"drop takes the events along", phone(), nil, []string{"opus"}, "9:G722/8000 8:PCMA/8000 0:PCMU/8000 18:G729/8000 97:telephone-event/8000"},
		{"drop events", oneEvent(), nil, []string{"Telephone-Event"}, "96:opus/48000 0:PCMU/8000"},
		{"drop what is not there", oneEvent(), nil, []string{"GSM"}, "96:opus/48000 0:PCMU/8000 101:telephone-event/8000"},
		{"red goes with what it repeats", browser(), nil, []string{"opus"}, "9:G722/8000 0:PCMU/8000 8:PCMA/8000 13:CN/8000 126:telephone-event/8000"},
		{"rtx goes with its codec", video(), nil, []string{"AV1"}, "96:VP8/90000 97:rtx/90000"},
		{"a named rtx of a lost codec goes", video(), []string{"vp8", "rtx"}, nil, "96:VP8/90000 97:rtx/90000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.keep != nil {
				must(t, c.on.Keep(c.keep...))
			} else {
				must(t, c.on.Drop(c.drop...))
			}
			if got := names(c.on); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestLastCodecIsNeverTaken(t *testing.T) {
	for name, edit := range map[string]func(*Stream) error{
		"keep another":       func(m *Stream) error { return m.Keep("GSM") },
		"keep nothing":       func(m *Stream) error { return m.Keep() },
		"keep the events":    func(m *Stream) error { return m.Keep("telephone-event") },
		"keep comfort noise": func(m *Stream) error { return m.Keep("CN") },
		"drop all": func(m *Stream) error {
			return m.Drop("opus", "red", "G722", "PCMU", "PCMA")
		},
	} {
		s := seed(t, "webrtc")
		before := s.Bytes()
		if err := edit(s.Audio()); !errors.Is(err, ErrNoCodec) {
			t.Errorf("%s: %v", name, err)
		}
		if string(s.Bytes()) != string(before) {
			t.Errorf("%s: the stream changed", name)
		}
	}
}

func TestMisspeltCodecIsAnError(t *testing.T) {
	m := seed(t, "sipp").Audio()
	for _, name := range []string{"", "/8000", "PCMU/", "PCMU/x", "PCMU/8000/0", "PCMU/8000/1/1", "PCMU/-1"} {
		for verb, edit := range map[string]func(...string) error{"keep": m.Keep, "drop": m.Drop, "prefer": m.Prefer} {
			if err := edit(name); err == nil || errors.Is(err, ErrNoCodec) {
				t.Errorf("%s %q: %v", verb, name, err)
			}
		}
	}
}

func TestPreferMovesTheNamedToTheFront(t *testing.T) {
	s := seed(t, "opus-two-rates")
	before := s.Bytes()
	must(t, s.Audio().Prefer("opus"))
	if string(s.Bytes()) != string(before) {
		t.Error("an order that is right already was written again")
	}
	must(t, s.Audio().Prefer("pcmu", "GSM", "PCMA"))
	has(t, s.Bytes(), "m=audio 7078 RTP/AVP 0 8 96 9 18 101 97")
}

func TestEditsLeaveTheRestOfTheMediaLine(t *testing.T) {
	s := seed(t, "two-audio")
	m := s.Audio()
	must(t, m.SetPort(6000))
	has(t, s.Bytes(), "m=audio 6000/2  RTP/AVP 0  101 13")
	must(t, m.Drop("CN"))
	has(t, s.Bytes(), "m=audio 6000/2  RTP/AVP 0 101")
}

func TestStreamsOtherThanRTPHaveNoCodecs(t *testing.T) {
	s := seed(t, "t38")
	before := s.Bytes()
	fax := s.Media()[1]
	if got := fax.Codecs(); got != nil {
		t.Errorf("%v", got)
	}
	must(t, fax.Keep("PCMU"))
	must(t, fax.Drop("t38"))
	must(t, fax.Prefer("PCMU"))
	s.Hold()
	if string(s.Bytes()) != string(before) {
		t.Errorf("changed to\n%s", s.Bytes())
	}
}

func TestFirstOfTwoMapsCounts(t *testing.T) {
	m := parse(t, body("m=audio 1 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", "a=rtpmap:96 iLBC/8000")).Audio()
	if got := names(m); got != "96:opus/48000" {
		t.Error(got)
	}
}
