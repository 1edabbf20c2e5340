// Package q850 translates between SIP status codes and the causes of Q.850,
// by the tables of RFC 3398. It knows nothing of messages: who reads or writes
// a Reason header (RFC 3326) asks here.
package q850

// ToSIP is the status code for a cause (RFC 3398 section 7.2.4.1). A cause
// that the table leaves out has the code of its class; one outside of 1-127,
// and 16, normal clearing, which is a BYE or CANCEL and no failure, have none.
func ToSIP(cause int) (code int, ok bool) {
	if cause < 1 || cause > 127 || cause == 16 {
		return 0, false
	}
	if code, ok := codes[cause]; ok {
		return code, true
	}
	return classes[cause>>4], true
}

// FromSIP is the cause for a final status code (RFC 3398 section 8.2.6.1). An
// unknown code is treated as the x00 of its class (RFC 3261 section 8.1.3.2);
// codes below 300 have no cause.
func FromSIP(code int) (cause int, ok bool) {
	if code < 300 || code > 699 {
		return 0, false
	}
	if cause, ok := causes[code]; ok {
		return cause, true
	}
	return causes[code/100*100], true
}

// Text is the name of a cause, "" for one that Q.850 does not have.
func Text(cause int) string { return texts[cause] }

// classes are the codes for Q.850's classes, by the upper three bits.
var classes = [8]int{
	0: 480, 1: 480, // normal event
	2: 503, // resource unavailable
	3: 503, // service or option not available
	4: 501, // service or option not implemented
	5: 500, // invalid message
	6: 500, // protocol error
	7: 500, // interworking
}

var codes = map[int]int{
	1: 404, 2: 404, 3: 404,
	17: 486, 18: 408, 19: 480, 20: 480, 21: 403, 22: 410, 23: 410, 26: 404, 27: 502, 28: 484, 29: 501, 31: 480,
	34: 503, 38: 503, 41: 503, 42: 503, 47: 503,
	55: 403, 57: 403, 58: 503,
	65: 488, 70: 488, 79: 501,
	87: 403, 88: 503,
	102: 504, 111: 500,
	127: 500,
}

// causes has, besides the table of the RFC: 487 as normal clearing, for the
// caller has hung up; 488 and 606 as the bearer capability they are about,
// where the RFC would look at a Warning header; 607 and 608 as rejected (RFC
// 8197, RFC 8688); and a redirection that nobody follows as what 23 means.
var causes = map[int]int{
	300: 23,
	400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127, 414: 127, 415: 79,
	416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17, 487: 16, 488: 65,
	500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127,
	600: 17, 603: 21, 604: 1, 606: 65, 607: 21, 608: 21,
}

var texts = map[int]string{
	1: "Unallocated (unassigned) number", 2: "No route to specified transit network", 3: "No route to destination",
	4: "Send special information tone", 5: "Misdialled trunk prefix", 6: "Channel unacceptable",
	7: "Call awarded and being delivered in an established channel", 8: "Preemption", 9: "Preemption - circuit reserved for reuse",
	14: "QoR: ported number", 16: "Normal call clearing", 17: "User busy", 18: "No user responding",
	19: "No answer from user (user alerted)", 20: "Subscriber absent", 21: "Call rejected", 22: "Number changed",
	23: "Redirection to new destination", 24: "Call rejected due to feature at the destination", 25: "Exchange routing error",
	26: "Non-selected user clearing", 27: "Destination out of order", 28: "Invalid number format (address incomplete)",
	29: "Facility rejected", 30: "Response to STATUS ENQUIRY", 31: "Normal, unspecified",
	34: "No circuit/channel available", 38: "Network out of order", 39: "Permanent frame mode connection out of service",
	40: "Permanent frame mode connection operational", 41: "Temporary failure", 42: "Switching equipment congestion",
	43: "Access information discarded", 44: "Requested circuit/channel not available", 46: "Precedence call blocked",
	47: "Resource unavailable, unspecified", 49: "Quality of service not available", 50: "Requested facility not subscribed",
	53: "Outgoing calls barred within CUG", 55: "Incoming calls barred within CUG", 57: "Bearer capability not authorized",
	58: "Bearer capability not presently available", 62: "Inconsistency in designated outgoing access information and subscriber class",
	63: "Service or option not available, unspecified", 65: "Bearer capability not implemented", 66: "Channel type not implemented",
	69: "Requested facility not implemented", 70: "Only restricted digital information bearer capability is available",
	79: "Service or option not implemented, unspecified", 81: "Invalid call reference value", 82: "Identified channel does not exist",
	83: "A suspended call exists, but this call identity does not", 84: "Call identity in use", 85: "No call suspended",
	86: "Call having the requested call identity has been cleared", 87: "User not member of CUG", 88: "Incompatible destination",
	90: "Non-existent CUG", 91: "Invalid transit network selection", 95: "Invalid message, unspecified",
	96: "Mandatory information element is missing", 97: "Message type non-existent or not implemented",
	98:  "Message not compatible with call state or message type non-existent or not implemented",
	99:  "Information element/parameter non-existent or not implemented",
	100: "Invalid information element contents", 101: "Message not compatible with call state", 102: "Recovery on timer expiry",
	103: "Parameter non-existent or not implemented, passed on", 110: "Message with unrecognized parameter, discarded",
	111: "Protocol error, unspecified", 127: "Interworking, unspecified",
}
