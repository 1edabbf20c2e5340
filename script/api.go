package script

import (
	"slices"
	"strings"

	"legwork/script/lib"
)

// Item is one thing of the API as scripts see it. The table of all Items is
// what editor stubs and the reference are made from; a test compares it with
// what is registered.
type Item struct {
	Of       string // hook, b2b, b2b.trunk, route, target, or an object: call, leg, message ...
	Name     string
	Args     string // of a function: "fmt: string, ...: any"
	Type     string // of a field, or what a function returns; in the words of LuaLS
	Function bool
	Method   bool // called with a colon
	Writable bool
	Waits    bool // a hook that may wait
	Doc      string
}

// API is the whole of it, in the order of the contract.
func API() []Item {
	return slices.Concat(
		hookItems(), callItems(), txnItems(), legItems(), messageItems(), headerItems(), uriItems(), sdpItems(), decisionItems(),
		routeItems(), targetItems(), trunkItems(), libItems(),
	)
}

func hook(name, args, returns, doc string, waits bool) Item {
	return Item{Of: "hook", Name: name, Args: args, Type: returns, Function: true, Waits: waits, Doc: doc}
}

func outside(name, doc string) Item {
	return hook(name, "txn: txn", "decision?", doc, true)
}

func field(of, name, kind, doc string) Item { return Item{Of: of, Name: name, Type: kind, Doc: doc} }

func writable(of, name, kind, doc string) Item {
	return Item{Of: of, Name: name, Type: kind, Writable: true, Doc: doc}
}

func method(of, name, args, returns, doc string) Item {
	return Item{Of: of, Name: name, Args: args, Type: returns, Function: true, Method: true, Doc: doc}
}

func function(of, name, args, returns, doc string) Item {
	return Item{Of: of, Name: name, Args: args, Type: returns, Function: true, Doc: doc}
}

func hookItems() []Item {
	const edits = "call: call, leg: leg, res: message"
	return []Item{
		hook("on_invite", "call: call", "decision?", "a new INVITE; 100 Trying is already out. nil: the configured default_route, else 404", true),
		hook("on_branch", "call: call, leg: leg, req: message", "decision?", "each INVITE towards a callee, built and not yet sent. b2b.skip() tries the next target", false),
		hook("on_progress", edits, "decision?", "101-199 from a callee, before it crosses. b2b.suppress() keeps it", false),
		hook("on_answer", edits, "decision?", "the first 2xx, before it crosses. b2b.hangup(code) ends it again", false),
		hook("on_failure", edits, "decision?", "a target ended without 2xx; res.origin says who made the failure. nil: the next target if the route's retry says so and the target has not rung, else fail", true),
		hook("on_final", "call: call, res: message", "", "the failure that is about to go to the caller", false),
		hook("on_request", "call: call, leg: leg, req: message", "decision?", "an in-dialog request; leg is where it came from. b2b.reply(code) answers it here", false),
		hook("on_response", edits, "", "a response to such a request, before it crosses", false),
		hook("on_bye", "call: call, leg: leg, req: message", "", "BYE from either leg, before it crosses", false),
		hook("on_end", "call: call, record: table", "", "both legs are gone; edits of record go to the CDR, new fields too", true),
		hook("on_refer", "call: call, leg: leg, req: message", "decision?", "REFER in a dialog; leg is where it came from. b2b.pass(), b2b.transfer{to=} or b2b.reject(code). nil: the route's refer", true),
		outside("on_register", "REGISTER. Also b2b.accept{expires=}. nil: as configured"),
		outside("on_message", "MESSAGE outside any dialog. nil: 405"),
		outside("on_options", "OPTIONS outside any dialog. nil: 200, 503 while draining"),
		outside("on_subscribe", "SUBSCRIBE outside any dialog. nil: 405"),
		outside("on_publish", "PUBLISH. nil: 405"),
		outside("on_notify", "NOTIFY outside any dialog and subscription. nil: 481"),
		outside("on_info", "INFO outside any dialog. nil: 481"),
		outside("on_service", "SERVICE outside any dialog. nil: 405"),
		outside("on_benotify", "BENOTIFY outside any dialog and subscription. nil: 481"),
		outside("on_other", "a request outside any dialog whose method has no hook: M.on_<method>, in small letters, serves any. A REFER outside any dialog comes here. nil: 405 or 501"),
		hook("on_load", "ctx: ctx", "", "the generation becomes active; runs once, on one of its VMs, so variables of a module are set at the top of the file instead. ctx:every(seconds, fn) sets a timer", false),
		hook("on_unload", "", "", "the generation is freed, after its last call", false),
		method("ctx", "every", "seconds: number, fn: fun()", "", "runs fn again and again until the generation is freed; fn may wait"),
	}
}

func callItems() []Item {
	return []Item{
		field("call", "id", "string", "names the call in log, record and API"),
		field("call", "req", "message", "the caller's INVITE, read only"),
		field("call", "params", "table<string, any>", "the values of M.params: its defaults, overridden by the params of the call's trunk"),
		field("call", "source", "source", "where the call came from"),
		writable("call", "data", "table<string, any>", "plain values that live with the call and go to its record"),
		field("call", "a", "leg", "the caller's leg"),
		field("call", "legs", "leg[]", "the callees' legs so far"),
		field("call", "attempt", "integer", "1 for the first target"),
		field("call", "elapsed", "number", "seconds since the INVITE"),
		field("call", "script", "string", "name@hash of the scripts that decide"),
		method("call", "note", "fmt: string, ...: any", "", "adds a line to log, ladder and record; more arguments as for string.format"),
		method("call", "hangup", "code?: integer", "", "ends the call; a caller without an answer gets the code (480)"),
		field("source", "ip", "string", "IP address"),
		field("source", "port", "integer", "port"),
		field("source", "transport", "string?", `"udp", "tcp", "tls", "ws" or "wss"`),
		field("source", "trunk", "string?", "name of the trunk that matched"),
		field("source", "account", "string?", "the user that digest has proved"),
		field("source", "tls_name", "string?", "a name in the peer's certificate that was verified: the one that its trunk matched, else the first"),
	}
}

func txnItems() []Item {
	return []Item{
		field("txn", "id", "string", "names the request in log and API"),
		field("txn", "req", "message", "the request, read only"),
		field("txn", "params", "table<string, any>", "as those of a call"),
		field("txn", "source", "source", "where the request came from"),
		writable("txn", "data", "table<string, any>", "plain values that live with the request: until it is answered, b2b.challenge included"),
		field("txn", "elapsed", "number", "seconds since the request"),
		field("txn", "script", "string", "name@hash of the scripts that decide"),
		method("txn", "note", "fmt: string, ...: any", "", "adds a line to the log; more arguments as for string.format"),
	}
}

func legItems() []Item {
	return []Item{
		field("leg", "role", "string", `"a" towards the caller, "b" towards a callee`),
		field("leg", "trunk", "trunk?", "the leg's neighbour"),
		field("leg", "target", "string?", "Request-URI of a callee"),
		field("leg", "rang", "boolean", "a 1xx other than 100 came"),
		field("leg", "local_host", "string?", "host:port of our side"),
		field("leg", "remote", "string?", "host:port of the peer"),
		field("trunk", "name", "string", "as configured; also tostring(trunk)"),
		field("trunk", "up", "boolean", "no penalty is running"),
		field("trunk", "trusted", "boolean?", "privacy.trust of its configuration; nil when no trunk speaks of trust"),
		field("trunk", "stats", "table<string, any>", "up, calls, attempts, answered, failed"),
		method("trunk", "penalize", "seconds: number", "", "counts it as down so long"),
	}
}

func messageItems() []Item {
	return []Item{
		field("message", "method", "string", "of a response: the method it answers"),
		writable("message", "uri", "uri?", "Request-URI; nil in a response"),
		writable("message", "status", "integer?", "of a response; it can change within its kind: 101-199, 2xx, 300-699"),
		writable("message", "reason", "string?", "reason phrase; follows status unless written"),
		field("message", "origin", "string?", `of a failure: "peer" "timeout" "transport" "dns" "local"`),
		field("message", "q850", "integer?", "cause of its Reason header"),
		field("message", "retry_after", "integer?", "seconds"),
		field("message", "contacts", "addr[]", "all Contacts"),
		writable("message", "from", "addr", "From; the tag is the engine's"),
		writable("message", "to", "addr", "To; the tag is the engine's"),
		writable("message", "contact", "addr?", "the first Contact"),
		field("message", "call_id", "string", "Call-ID"),
		field("message", "cseq", "integer", "number of CSeq"),
		field("message", "h", "h", "the header fields"),
		writable("message", "body", "string?", "the body; nil removes it and its type"),
		writable("message", "content_type", "string?", "Content-Type"),
		field("message", "parts", "table[]?", "of a multipart body: content_type, content_disposition, body; read only"),
		field("message", "sdp", "sdp?", "nil when there is none or it can't be read"),
		field("message", "identity", "addr", "P-Asserted-Identity, else Remote-Party-ID, else From; From alone when it came from a trunk that is not trusted"),
		field("message", "privacy", "string?", "Privacy"),
		field("message", "diversion", "addr[]", "the members of Diversion; copies"),
		field("message", "history", "addr[]", "the members of History-Info; copies"),
		method("message", "diversion_as", "form: string", "", `tells who diverted the call as "history", "diversion" or "both" and in no other way, as "none" not at all (RFC 7544)`),
		field("message", "source", "source?", "where it came from; nil for one made here"),
		field("message", "raw", "string?", "the bytes as received, of what crosses those it was made of; nil for one made here"),
	}
}

func headerItems() []Item {
	return []Item{
		method("h", "all", "name: string", "string[]", "every value, one per line of the message"),
		method("h", "add", "name: string, value: string", "", "appends a field"),
		method("h", "has", "name: string, token?: string", "boolean", "the field is there, or lists the token"),
		method("h", "keep", "names: string[]", "", `removes all but these, names or patterns "X-*"; From, To, Contact, Content-Type and the engine's stay`),
		method("h", "drop", "names: string[]", "", `removes these, names or patterns "X-*"`),
		method("h", "each", "pattern?: string", "fun(): string, string", "iterates over name and value"),
		method("h", "addr", "name: string", "addr?", "the first address of the field"),
	}
}

func uriItems() []Item {
	return []Item{
		writable("uri", "scheme", "string", "sip, sips, tel ..."),
		writable("uri", "user", "string?", "user or number; what may not stand there is escaped"),
		writable("uri", "password", "string?", "password"),
		writable("uri", "host", "string", "name or address; an IPv6 address in brackets"),
		writable("uri", "port", "integer?", "nil: none given"),
		field("uri", "params", "params", `uri.params.user = "phone"; "" writes the name alone, nil removes it`),
		field("uri", "headers", "params", "those behind the question mark"),
		method("params", "each", "", "fun(): string, string", "iterates over name and value"),
		writable("addr", "display", "string?", "display name"),
		writable("addr", "uri", "uri", "the URI; its parts are writable too"),
		field("addr", "params", "params", "the header's parameters"),
		field("addr", "tag", "string?", "the dialog's tag"),
		method("addr", "anonymize", "", "", "RFC 3323: Anonymous <sip:anonymous@anonymous.invalid>"),
	}
}

func sdpItems() []Item {
	return []Item{
		field("sdp", "raw", "string", "the text"),
		field("sdp", "audio", "stream?", "the first audio stream"),
		field("sdp", "video", "stream?", "the first video stream"),
		field("sdp", "media", "stream[]", "all streams"),
		writable("sdp", "connection", "string?", "address of the session"),
		method("sdp", "hold", "", "", "makes every stream sendonly or inactive (RFC 3264 section 8.4)"),
		method("sdp", "strip", "kinds: string[]", "", `removes "ice", "crypto", "video"`),
		field("stream", "kind", "string", "audio, video, image ..."),
		writable("stream", "direction", "string", "sendrecv sendonly recvonly inactive"),
		writable("stream", "ptime", "integer?", "ms per packet"),
		writable("stream", "port", "integer", "0: rejected"),
		method("stream", "codecs", "", "table[]", "name, payload, clock, channels, fmtp in order of preference"),
		method("stream", "keep", "names: string[]", "boolean?, string?", "leaves these codecs and telephone-event; nil and why when none would be left"),
		method("stream", "drop", "names: string[]", "boolean?, string?", "removes these codecs; nil and why when none would be left"),
		method("stream", "prefer", "names: string[]", "boolean?, string?", "puts these codecs first"),
		method("stream", "attr", "name: string, value?: string", "string?", "reads a=name; with a value writes it; with nil removes it"),
		method("stream", "remove", "", "", "sets port 0 and keeps the m= line"),
	}
}

func decisionItems() []Item {
	const of = "b2b"
	return []Item{
		function(of, "route", "to: route|target|string", "decision", "sends the call to a target, or tries several"),
		function(of, "reject", "code: integer, text?: string, headers?: table<string, string|string[]>", "decision", "answers the caller 400 to 699"),
		function(of, "redirect", "to: {contact: string|string[], code?: integer}", "decision", "answers the caller 3xx"),
		function(of, "challenge", "with?: {realm?: string, users?: (fun(user: string, realm: string): string|{ha1: string}|nil)|string, code?: 401|407}", "decision", "answers 401 until the caller proves by digest to be a user; then the hook is asked again, with source.account"),
		function(of, "drop", "", "decision", "leaves the caller without an answer"),
		function(of, "reply", "code: integer, text?: string, headers?: table<string, string|string[]>, body?: string", "decision", "answers a request here, in a dialog or outside"),
		function(of, "next", "to?: {to?: target|target[]|string, copy?: string[]}", "decision", "goes on with the next target, or with these; copy takes headers of the failure along"),
		function(of, "fail", "res?: message", "decision", "ends the call with this failure"),
		function(of, "skip", "", "decision", "passes a target over"),
		function(of, "suppress", "", "decision", "keeps a 1xx from the caller"),
		function(of, "hangup", "code: integer, text?: string", "decision", "ends an answered callee again; the caller gets the code"),
		function(of, "pass", "", "decision", "lets a REFER cross"),
		function(of, "transfer", "with?: {to: target|string|(target|string)[]}", "decision", "obeys a REFER here, with these in place of its Refer-To"),
		function(of, "accept", "with?: {expires?: number}", "decision", "stores the binding of a REGISTER here; expires is the most that is granted, in seconds"),
		function(of, "uri", "text: string", "uri", "a URI of its own"),
		function(of, "addr", "of: string|{display?: string, uri: string|uri}", "addr", "an address of its own"),
		function(of, "response_map", "rows: table", "response_map", "[503] = 480, [\"6xx\"] = {486, \"Busy Here\"}, [\"400-499\"] = false, {from=, origin=, q850=, to=}"),
		method("response_map", "apply", "res: message", "boolean", "tells the failure another way; true when it did"),
	}
}

func routeItems() []Item {
	return []Item{
		field("route", "to", "target|string|(target|string|(target|string)[])[]", "where to; targets in a list in the list are tried together. Required"),
		field("route", "strategy", `"serial"|"parallel"|"weighted"|"hash"|"least_loaded"`, "as listed, all at once, drawn by weight, the same for equal keys, or fewest calls for its weight first; those marked backup last. Default serial"),
		field("route", "key", "string", "of strategy hash. Default the URI of the caller's From"),
		field("route", "try", "number", "seconds to the first 1xx other than 100. Default 5"),
		field("route", "ring", "number", "seconds from there to an answer. Default 60"),
		field("route", "budget", "number", "seconds for all targets together. Default 90"),
		field("route", "retry", "(integer|string)[]", `codes, classes "5xx" and origins after which the next target is tried`),
		field("route", "headers", `{preset?: "edge"|"transparent"|"none", pass?: string[], set?: table<string, string>, drop?: string[]}`, "which of the caller's headers cross. Default preset edge"),
		field("route", "callid", `"new"|"keep"`, "Call-ID towards the callee. Default new"),
		field("route", "prack", `"interwork"|"pass"|"off"`, "100rel ends at each leg, is agreed on end to end, or is neither offered nor taken. Default the trunk's, else interwork"),
		field("route", "refer", `"pass"|"local"|"reject"`, "a REFER crosses, is obeyed here, or gets 603. Default pass"),
		field("route", "redirect", `"follow"|"pass"`, "the contacts of a 3xx are tried, or it goes to the caller. Default follow"),
		field("route", "timer", `{expires?: integer, min?: integer, refresher?: "uac"|"uas"}|false`, "session timers, in seconds; false: none. Default the trunk's, else the configuration's"),
		field("route", "early", `"pass"|"first"|"suppress"`, "which early dialogs the caller sees: all, the first, none. Default pass"),
		field("route", "media", `"direct"`, "RTP flows between caller and callee. Default direct"),
		field("route", "max_duration", "number", "seconds. Default from the configuration"),
	}
}

func targetItems() []Item {
	return []Item{
		field("target", "uri", "string|uri", "SIP URI; this, trunk or aor"),
		field("target", "trunk", "string", "a trunk's name"),
		field("target", "aor", "string|uri", "a user registered here: each of the contacts, by q"),
		field("target", "user", "string|integer", "user of the Request-URI; default the caller's"),
		field("target", "host", "string", "host of the Request-URI; default the trunk's"),
		field("target", "weight", "integer", "of strategies weighted, hash and least_loaded; 0 is tried last, like backup. Default 1"),
		field("target", "backup", "boolean", "only when the others failed"),
		field("target", "auth", "{user: string, password: string}|string", "answers its challenges; a string names the trunk whose credentials do. Default its trunk's"),
		field("target", "headers", "table<string, string|string[]>", "set on its INVITE"),
		field("target", "ring", "number", "seconds; default the route's"),
		field("target", "try", "number", "seconds; default the route's"),
		field("target", "cdr", "table<string, string|number|boolean>", "goes to the record of its attempt"),
	}
}

func trunkItems() []Item {
	const of = "b2b.trunk"
	return []Item{
		function(of, "up", "name: string", "boolean", "no penalty is running"),
		function(of, "stats", "name: string", "table<string, any>", "up, calls, attempts, answered, failed"),
		function(of, "list", "", "string[]", "the names, in order"),
	}
}

// libItems are those of package lib: "b2b.store:get" is a method, "b2b.re.find"
// a function, "http_answer.status" with ": number" a field.
func libItems() []Item {
	var items []Item
	for _, d := range lib.Docs() {
		cut := strings.LastIndexAny(d.Name, ".:")
		one := Item{Of: d.Name[:cut], Name: d.Name[cut+1:], Doc: d.Text, Method: d.Name[cut] == ':'}
		if kind, ok := strings.CutPrefix(d.Signature, ": "); ok {
			one.Type = kind
		} else {
			args, returns, _ := strings.Cut(d.Signature, ") -> ")
			one.Function, one.Args, one.Type = true, strings.TrimPrefix(args, "("), returns
		}
		items = append(items, one)
	}
	return items
}
