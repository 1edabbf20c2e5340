package luatest

import (
	"fmt"
	"net/netip"

	"github.com/pion/sdp/v3"
)

// mediaPort is where agents say they listen; nobody sends media.
const mediaPort = 40000

// offer is what an agent offers when the test says nothing else: G.711 both
// ways and telephone-event.
func offer(at netip.Addr, version uint64) ([]byte, error) {
	s := description(at, version)
	audio := sdp.NewJSEPMediaDescription("audio", nil)
	audio.ConnectionInformation = nil // its 0.0.0.0 would be a hold
	audio.MediaName.Port = sdp.RangedPort{Value: mediaPort}
	audio.MediaName.Protos = []string{"RTP", "AVP"}
	audio.WithCodec(8, "PCMA", 8000, 0, "").WithCodec(0, "PCMU", 8000, 0, "").WithCodec(101, "telephone-event", 8000, 0, "0-16")
	audio.WithPropertyAttribute(sdp.AttrKeySendRecv)
	s.MediaDescriptions = []*sdp.MediaDescription{audio}
	return marshal(s)
}

// answer accepts the audio streams of an offer with all their codecs and
// refuses the rest (RFC 3264 section 6).
func answer(at netip.Addr, version uint64, offered []byte) ([]byte, error) {
	var o sdp.SessionDescription
	if err := o.UnmarshalString(string(offered)); err != nil {
		return nil, fmt.Errorf("the offer is no SDP: %w", err)
	}
	s := description(at, version)
	for _, m := range o.MediaDescriptions {
		s.MediaDescriptions = append(s.MediaDescriptions, accept(m, direction(&o, m)))
	}
	return marshal(s)
}

func accept(m *sdp.MediaDescription, towards string) *sdp.MediaDescription {
	one := &sdp.MediaDescription{MediaName: m.MediaName}
	one.MediaName.Port = sdp.RangedPort{}
	if m.MediaName.Media != "audio" || m.MediaName.Port.Value == 0 {
		return one
	}
	one.MediaName.Port.Value = mediaPort
	for _, a := range m.Attributes {
		if a.Key == "rtpmap" || a.Key == "fmtp" || a.Key == "ptime" {
			one.Attributes = append(one.Attributes, a)
		}
	}
	return one.WithPropertyAttribute(towards)
}

// direction is the offered one seen from here.
func direction(s *sdp.SessionDescription, m *sdp.MediaDescription) string {
	mirror := map[string]string{"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive", "sendrecv": "sendrecv"}
	for _, attributes := range [][]sdp.Attribute{m.Attributes, s.Attributes} {
		for _, a := range attributes {
			if towards, ok := mirror[a.Key]; ok {
				return towards
			}
		}
	}
	return "sendrecv"
}

func description(at netip.Addr, version uint64) *sdp.SessionDescription {
	family := "IP4"
	if at.Is6() {
		family = "IP6"
	}
	return &sdp.SessionDescription{
		Origin:      sdp.Origin{Username: "-", SessionID: 1, SessionVersion: version, NetworkType: "IN", AddressType: family, UnicastAddress: at.String()},
		SessionName: "-",
		ConnectionInformation: &sdp.ConnectionInformation{
			NetworkType: "IN", AddressType: family, Address: &sdp.Address{Address: at.String()},
		},
		TimeDescriptions: []sdp.TimeDescription{{}},
	}
}

func marshal(s *sdp.SessionDescription) ([]byte, error) {
	b, err := s.Marshal()
	if err != nil {
		return nil, fmt.Errorf("write SDP: %w", err)
	}
	return b, nil
}
