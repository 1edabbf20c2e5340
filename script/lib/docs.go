package lib

// A Doc is one thing that scripts find in the libraries: a function
// ("b2b.re.match"), a method ("phone_number:format"), a field
// ("http_answer.status") or a value ("b2b.json.null").
type Doc struct {
	Name string
	// Signature is "(name: type, optional?: type) -> type, type" for functions
	// and methods, ": type" for the others. Types are Lua's, classes of objects,
	// T[] for lists, and A|B.
	Signature string
	Text      string // one line
}

// Docs describes all of it, once: stubs, checks and the reference are made
// from here.
func Docs() []Doc {
	var all []Doc
	for _, part := range [][]Doc{docsShared(), docsLookup(), docsText(), docsSmall()} {
		all = append(all, part...)
	}
	return all
}

func docsShared() []Doc {
	return []Doc{
		{"b2b.store:get", "(key: string) -> any, string", "The value under the key, or nil; nil and why when the store is away."},
		{"b2b.store:set", "(key: string, value: any, ttl?: number) -> boolean|nil, string", "Keeps a copy of a plain value, for ttl seconds or for ever; nil and why when the store is full."},
		{"b2b.store:incr", "(key: string, by?: number, ttl?: number) -> number|nil, string", "Adds 1 or by to a number, 0 when there is none, and returns the sum; ttl counts from the first time."},
		{"b2b.store:cas", "(key: string, old: any, new: any, ttl?: number) -> boolean|nil, string", "Sets new if the value is still old; nil stands for no value."},
		{"b2b.store:delete", "(key: string) -> boolean|nil, string", "Removes a value and tells whether there was one."},
		{"b2b.limit.concurrent", "(key: string, max: number) -> boolean", "Counts this call under the key until it ends; false when max calls are counted already."},
		{"b2b.limit.rate", "(key: string, per_second: number, burst?: number) -> boolean", "Takes a token of the key's bucket; false when it is empty."},
		{"b2b.metric.counter", "(name: string, labels?: string[]|table<string, string>) -> counter", "A counter legwork_user_<name>_total at /metrics; labels are names, or values by name for all that it counts."},
		{"counter:inc", "(n?: number, labels?: table) -> nil", "Adds 1 or n; labels are values by name."},
		{"b2b.metric.histogram", "(name: string, buckets?: number[], labels?: string[]|table<string, string>) -> histogram", "A histogram legwork_user_<name> at /metrics; labels as those of a counter."},
		{"histogram:observe", "(value: number, labels?: table) -> nil", "Adds one observation; labels are values by name."},
	}
}

func docsLookup() []Doc {
	return []Doc{
		{"b2b.http.client", "(definition: table) -> http_client", "A client of one server: {base, timeout, headers, cache={ttl, stale, negative}, breaker={failures, window, open}}; times in seconds."},
		{"http_client:get", "(path?: string, options?: table) -> http_answer|nil, string", "GET below base, options {query, headers, timeout}. Any answer below 500 is one; else nil and why, which begins with: timeout, refused, dns, status, breaker open, too large, failed."},
		{"http_client:post", "(path?: string, options?: table) -> http_answer|nil, string", "POST, options {query, headers, timeout, body or json}."},
		{"http_answer.status", ": number", "The status code."},
		{"http_answer.ok", ": boolean", "Whether the status is below 300."},
		{"http_answer.body", ": string", "The body."},
		{"http_answer.json", ": any", "The body read as JSON; nil when it is none."},
		{"http_answer.cached", ": boolean", "Whether it came from the cache."},
		{"b2b.redis", "(name: string) -> redis_server", "A Redis of the configuration. Its methods return nil and why when they fail: timeout, refused, dns, too large, failed; a value is a text, a number of Redis is one unless it has more than 15 digits."},
		{"redis_server:get", "(key: string) -> string|nil, string", "The value under the key, or nil."},
		{"redis_server:set", "(key: string, value: string|number, ttl?: number) -> boolean|nil, string", "Sets a value, for ttl seconds or for ever."},
		{"redis_server:del", "(key: string, ...: string) -> number|nil, string", "Removes keys and counts those that were there."},
		{"redis_server:exists", "(key: string) -> boolean|nil, string", "Whether there is such a key."},
		{"redis_server:expire", "(key: string, ttl: number) -> boolean|nil, string", "Gives a key so many seconds to live; false when there is none."},
		{"redis_server:incr", "(key: string, by?: number) -> number|nil, string", "Adds 1 or by to a number, 0 when there is none, and returns the sum."},
		{"redis_server:hget", "(key: string, field: string) -> string|nil, string", "One field of a hash, or nil."},
		{"redis_server:hset", "(key: string, field: string, value: string|number) -> boolean|nil, string", "Sets a field of a hash; true when it is new."},
		{"redis_server:hdel", "(key: string, field: string) -> boolean|nil, string", "Removes a field of a hash and tells whether it was there."},
		{"redis_server:hgetall", "(key: string) -> table|nil, string", "All fields of a hash by name; empty when there is none."},
		{"redis_server:sismember", "(key: string, member: string) -> boolean|nil, string", "Whether a set has the member."},
		{"redis_server:smembers", "(key: string) -> string[]|nil, string", "All members of a set."},
		{"redis_server:eval", "(script: string, keys?: table, values?: table) -> any, string", "Runs a script in Redis, with lists as its KEYS and ARGV: for whatever has no method here."},
		{"b2b.sql", "(name: string) -> database", "A database of the configuration. Its methods return nil and why when they fail, as those of b2b.redis. Values stand for $1, $2, ... of the statement, nil for NULL."},
		{"database:query", "(statement: string, ...: any) -> table[]|nil, string", "All rows, at most 10000, each a table by column; NULL is nil, a time is seconds since 1970, a date \"2026-11-21\", a number with more than 15 digits a text, bytes and the rest are texts."},
		{"database:row", "(statement: string, ...: any) -> table|nil, string", "The first row, or nil when there is none."},
		{"database:exec", "(statement: string, ...: any) -> number|nil, string", "Does a statement and counts the rows it changed."},
		{"b2b.dns.a", "(name: string) -> string[]|nil, string", "The addresses of a name, IPv4 first; empty when there are none, nil and why when nobody knows: timeout, failed."},
		{"b2b.dns.srv", "(name: string) -> table[]|nil, string", "The SRV records of \"_sip._udp.carrier.example\", {target, port, priority, weight}, by priority."},
		{"b2b.dns.naptr", "(name: string) -> table[]|nil, string", "The NAPTR records of a name, {order, preference, flags, service, regexp, replacement}, in the order in which they apply."},
		{"b2b.dns.enum", "(number: string, tree?: string) -> table[]|nil, string", "What a number can be reached by (RFC 6116), {service, uri}, the best first; looked for in e164.arpa or another tree."},
		{"b2b.table.load", "(file: string) -> prefix_table", "Reads a CSV file of the script's folder, its first line names the columns, the first column is the key."},
		{"prefix_table:longest", "(number: string) -> table|nil", "The row whose key is the longest beginning of the number; a leading + does not count."},
		{"prefix_table:get", "(key: string) -> table|nil", "The row with exactly this key."},
		{"b2b.number.parse", "(number: string, country?: string) -> phone_number|nil, string", "Reads a number as dialled in the country (\"DE\"); nil and why when there is no such number."},
		{"b2b.number.mask", "(number: string) -> string", "Hides the last four digits, for logs."},
		{"phone_number.raw", ": string", "The text that was read."},
		{"phone_number.e164", ": string", "+493012345678"},
		{"phone_number.national", ": string", "03012345678, as dialled inside the country."},
		{"phone_number.country", ": string", "\"DE\""},
		{"phone_number.kind", ": string", "fixed mobile fixed_or_mobile toll_free premium shared_cost voip personal pager uan voicemail unknown"},
		{"phone_number:format", "(form: string) -> string", "\"e164\" \"plain\" (e164 without +) \"national\" \"rfc3966\" (tel: URI)."},
	}
}

func docsText() []Doc {
	return []Doc{
		{"b2b.re.match", "(text: string, pattern: string) -> string|nil", "The groups of the first match of an RE2 pattern, the match itself when it has none; or nil."},
		{"b2b.re.find", "(text: string, pattern: string) -> number|nil, number", "First and last place of the first match, then its groups; or nil."},
		{"b2b.re.gsub", "(text: string, pattern: string, by: string|table|function, n?: number) -> string, number", "Replaces matches ($1 and ${name} are groups) and counts them."},
		{"b2b.re.split", "(text: string, pattern: string, n?: number) -> string[]", "The parts between matches, at most n."},
		{"b2b.json.encode", "(value: any) -> string", "JSON of a plain value; a table with keys 1 to n is a list, an empty one an object."},
		{"b2b.json.decode", "(text: string) -> any, string", "The value, or nil and why; null is b2b.json.null."},
		{"b2b.json.array", "(list: table) -> table", "Marks a table as a list, so that it is [] when empty."},
		{"b2b.json.null", ": userdata", "null."},
		{"b2b.hash.md5", "(text: string) -> string", "MD5 in hex."},
		{"b2b.hash.sha256", "(text: string) -> string", "SHA-256 in hex."},
		{"b2b.hash.hmac", "(key: string, text: string, hash?: string) -> string", "HMAC in hex, with \"sha256\" or \"md5\"."},
		{"b2b.hash.crc32", "(text: string) -> string", "CRC-32 (IEEE) in hex."},
	}
}

func docsSmall() []Doc {
	return []Doc{
		{"b2b.time.now", "() -> number", "Seconds since 1970, to the microsecond."},
		{"b2b.time.in_hours", "(hours: string, zone: string, at?: number) -> boolean", "Whether it is within \"Mo-Fr 09:00-17:00; Sa 10:00-14:00\" in \"Europe/Berlin\", now or at a time; holidays are not known."},
		{"b2b.random.number", "() -> number", "From 0 to below 1."},
		{"b2b.random.int", "(from: number, to: number) -> number", "A whole number from from to to."},
		{"b2b.random.string", "(length: number, alphabet?: string) -> string", "Letters and digits, or characters of the alphabet."},
		{"b2b.random.pick", "(list: table) -> any", "One of the list."},
		{"b2b.uuid", "() -> string", "A random UUID."},
		{"b2b.sleep", "(seconds: number)", "Waits, in a hook that may; the end of the call and the hook's deadline end it sooner."},
		{"b2b.q850.to_sip", "(cause: number) -> number|nil", "The status code for a Q.850 cause (RFC 3398); nil for 16, normal clearing."},
		{"b2b.q850.from_sip", "(code: number) -> number|nil", "The Q.850 cause for a failure's status code (RFC 3398)."},
		{"b2b.q850.text", "(cause: number) -> string|nil", "The name of a cause."},
		{"b2b.codes.name", "(code: number) -> string", "The standard phrase of a status code."},
		{"b2b.codes.class", "(code: number) -> string", "\"4xx\" for 486."},
		{"b2b.env", "(name: string) -> string|nil", "An environment variable that the configuration allows."},
		{"b2b.log.debug", "(format: string, ...: any) -> nil", "Logs what string.format makes of it, with script and line."},
		{"b2b.log.info", "(format: string, ...: any) -> nil", "The same, as information."},
		{"b2b.log.warn", "(format: string, ...: any) -> nil", "The same, as a warning."},
		{"b2b.log.error", "(format: string, ...: any) -> nil", "The same, as an error."},
	}
}
