package config

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// mistake is a file and all that Load says of it.
type mistake struct{ src, want string }

func mistakes() []mistake {
	return slices.Concat(badKeys(), badTypes(), badText(), badListeners(), badTrunks(), badSessions(), badRegistrars(), badValues(), badYAML())
}

func badKeys() []mistake {
	return []mistake{
		{"trunk: {}", `legwork.yaml:1:1: unknown key "trunk"; did you mean "trunks"?`},
		{"limits:\n  clals: 1\n  per-source-cps: 2", "legwork.yaml:2:3: unknown key \"clals\"; did you mean \"calls\"?\n" +
			`legwork.yaml:3:3: unknown key "per-source-cps"; did you mean "per_source_cps"?`},
		{"drain: {grace: 3s}", `legwork.yaml:1:9: unknown key "grace"; known: timeout`},
		{"acl: {deny: [host.example]}", `legwork.yaml:1:14: acl: "host.example" is no CIDR or IP address; such as "192.0.2.0/24"`},
		{"acl: {allow: [192.0.2.0/24], deny: [192.0.2.0/24]}", `legwork.yaml:1:37: acl: 192.0.2.0/24 is listed twice; remove one of them`},
		{"listen: [{transport: udp, address: \"127.0.0.1:5060\", acl: {deny: [192.0.2.1/24]}}]", `legwork.yaml:1:67: acl: 192.0.2.1/24 has bits set behind its prefix; write 192.0.2.0/24`},
		{"ban: {after: -1}", `legwork.yaml:1:14: ban.after: -1 is too small; at least 0`},
		{"media: {mode: relay}", `legwork.yaml:1:15: media.mode "relay" is not supported yet by this version; known: direct`},
		{"trunks: {a: {match: [192.0.2.1], media: rtpengine}}", `legwork.yaml:1:41: trunks.a.media "rtpengine" is not supported yet by this version; known: direct`},
		{"unknown_sources: true", `legwork.yaml:1:18: unknown_sources: unknown value "true"; known: reject, drop, allow`},
		{"trunks: {a: {match: 192.0.2.1}}", `legwork.yaml:1:21: trunks.a.match: want a list, not "192.0.2.1"; put it in brackets: ["192.0.2.1"]`},
		{"log:\n\tlevel: info", `legwork.yaml:2:1: a tab, or another character that no value begins with; indent with spaces, and put such a value in quotes`},
		{"trunks: {a: {match: [192.0.2.1], health: {}}}", `legwork.yaml:1:42: health: the trunk has no targets; name them, or remove the key`},
		{"trunks: {a: {targets: [\"sip:192.0.2.1\"], health: {down_after: 0}}}", `legwork.yaml:1:63: trunks.a.health.down_after: 0 is too small; at least 1`},
		{"trunks: {a: {targets: [\"sip:192.0.2.1\"], register: {}}}", `legwork.yaml:1:52: aor is missing; such as "sip:acct@carrier.example"`},
		{"trunks: {a: {match: [192.0.2.1], register: {aor: \"sip:a@b.example\"}}}", `legwork.yaml:1:44: register: the trunk has no targets; name the registrar, or the proxy in front of it, in targets`},
		{"trunks: {a: {targets: [\"sip:192.0.2.1\"], register: {aor: \"a@b.example\"}}}", `legwork.yaml:1:58: aor: "a@b.example" is no SIP URI; write sip:USER@DOMAIN`},
		{"trunks: {a: {targets: [\"sip:192.0.2.1\"], register: {aor: \"sip:b.example\"}}}", `legwork.yaml:1:58: aor: "sip:b.example" has no user; write sip:USER@DOMAIN`},
		{"trunks: {a: {targets: [\"sip:192.0.2.1\"], register: {aor: \"sip:a@b.example;x=y\"}}}", `legwork.yaml:1:58: aor: "sip:a@b.example;x=y" has no host, or parameters; write sip:USER@DOMAIN`},
		{"trunks: {a: {targets: [\"sip:192.0.2.1\"], register: {aor: \"sip:a@b.example\", contact_user: \"a>b\"}}}", `legwork.yaml:1:91: contact_user: "a>b" is not the user of a SIP URI; letters, digits and -_.!~*'()&=+$,;?/ alone; %XX for others`},
		{"trunks: {a: {targets: [\"sip:192.0.2.1\"], register: {aor: \"sip:a@b.example\", expires: 0}}}", `legwork.yaml:1:86: trunks.a.register.expires: 0s is too short; at least 1s`},
		{"capture: {hep: x}", `legwork.yaml:1:11: "hep" is not supported yet by this version; remove it`},
		{"drain: {}\nlog: {}\ndrain: {}", `legwork.yaml:3:1: key "drain" stands in line 1 already; remove one of them`},
		{"? a\n: 1", `legwork.yaml:1:1: a key must be a word; write key: value`},
		{"x: &a {}", `legwork.yaml:1:1: unknown key "x"; known: listen, script, default_route, unknown_sources, trunks, users, registrar, admin, media, store, redis, sql, cdr, limits, acl, ban, sip, capture, replay, log, leaks, deploy, drain`},
		{"log: *a\ndrain: &a {}", `legwork.yaml:1:6: log: an alias of an anchor that is not above it; ` + aliasCure},
		{"trunks: {a: &a {targets: [*a]}}", `legwork.yaml:1:27: trunks.a.targets[0]: an alias of an anchor that is not above it; ` + aliasCure},
		{"log: &a {level: loud}\ndrain: *a", "legwork.yaml:1:10: unknown key \"level\"; known: timeout\n" +
			`legwork.yaml:1:17: log.level: unknown value "loud"; known: debug, info, warn, error`},
		{"log: {<<: loud}", `legwork.yaml:1:11: behind << there is no mapping; name the anchor of one: <<: *a`},
		{"log: {<<: [loud]}", `legwork.yaml:1:12: behind << there is no mapping; name anchors of mappings: <<: [*a, *b]`},
	}
}

func badTypes() []mistake {
	return []mistake{
		{"hello", `legwork.yaml:1:1: the file: want a mapping of keys to values, not "hello"; write key: value in lines of their own, or {key: value}`},
		{"limits: 5", `legwork.yaml:1:9: limits: want a mapping of keys to values, not "5"; write key: value in lines of their own, or {key: value}`},
		{"limits: {calls: many}", `legwork.yaml:1:17: limits.calls: want a whole number, not "many"; write digits alone, such as 200`},
		{"limits: {calls: 1.5}", `legwork.yaml:1:17: limits.calls: want a whole number, not "1.5"; write digits alone, such as 200`},
		{"limits: {calls: 010}", `legwork.yaml:1:17: limits.calls: want a whole number, not "010"; write digits alone, such as 200`},
		{"limits: {calls: -1}", `legwork.yaml:1:17: limits.calls: -1 is too small; at least 0`},
		{"limits: {calls: 99999999999}", `legwork.yaml:1:17: limits.calls: want a whole number, not "99999999999"; write digits alone, such as 200`},
		{"limits: {calls: [1]}", `legwork.yaml:1:17: limits.calls: want a whole number, not a list; write digits alone, such as 200`},
		{"script: 5", `legwork.yaml:1:9: script: want a string, not "5"; put it in quotes`},
		{"script:", `legwork.yaml:1:9: script: want a string, not nothing; write one behind the colon, or remove the key`},
		{"script: !file x", `legwork.yaml:1:9: script: tag "!file" is not taken here; !file is for tokens, passwords and params`},
		{"cdr: {kind: jsonl}", `legwork.yaml:1:6: cdr: want a list, not a mapping; put it in brackets: [{...}]`},
		{"sip: {t1: 500}", `legwork.yaml:1:11: sip.t1: "500" is not a duration; write a number and its unit, such as 200ms, 30s or 4h`},
		{"sip: {t1: soon}", `legwork.yaml:1:11: sip.t1: "soon" is not a duration; write a number and its unit, such as 200ms, 30s or 4h`},
		{"sip: {t1: 1ms}", `legwork.yaml:1:11: sip.t1: 1ms is too short; at least 10ms`},
		{"sip: {t1: 1h}", `legwork.yaml:1:11: sip.t1: 1h is too long; at most 10s`},
		{"drain: {timeout: -1s}", `legwork.yaml:1:18: drain.timeout: -1s is too short; at least 0s`},
		{"replay: {max_size: 5}", `legwork.yaml:1:20: replay.max_size: "5" is not a size; write a number and its unit, such as 64MiB or 1GiB`},
		{"replay: {max_size: 5KiB}", `legwork.yaml:1:20: replay.max_size: 5KiB is out of range; from 1MiB to 1024GiB`},
		{"replay: {path: nowhere/at/all}", `legwork.yaml:1:16: replay.path: there is no folder DIR/nowhere/at; make it`},
		{"log: {level: wran}", `legwork.yaml:1:14: log.level: unknown value "wran"; did you mean "warn"?`},
		{"log: {level: infos}", `legwork.yaml:1:14: log.level: unknown value "infos"; did you mean "info"?`},
		{"redis: {a: {}}", `legwork.yaml:1:12: redis.a.url is missing; such as redis://127.0.0.1:6379/0`},
		{"redis: {a: {url: \"http://:hunter2@192.0.2.1\"}}", `legwork.yaml:1:18: redis.a.url: not an address like redis://user:password@host:6379/0`},
		{"redis: {\"a b\": {url: \"redis://192.0.2.1\"}}", `legwork.yaml:1:9: redis: "a b" is not a name; up to 64 letters, digits, _, - and .`},
		{"sql: {a: {driver: postgres}}", `legwork.yaml:1:10: sql.a.dsn is missing; the address of the database, or the path of its file`},
		{"sql: {a: {driver: postgres, dsn: \"postgres://u:hunter2@h:x/d\"}}", `legwork.yaml:1:34: sql.a.dsn: not an address like postgres://user:password@host:5432/database?sslmode=require`},
		{"sql: {a: {driver: mysql, dsn: x}}", `legwork.yaml:1:19: sql.a.driver: unknown value "mysql"; known: postgres, sqlite`},
		{"sql: {a: {driver: sqlite, dsn: nothing/x.db}}", `legwork.yaml:1:32: sql.a.dsn: the folder of the file is not there; make it`},
		{"sql: {a: {driver: sqlite, dsn: x.db, connections: 0}}", `legwork.yaml:1:51: sql.a.connections: 0 is too small; at least 1`},
		{"store: {kind: redis}", `legwork.yaml:1:15: store.url is missing; such as redis://127.0.0.1:6379/0`},
		{"store: {kind: redis, url: \"redis://:hunter2@h:x\"}", `legwork.yaml:1:27: store.url: not an address like redis://user:password@host:6379/0`},
		{"store: {kind: file}", `legwork.yaml:1:15: store.path is missing; such as "store.db"`},
		{"store: {kind: file, path: nothing/store.db}", `legwork.yaml:1:27: store.path: there is no folder DIR/nothing; make it`},
		{"store: {path: store.db}", `legwork.yaml:1:15: store.path is for kind file only; remove it`},
		{"cdr: [{kind: csv, path: x}]", `legwork.yaml:1:14: cdr[0].kind "csv" is not supported yet by this version; known: jsonl`},
	}
}

func badText() []mistake {
	return []mistake{
		{"script: ${NO_SUCH}", `legwork.yaml:1:9: script: environment variable NO_SUCH is not set; set it, or write ${NO_SUCH:-default}`},
		{"script: ${NO SUCH}", `legwork.yaml:1:9: script: what stands in ${} is not the name of an environment variable; $$ stands for one $`},
		{"script: a${B", `legwork.yaml:1:9: script: ${ without }; $$ stands for one $`},
		{"limits: {calls: \"${HOST}\"}", `legwork.yaml:1:17: limits.calls: want a whole number, not "192.0.2.9"; write digits alone, such as 200`},
		{"admin: {token: !file nothing}", `legwork.yaml:1:16: admin.token: open DIR/nothing: no such file or directory; name a file that holds the secret`},
		{"admin: {token: !file blank}", `legwork.yaml:1:16: admin.token: DIR/blank: the file is empty; name a file that holds the secret`},
		{"admin: {token: !file large}", `legwork.yaml:1:16: admin.token: DIR/large: larger than 65536 bytes; name a file that holds the secret`},
		{"admin: {token: !env X}", `legwork.yaml:1:16: admin.token: the only tag here is !file; put a value that begins with ! in quotes`},
	}
}

func badListeners() []mistake {
	return []mistake{
		{"listen: []", `legwork.yaml:1:9: listen: no listener; remove the key for udp and tcp on 127.0.0.1:5060`},
		{"listen:\n  - name: a", "legwork.yaml:2:5: transport is missing; known: udp, tcp, tls, ws, wss\n" +
			`legwork.yaml:2:5: address is missing; such as "0.0.0.0:5060"`},
		{"listen: [{transport: tls, address: \"0.0.0.0:5061\", cert: x}]", `legwork.yaml:1:10: key is missing; a file with the certificate's key, as PEM` + "\n" +
			`legwork.yaml:1:58: cert: no file DIR/x; make it, or remove the key`},
		{"listen: [{transport: wss, address: \"0.0.0.0:5061\", cert: blank, key: blank, server_ca: blank}]", `legwork.yaml:1:88: server_ca: nobody is dialled over wss; remove it` + "\n" +
			`legwork.yaml:1:88: server_ca: no certificate in DIR/blank; name a file of certificates as PEM`},
		{"listen: [{transport: ws, address: \"0.0.0.0:80\", origins: [\"phone.example\", \"https://phone.example/\"]}]", `legwork.yaml:1:59: origins: "phone.example" is not the origin of a page; such as "https://phone.example"` + "\n" +
			`legwork.yaml:1:76: origins: "https://phone.example/" is not the origin of a page; such as "https://phone.example"`},
		{"listen: [{transport: tcp, address: \"0.0.0.0:80\", origins: [\"https://phone.example\"]}]", `legwork.yaml:1:59: origins: no browser comes over tcp; remove it, or write transport: wss`},
		{"listen: [{transport: udp, address: \"0.0.0.0:5061\", dscp: 64}]", `legwork.yaml:1:58: listen[0].dscp: 64 is too large; at most 63`},
		{"listen: [{transport: udp, address: \"0.0.0.0:5061\", cert: x, client_ca: x}]", `legwork.yaml:1:58: cert: transport udp has no certificates; remove it, or write transport: tls` + "\n" +
			`legwork.yaml:1:72: client_ca: transport udp has no certificates; remove it, or write transport: tls`},
		{"listen: [{transport: tls, address: \"0.0.0.0:5061\", cert: blank, key: blank, server_ca: blank}]", `legwork.yaml:1:88: server_ca: no certificate in DIR/blank; name a file of certificates as PEM`},
		{"listen: [{transport: tls, address: \"0.0.0.0:5061\", cert: blank, key: blank}]", `legwork.yaml:1:58: cert: DIR/blank and DIR/blank can't be used: tls: failed to find any PEM data in certificate input; name a certificate and its key, both as PEM`},
		{"listen: [{transport: tcp, address: \"0.0.0.0:5061\"}, {transport: tls, address: \"0.0.0.0:5061\", cert: blank, key: nothing}]", `legwork.yaml:1:79: address: listener "tcp" has tcp 0.0.0.0:5061 already; give one of them another port or address` + "\n" +
			`legwork.yaml:1:113: key: no file DIR/nothing; make it, or remove the key`},
		{"listen: [{transport: udp, address: \"sip.example:5060\"}]", `legwork.yaml:1:36: address: "sip.example:5060" is not an IP address and port; such as "192.0.2.1:5060" or "[::]:5060"`},
		{"listen: [{transport: udp, address: \"192.0.2.1:5060\", advertise: \"192.0.2.1\"}]", `legwork.yaml:1:65: advertise: "192.0.2.1" is not a host and port; such as "192.0.2.1:5060"`},
		{"listen:\n - {name: a, transport: udp, address: \"192.0.2.1:5060\"}\n - {name: a, transport: tcp, address: \"192.0.2.1:5060\"}", `legwork.yaml:3:11: two listeners are called "a"; give one of them another name`},
		{"listen:\n - {transport: udp, address: \"192.0.2.1:5060\"}\n - {transport: udp, address: \"192.0.2.2:5060\"}", `legwork.yaml:3:4: two listeners are called "udp"; give one of them another name`},
		{"listen:\n - {name: a, transport: udp, address: \"192.0.2.1:5060\"}\n - {name: b, transport: udp, address: \"0.0.0.0:5060\"}", `legwork.yaml:3:39: address: listener "a" has udp 192.0.2.1:5060 already; give one of them another port or address`},
		{"listen: [{name: a b, transport: udp, address: \"192.0.2.1:5060\"}]", `legwork.yaml:1:17: name: "a b" is not a name; up to 64 letters, digits, _, - and .`},
	}
}

func badTrunks() []mistake {
	return []mistake{
		{"default_route: pxb\ntrunks:\n  pbx: {targets: ['sip:192.0.2.1']}", `legwork.yaml:1:16: default_route: no trunk "pxb"; did you mean "pbx"?`},
		{"default_route: carier\ntrunks:\n  carrier: {targets: ['sip:192.0.2.1']}", `legwork.yaml:1:16: default_route: no trunk "carier"; did you mean "carrier"?`},
		{"default_route: a\ntrunks: {a: {match: [192.0.2.1]}}", `legwork.yaml:1:16: default_route: trunk "a" has no targets; give it targets`},
		{"default_route: a", `legwork.yaml:1:16: default_route: no trunk "a"; there is none yet: name it first`},
		{"trunks: {a: }", `legwork.yaml:1:10: trunk "a" has neither match nor targets; give it one of them`},
		{"trunks: {a b: {match: [192.0.2.1]}}", `legwork.yaml:1:10: trunks: "a b" is not a name; up to 64 letters, digits, _, - and .`},
		{"trunks: {a: {match: [192.0.2.1/33]}}", `legwork.yaml:1:22: match: "192.0.2.1/33" is not a CIDR; such as "192.0.2.0/24"`},
		{"trunks: {a: {match: [192.0.2.1/24]}}", `legwork.yaml:1:22: match: 192.0.2.1/24 has bits set behind its prefix; write 192.0.2.0/24`},
		{"trunks: {a: {match: [192.0.2.300]}}", `legwork.yaml:1:22: match: "192.0.2.300" is no CIDR, IP address, host name, user:NAME or listener:NAME; such as "192.0.2.1", "192.0.2.0/24" or "sip.carrier.example"`},
		{"trunks: {a: {match: [\"user:bob\"]}}", `legwork.yaml:1:22: match: user:bob can't prove who it is: there are no users; name their file in users.file`},
		{"trunks: {a: {match: [\"user:b:b\"]}}", `legwork.yaml:1:22: match: "b:b" is not the name of a user; up to 128 characters without colons, quotes and backslashes`},
		{"trunks:\n  b: {match: [\"listener:udp\"]}\n  a: {match: [\"listener:udp\"]}", `legwork.yaml:3:15: match: listener:udp belongs to trunk "b" already; remove one of them`},
		{"leaks: {words: [ab]}", `legwork.yaml:1:17: leaks.words: "ab" is found everywhere; three letters at least`},
		{"leaks: {networks: [10.0.0.1]}", `legwork.yaml:1:20: leaks.networks: "10.0.0.1" is not a CIDR; such as "10.0.0.0/8"`},
		{"trunks: {a: {match: [\"listener:upd\"]}}", `legwork.yaml:1:22: match: no listener "upd"; did you mean "udp"?`},
		{"trunks:\n  b: {match: [192.0.2.1]}\n  a: {match: [192.0.2.1/32]}", `legwork.yaml:3:15: match: 192.0.2.1/32 belongs to trunk "b" already; remove one of them, or narrow one to a longer prefix`},
		{"trunks: {a: {match: [pbx.example, PBX.example.]}}", `legwork.yaml:1:35: match: PBX.example. is listed twice; remove one of them`},
		{"trunks: {a: {targets: [sip:192.0.2.1]}}", `legwork.yaml:1:24: trunks.a.targets[0]: a bare URI between brackets is taken for a mapping; put it in quotes`},
		{"trunks: {a: {match: [2001:db8::1]}}", `legwork.yaml:1:22: trunks.a.match[0]: want a string, not a mapping; put it in quotes`},
		{"trunks: {a: {targets: [192.0.2.1]}}", `legwork.yaml:1:24: target "192.0.2.1": a target is a SIP URI; write "sip:192.0.2.1"`},
		{"trunks: {a: {targets: [\"sip:a b\"]}}", `legwork.yaml:1:24: target "sip:a b": a space, quote, angle bracket or control character; write the URI alone`},
		{"trunks: {a: {targets: [\"sip:bob@\"]}}", `legwork.yaml:1:24: target "sip:bob@": "" is not a host; such as "sip:192.0.2.1:5060"`},
		{"trunks: {a: {targets: [\"sips:192.0.2.1;transport=udp\"]}}", `legwork.yaml:1:24: target "sips:192.0.2.1;transport=udp": sips can't go over udp; write sip:, or remove the transport`},
		{"trunks: {a: {targets: [\"sip:192.0.2.1;transport=wss\"]}}", `legwork.yaml:1:24: target "sip:192.0.2.1;transport=wss": a WebSocket client can't be dialled; it is reached where it has registered`},
		{"trunks: {a: {targets: [{weight: 2}]}}", `legwork.yaml:1:24: uri is missing; such as "sip:192.0.2.1:5060"`},
		{"trunks: {a: {targets: [{uri: sip:a.example, weight: -1}]}}", `legwork.yaml:1:53: trunks.a.targets[0].weight: -1 is too small; at least 0`},
		{"trunks: {a: {targets: [\"tel:+4930\"]}}", `legwork.yaml:1:24: target "tel:+4930": a target is a SIP URI; such as "sip:192.0.2.1:5060"; the number of a call is that of its Request-URI, or user of a target in a script`},
		{"trunks: {a: {match: [\"[2001:db8::1]\"]}, b: {match: [\"2001:DB8:0::1\"]}}", `legwork.yaml:1:53: match: 2001:DB8:0::1 belongs to trunk "a" already; remove one of them, or narrow one to a longer prefix`},
		{"trunks: {a: {match: [a.example], listen: edeg}}", `legwork.yaml:1:42: listen: no listener "edeg"; known: udp, tcp`},
		{"trunks: {a: {match: [a.example], profile: none.lua}}", `legwork.yaml:1:43: profile: no file DIR/none.lua; make it, or remove the key`},
		{"trunks: {a: {match: [a.example], profile: {cucm: none.lua}}}", `legwork.yaml:1:50: cucm: no file DIR/none.lua; make it, or remove the key`},
		{"trunks: {a: {match: [a.example], profile: {lua: main.lua, cucm: main.lua}}}", `legwork.yaml:1:65: profile: lua and cucm at once; remove one of them`},
		{"trunks: {a: {match: [a.example], profile: {lua: main.lua, params: {x: y}}}}", `legwork.yaml:1:67: profile: params without cucm; params of the trunk are those of scripts of ours`},
		{"trunks: {a: {match: [a.example], profile: {cucm: main.lua, params: {x: [y]}}}}", `legwork.yaml:1:68: params: x is not a plain value; a script of CUCM gets text: write a string or a number`},
		{"trunks: {a: {match: [a.example], profile: {cumc: main.lua}}}", `legwork.yaml:1:44: unknown key "cumc"; did you mean "cucm"?`},
		{"trunks: {a: {match: [a.example], headers: {preset: edges}}}", `legwork.yaml:1:52: trunks.a.headers.preset: unknown value "edges"; did you mean "edge"?`},
		{"trunks: {a: {match: [a.example], headers: {pass: [Via]}}}", `legwork.yaml:1:51: header Via belongs to the engine; remove it`},
		{"trunks: {a: {match: [a.example], headers: {drop: [\"X-*-Y\"]}}}", `legwork.yaml:1:51: "X-*-Y" is not a pattern; * stands at the end alone, such as X-*`},
		{"trunks: {a: {match: [a.example], codecs: {keep: [PCMA, G729], drop: [pcma]}}}", `legwork.yaml:1:70: codec "pcma" is both kept and dropped; remove one of them`},
		{"trunks: {a: {match: [a.example], headers: {drop: [\"X Y\"]}}}", `legwork.yaml:1:51: "X Y" is not the name of a header; letters, digits and - alone, such as X-Account`},
		{"trunks: {a: {match: [a.example], headers: {set: {X: \"a\\r\\nVia: b\"}}}}", `legwork.yaml:1:50: header X: control character in the value; remove it`},
		{"trunks: {a: {match: [a.example], responses: {200: 480}}}", `legwork.yaml:1:46: trunks.a.responses: "200" does not name failures; write a code from 300 to 699, "5xx", "400-499" or "*"`},
		{"trunks: {a: {match: [a.example], responses: {499-400: 480}}}", `legwork.yaml:1:46: trunks.a.responses: "499-400" does not name failures; write a code from 300 to 699, "5xx", "400-499" or "*"`},
		{"trunks: {a: {match: [a.example], responses: {503: 200}}}", `legwork.yaml:1:51: trunks.a.responses.503: "200" is not the code of a failure; 300 to 699`},
		{"trunks: {a: {match: [a.example], responses: {503: true}}}", `legwork.yaml:1:51: trunks.a.responses.503: want a code, [code, text] or false, not "true"; such as 486, [486, Busy Here] or false`},
		{"trunks: {a: {match: [a.example], responses: {503: [480]}}}", `legwork.yaml:1:51: trunks.a.responses.503: want a code, [code, text] or false, not a list; such as 486, [486, Busy Here] or false`},
		{"trunks: {a: {match: [a.example], params: {x: .inf}}}", `legwork.yaml:1:46: trunks.a.params.x: want a string, number, true, false, list or mapping, not ".inf"; write one of them`},
	}
}

func badSessions() []mistake {
	a := func(s string) string { return "trunks: {a: {match: [a.example], " + s + "}}" }
	return []mistake{
		{a("auth: {user: x}"), `legwork.yaml:1:40: password is missing; such as !file secrets/carrier or ${NAME}`},
		{a("auth: {}"), "legwork.yaml:1:40: user is missing; the name that the neighbour knows us by\nlegwork.yaml:1:40: password is missing; such as !file secrets/carrier or ${NAME}"},
		{a(`auth: {user: x, password: ""}`), `legwork.yaml:1:60: password is missing; such as !file secrets/carrier or ${NAME}`},
		{a("auth: {user: x, password: !file blank}"), `legwork.yaml:1:60: trunks.a.auth.password: DIR/blank: the file is empty; name a file that holds the secret`},
		{a(`auth: {user: "x:y", password: z}`), `legwork.yaml:1:47: user: "x:y" is not the name of a user; up to 128 characters without colons, quotes and backslashes`},
		{a("auth: x"), `legwork.yaml:1:40: trunks.a.auth: want a mapping; write {user: ..., password: ...}`},
		{a("codecs: {keep: [PCMA, 'PCMU/x']}"), `legwork.yaml:1:56: "PCMU/x" is not a codec; such as "PCMA", "opus/48000" or "opus/48000/2"`},
		{a("q850: {add: true, causes: {486: 200}}"), `legwork.yaml:1:61: q850.causes: 486: 200 is not a code and its cause; 300 to 699: 1 to 127`},
		{a("q850: {codes: {21: 486}}"), `legwork.yaml:1:48: q850.codes: no cause is read; set q850.read: true`},
		{"trunks: {a: {targets: [\"sip:[2001:db8::1\"]}}", `legwork.yaml:1:24: target "sip:[2001:db8::1": "[2001:db8::1" is not a host; such as "sip:192.0.2.1:5060"`},
		{"trunks: {a: {targets: [\"sip:2001:db8::1\"]}}", `legwork.yaml:1:24: target "sip:2001:db8::1": "2001:db8::1" is not a host; such as "sip:192.0.2.1:5060"`},
		{a("acl: {deny: [foo]}"), `legwork.yaml:1:47: acl: "foo" is no CIDR or IP address; such as "192.0.2.0/24"`},
		{a("numbers: {country: XX}"), `legwork.yaml:1:53: numbers.country: there is no country "XX"; its letters in ISO 3166, such as DE, or GB for the United Kingdom`},
		{a("numbers: {country: de}"), `legwork.yaml:1:53: numbers.country: "de" is not a country; two capital letters, such as DE`},
		{a("numbers: {to: national}"), `legwork.yaml:1:43: numbers: national is of no country; set numbers.country`},
		{a("numbers: {user_phone: true}"), `legwork.yaml:1:56: numbers.user_phone: no number is rewritten; set numbers.format`},
		{a("prack: on"), `legwork.yaml:1:41: trunks.a.prack: unknown value "on"; known: interwork, pass, off`},
		{a("timer: true"), `legwork.yaml:1:41: trunks.a.timer: want a mapping of keys to values, or false, not "true"; write key: value in lines of their own, or {key: value}`},
		{a("timer: off"), `legwork.yaml:1:41: trunks.a.timer: want a mapping of keys to values, not "off"; write key: value in lines of their own, or {key: value}`},
		{a("timer: {min: 60}"), `legwork.yaml:1:47: trunks.a.timer.min: 60s is too short; at least 90s`},
		{a("timer: {expires: 60}"), `legwork.yaml:1:51: trunks.a.timer: expires (60s) is shorter than min (90s); raise expires or lower min`},
		{a("timer: {expires: 1.5}"), `legwork.yaml:1:51: trunks.a.timer.expires: "1.5" is not a number of whole seconds; write such as 90, 90s or 15m`},
		{a("timer: {expires: 99999999999}"), `legwork.yaml:1:51: trunks.a.timer.expires: "99999999999" is not a number of whole seconds; write such as 90, 90s or 15m`},
		{a("timer: {refresher: us}"), `legwork.yaml:1:53: trunks.a.timer.refresher: unknown value "us"; did you mean "uas"?`},
		{"sip: {timer: {expires: 1800}}\n" + a("timer: {min: 1h}"), `legwork.yaml:2:47: trunks.a.timer: expires (1800s) is shorter than min (3600s); raise expires or lower min`},
		{"sip: {timer: {min: 89s}}", `legwork.yaml:1:20: sip.timer.min: 89s is too short; at least 90s`},
		{"sip: {timer: {expires: 100, min: 2m}}", `legwork.yaml:1:24: sip.timer: expires (100s) is shorter than min (120s); raise expires or lower min`},
		{"sip: {timer: {expires: 1500ms}}", `legwork.yaml:1:24: sip.timer.expires: "1500ms" is not a number of whole seconds; write such as 90, 90s or 15m`},
		{"sip: {timer: {expires: -1}}", `legwork.yaml:1:24: sip.timer.expires: -1s is too short; at least 0s`},
		{"sip: {timer: false}", `legwork.yaml:1:14: sip.timer: want a mapping of keys to values, not "false"; write key: value in lines of their own, or {key: value}`},
	}
}

func badRegistrars() []mistake {
	return []mistake{
		{"registrar: {enabled: yes}", `legwork.yaml:1:22: registrar.enabled: want true or false, not "yes"; write one of them, without quotes`},
		{"registrar: {enabled: 1}", `legwork.yaml:1:22: registrar.enabled: want true or false, not "1"; write one of them, without quotes`},
		{"registrar: {expires: {min: 2h}}", `legwork.yaml:1:28: registrar.expires.min: 2h is too long; at most 1h`},
		{"registrar: {expires: {min: 0}}", `legwork.yaml:1:28: registrar.expires.min: 0s is too short; at least 1s`},
		{"registrar: {expires: {min: 600}}", `legwork.yaml:1:28: registrar.expires: default (300s) is shorter than min (600s); raise default or lower min`},
		{"registrar: {expires: {max: 200}}", `legwork.yaml:1:28: registrar.expires: max (200s) is shorter than default (300s); raise max or lower default`},
		{"registrar: {expires: {default: 2h}}", `legwork.yaml:1:32: registrar.expires: max (3600s) is shorter than default (7200s); raise max or lower default`},
		{"users: {file: none.yaml}", `legwork.yaml:1:15: users.file: no file DIR/none.yaml; make it, or remove the key`},
		{"users: {file: logs}", `legwork.yaml:1:15: users.file: DIR/logs is a folder; name the file`},
		{"users: {realm: \"\"}", `legwork.yaml:1:16: users.realm: "" is not a realm; up to 128 characters without quotes and backslashes`},
		{"users: {realm: 'a\"b'}", `legwork.yaml:1:16: users.realm: "a\"b" is not a realm; up to 128 characters without quotes and backslashes`},
	}
}

func badValues() []mistake {
	return []mistake{
		{"script: none.lua", `legwork.yaml:1:9: script: no file DIR/none.lua; make it, or remove the key`},
		{"script: logs", `legwork.yaml:1:9: script: DIR/logs is a folder; name the file`},
		{"admin: {address: \"0.0.0.0:8060\"}", `legwork.yaml:1:18: admin.address: 0.0.0.0:8060 is not loopback, and there is no token; set admin.token, or listen on 127.0.0.1`},
		{"admin: {address: \"8060\"}", `legwork.yaml:1:18: admin.address: "8060" is not an IP address and port; such as "127.0.0.1:8060"`},
		{"cdr: [{kind: jsonl}]", `legwork.yaml:1:7: path is missing; such as "cdr.jsonl"`},
		{"cdr: [{kind: jsonl, path: no/x}]", `legwork.yaml:1:27: path: there is no folder DIR/no; make it`},
		{"cdr:\n- {kind: jsonl, path: x}\n- {kind: jsonl, path: ./x}", `legwork.yaml:3:23: path: DIR/x is written to already; remove one of them`},
		{"sip: {t2: 100ms}", `legwork.yaml:1:11: sip: t2 (100ms) is shorter than t1 (500ms); write t2 at least as long as t1`},
		{"sip: {t1: 5s}", `legwork.yaml:1:11: sip: t2 (4s) is shorter than t1 (5s); write t2 at least as long as t1`},
	}
}

func badYAML() []mistake {
	return []mistake{
		{"limits: {calls: ${N}}", `legwork.yaml:1:18: ',' or '}' must be specified; put "${NAME}" in quotes between brackets`},
		{"a: [1", `legwork.yaml:1:4: sequence end token ']' not found; close brackets and quotes, and put a value with : # or { in it in quotes`},
		{"log: {}\n---\nlog: {}", `legwork.yaml:2:1: a second document in one file; remove the line --- or ...`},
		{"log: {}\n...\nlog: {}", `legwork.yaml:3:1: a second document in one file; remove the line --- or ...`},
		{"log: {}\nx\x00", `legwork.yaml:2:2: control character U+0000; write it in double quotes, such as "\t"`},
		{"log: \xff", `legwork.yaml:1:6: the file is not UTF-8 text; save it as UTF-8`},
	}
}

func TestEveryMistakeIsNamedWithItsPlaceAndItsCure(t *testing.T) {
	dir := folder(t)
	for _, c := range mistakes() {
		_, err := load(dir, c.src)
		if _, ok := errors.AsType[Problems](err); !ok {
			t.Errorf("%q: got %v\n    want %s", c.src, err, c.want)
			continue
		}
		if err.Error() != c.want {
			t.Errorf("%q:\n     got %s\n    want %s", c.src, err, c.want)
		}
	}
}

func TestASecretIsNotInAProblem(t *testing.T) {
	for _, src := range []string{
		`admin: {token: "s3cret\u0001"}`, `admin: {token: [s3cret]}`, `admin: {token: 53}`, `admin: {token: "s3cret${"}`, `admin: {token: "${s3cret!}"}`,
		`admin: {token: !s3cret}`, `admin: {token: *s3cret}`, "admin:\n  token: |s3cret\n",
		`trunks: {a: {auth: s3cret}}`, `trunks: {a: {auth: {user: x, pasword: s3cret}}}`, `trunks: {a: {auth: {user: x, password: [s3cret]}}}`,
		`trunks: {a: {targets: ["sip:u:s3cret@"]}}`, `trunks: {a: {targets: ["http://u:s3cret@pbx.example"]}}`,
		`trunks: {a: {auth: {user: x, password: "s3cret\u0001"}}}`, `trunks: {a: {auth: {user: x, password: 53}}}`, `trunks: {a: {auth: [s3cret]}}`,
	} {
		_, err := load(folder(t), src)
		if err == nil {
			t.Fatalf("%s is taken", src)
		}
		if strings.Contains(err.Error(), "s3c") || strings.Contains(err.Error(), "53") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(whole))
	f.Add(Template())
	for _, c := range mistakes() {
		f.Add([]byte(c.src))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 4<<10 {
			return
		}
		cfg, err := load(dir, string(src))
		ps, ok := errors.AsType[Problems](err)
		if cfg == nil && (!ok || len(ps) == 0) {
			t.Fatalf("neither a configuration nor problems: %v", err)
		}
		lines := bytes.Count(src, []byte("\n")) + 1
		for _, p := range ps {
			if p.Line < 1 || p.Line > lines || p.Col < 1 || p.Msg == "" || strings.ContainsAny(p.String(), "\n\r\x00") {
				t.Errorf("a problem without a place, or of more than one line: %q", p)
			}
		}
	})
}

func TestEveryMistakeComesWithItsCure(t *testing.T) {
	for _, m := range mistakes() {
		for line := range strings.SplitSeq(m.want, "\n") {
			if !strings.Contains(line, "; ") && !strings.Contains(line, " like ") { // an address like this one
				t.Errorf("%s: no cure: %s", m.src, line)
			}
		}
	}
}
