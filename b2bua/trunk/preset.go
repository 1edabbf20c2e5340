package trunk

import "legwork/b2bua/message"

// kind of a header, as the presets see it.
type kind uint8

const (
	private  kind = iota // names our side, a hop, or is unknown: transparent only
	crossing             // end to end: edge and transparent
	content              // describes the body and goes wherever the body goes
	owned                // made by the engine on each leg, never copied
)

// Owned tells whether the engine makes this header on each leg itself, so that
// no rule passes or sets it.
func Owned(name string) bool { return kindOf(name) == owned }

// kindOf knows each header by the RFC that defines it. Identities cross here;
// who may see them is a matter of Trust.
func kindOf(name string) kind {
	if len(name) == 1 {
		name = message.LongName(name)
	}
	var buf [32]byte
	if len(name) > len(buf) {
		return private
	}
	lower := buf[:len(name)]
	for i := range lower {
		if lower[i] = name[i]; lower[i] >= 'A' && lower[i] <= 'Z' {
			lower[i] |= 0x20
		}
	}
	if k := kindOfCore(lower); k != private {
		return k
	}
	return kindOfExtension(lower)
}

// kindOfCore has RFC 3261 section 20 and what SIP cannot do without.
func kindOfCore(lower []byte) kind {
	switch string(lower) {
	// Transaction, dialog and framing.
	case "via", "call-id", "cseq", "from", "to", "contact", "route", "record-route",
		"max-forwards", "content-length", "timestamp",
		"rseq", "rack", // RFC 3262: reliability ends at each leg
		"session-expires", "min-se", // RFC 4028: so do session timers
		"require", "proxy-require", "supported", "unsupported": // option tags are agreed on by leg
		return owned
	case "content-type", "content-encoding", "content-language", "content-disposition",
		"content-id", // RFC 8262
		"mime-version":
		return content
	case "accept", "accept-encoding", "accept-language", "alert-info", "call-info", "date",
		"error-info", "expires", "min-expires", "organization", "priority",
		"reply-to", "retry-after", "subject":
		return crossing
	// Names a host of ours: Warning. Tells our software: Server, User-Agent.
	// Means one hop: Authorization, Authentication-Info, Proxy-Authenticate,
	// Proxy-Authorization, WWW-Authenticate. Is said anew: Allow. Has Call-IDs that
	// the other side alone knows: In-Reply-To.
	default:
		return private
	}
}

// kindOfExtension has the extensions with an end-to-end meaning. Replaces,
// Join and Target-Dialog name dialogs, which differ on each leg; Path,
// Service-Route, Security-*, P-Charging-*, P-Access-Network-Info,
// P-Visited-Network-ID, Max-Breadth and Feature-Caps are for hops.
func kindOfExtension(lower []byte) kind {
	switch string(lower) {
	case "privacy", // RFC 3323
		"p-asserted-identity", "p-preferred-identity", // RFC 3325
		"remote-party-id",           // draft-ietf-sip-privacy-04
		"diversion",                 // RFC 5806
		"history-info",              // RFC 7044
		"identity", "identity-info", // RFC 8224, 4474
		"p-asserted-service", "p-preferred-service", // RFC 6050
		"p-associated-uri",                                        // RFC 7315
		"accept-contact", "reject-contact", "request-disposition", // RFC 3841
		"reason",                // RFC 3326
		"referred-by",           // RFC 3892
		"refer-to", "refer-sub", // RFC 3515, 4488
		"session-id",                                              // RFC 7989
		"user-to-user",                                            // RFC 7433
		"geolocation", "geolocation-routing", "geolocation-error", // RFC 6442
		"resource-priority", "accept-resource-priority", // RFC 4412
		"p-early-media",                   // RFC 5009
		"answer-mode", "priv-answer-mode", // RFC 5373
		"event", "allow-events", "subscription-state", // RFC 6665
		"sip-etag", "sip-if-match", "suppress-if-match", // RFC 3903, 5839
		"info-package", "recv-info": // RFC 6086
		return crossing
	}
	return private
}
