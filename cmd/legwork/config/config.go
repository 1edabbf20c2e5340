// Package config is the YAML file of a Legwork process: its structs, its
// defaults, and a reader that refuses what it does not know with line, column
// and the cure.
//
// It does not know the engine: only cmd sees a Config and hands each package
// what that package needs. It opens nothing but the file itself and the secrets
// the file names; whether a port is free shows when cmd listens.
//
// Start reading at Load. The struct tags below are the one description from
// which the reader (decode.go), the template of `legwork init` (template.go)
// and the JSON schema (schema.go) are made:
//
//	yaml     the key; "-": not of the file
//	doc      its one line for people
//	enum     the values it may have
//	later    values, or on a field named _ keys, that a coming version will know
//	idle     on a field named _: keys that only such values need
//	min max  bounds of a number or a duration
//	restart  a change needs a restart of the process
package config

import "time"

// Config is the whole file. A Config from Load is complete: defaults are
// filled in, paths are resolved against the file's folder, and every name
// refers to something that exists.
type Config struct {
	Listen         []Listener        `yaml:"listen" restart:"yes" doc:"Sockets that SIP arrives at and leaves from."`
	Script         string            `yaml:"script" restart:"yes" doc:"The Lua script that decides about calls; empty: the one built into the program."`
	DefaultRoute   string            `yaml:"default_route" doc:"Trunk for calls that no script routes; empty: they get 404."`
	UnknownSources Unknown           `yaml:"unknown_sources" enum:"reject drop allow" doc:"A request that matches no trunk and proves no user: reject it (403; 401 where there are users), drop it, or allow it."`
	Trunks         map[string]*Trunk `yaml:"trunks" doc:"Named neighbours, carriers and PBXs: matched by the source of a request, dialled by their targets."`
	Users          Users             `yaml:"users" doc:"Who may prove by digest who they are, whatever address they come from."`
	Registrar      Registrar         `yaml:"registrar" doc:"Where phones of users register; calls go to {aor = ...}."`
	Admin          Admin             `yaml:"admin" restart:"yes" doc:"HTTP API and /metrics."`
	Media          Media             `yaml:"media" doc:"Where RTP flows."`
	Store          Store             `yaml:"store" restart:"yes" doc:"Where b2b.store, b2b.limit and the registrar keep what they know."`
	Redis          map[string]*Redis `yaml:"redis" restart:"yes" doc:"Redis servers that scripts ask by name: b2b.redis."`
	SQL            map[string]*SQL   `yaml:"sql" restart:"yes" doc:"Databases that scripts ask by name: b2b.sql."`
	CDR            []CDR             `yaml:"cdr" restart:"yes" doc:"Where the record of a finished call goes; empty: nowhere."`
	Limits         Limits            `yaml:"limits" doc:"What the whole process takes on; beyond it, 503 with Retry-After."`
	ACL            ACL               `yaml:"acl" doc:"Who may send us anything, by address; the rest is dropped unread, and its connections are closed. Answers to our own requests always come in."`
	Ban            Ban               `yaml:"ban" doc:"Shut out sources, never those of trunks, that fail again and again: unknown ones, wrong passwords, what is no SIP, scanners."`
	SIP            SIP               `yaml:"sip" doc:"The protocol's timers and sizes."`
	Capture        Capture           `yaml:"capture" restart:"yes" doc:"Messages kept in memory to draw ladders from."`
	Replay         Replay            `yaml:"replay" restart:"yes" doc:"A log of what was decided about each call, and on what: legwork replay plays it again with other scripts."`
	Log            Log               `yaml:"log" doc:"The log, on standard error."`
	Leaks          Leaks             `yaml:"leaks" doc:"What is inside: a message to the outside that tells of it is counted (legwork_leaks_total) and warned of, with the header and where that came from."`
	Deploy         Deploy            `yaml:"deploy" doc:"How new versions of the scripts are watched."`
	Drain          Drain             `yaml:"drain" doc:"How the process goes when it is asked to."`

	Path       string              `yaml:"-"` // of the file; empty: there is none
	Identities map[string]Identity `yaml:"-"` // of the secured listeners, by name
	Files      []string            `yaml:"-"` // that were read besides the file itself: secrets, users and certificates
	Warnings   Problems            `yaml:"-"` // what is allowed and hardly meant
}

// Unknown says what becomes of a request that matches no trunk.
type Unknown string

// The values of unknown_sources.
const (
	UnknownReject Unknown = "reject"
	UnknownDrop   Unknown = "drop"
	UnknownAllow  Unknown = "allow"
)

// Listener is one socket. Name is never empty after Load.
type Listener struct {
	Name      string   `yaml:"name" doc:"What trunks call it; default: its transport."`
	Transport string   `yaml:"transport" enum:"udp tcp tls ws wss" doc:"udp, tcp, tls, ws or wss (SIP over WebSocket)."`
	Address   string   `yaml:"address" doc:"IP address and port; 0.0.0.0 or [::] opens one socket for each local address."`
	Advertise string   `yaml:"advertise" doc:"Host and port that neighbours see instead of the address, such as the outside of a NAT."`
	DSCP      int      `yaml:"dscp" min:"0" max:"63" doc:"Differentiated services code point of what is sent, such as 24 (CS3); 0: unmarked. Linux only."`
	ACL       ACL      `yaml:"acl" doc:"Who may come here; an address must be admitted by this list and by the acl of all. Takes effect without a restart."`
	Origins   []string `yaml:"origins" doc:"ws, wss: pages whose browsers may come, such as https://phone.example; empty: any."`
	Cert      string   `yaml:"cert" doc:"tls, wss: PEM file of its certificate and those that lead to the authority's; read again when it changes."`
	Key       string   `yaml:"key" doc:"tls, wss: PEM file of the certificate's key."`
	ClientCA  string   `yaml:"client_ca" doc:"tls, wss: PEM file of authorities, one of which must vouch for every client; empty: clients need no certificate."`
	ServerCA  string   `yaml:"server_ca" doc:"tls: PEM file of authorities, one of which must vouch for a server that calls leave to from here; empty: the system's."`
}

// Trunk is one neighbour, in both directions.
type Trunk struct {
	Match     []string    `yaml:"match" doc:"Sources that belong to it: CIDR, IP address or host name, the longest prefix first; user:NAME, who has proved to be that user and goes before all others; listener:NAME, whatever comes there and fits no other. A host name is also that of a verified certificate (client_ca), which goes before addresses."`
	ACL       ACL         `yaml:"acl" doc:"Who of those sources may come, such as the addresses of a user:NAME; to the others the trunk is none of theirs: they are unknown."`
	Targets   []Target    `yaml:"targets" doc:"Where its calls go: SIP URIs, or {uri, weight, priority}."`
	Listen    string      `yaml:"listen" doc:"Listener its calls leave from; empty: chosen by transport and address."`
	Limits    TrunkLimits `yaml:"limits" doc:"What this neighbour takes."`
	Headers   Headers     `yaml:"headers" doc:"Which of the caller's headers cross to it."`
	Privacy   *Privacy    `yaml:"privacy" doc:"Whether it is of our trust domain (RFC 3325). As long as no trunk says so, identity headers cross like any other; once one does, all others are not trusted."`
	Codecs    Codecs      `yaml:"codecs" doc:"Which codecs its sessions may have, in offers and answers both ways; an offer of which none is left is refused with 488."`
	Numbers   *Numbers    `yaml:"numbers" doc:"How it writes telephone numbers in SIP URIs. What crosses to it is rewritten; what is no number stays."`
	Diversion Diversion   `yaml:"diversion" enum:"keep history diversion both none" doc:"How it is told who diverted a call (RFC 7544): history (History-Info), diversion (Diversion), both, none; keep: as the caller told it."`
	Q850      Q850        `yaml:"q850" doc:"Causes of Q.850 in Reason, by the tables of RFC 3398."`
	Responses Responses   `yaml:"responses" doc:"Final failures on their way back to this neighbour: code, class, range or \"*\" to a code, [code, text], or false."`
	Params    Params      `yaml:"params" doc:"Free values for scripts and profiles."`
	Profile   *Profile    `yaml:"profile" doc:"Lua file with its inbound and outbound message profiles, or {cucm: FILE, params: {...}}: a script of Cisco CUCM."`
	Auth      *Auth       `yaml:"auth" doc:"What answers its challenges (digest)."`
	PRACK     PRACK       `yaml:"prack" enum:"interwork pass off" doc:"Reliable provisional responses: interwork ends them at each leg, pass lets the legs agree, off."`
	Timer     *TrunkTimer `yaml:"timer" doc:"Session timer of its legs, in place of sip.timer; false: none, not even one that it asks for."`

	Health   *Health   `yaml:"health" doc:"When a target counts as down and is tried last; left out: never."`
	Register *Register `yaml:"register" doc:"Our account there: registered with the host of aor, through targets, with auth."`

	Media MediaMode `yaml:"media" enum:"direct" later:"relay rtpengine" doc:"direct: RTP of its calls flows from end to end."`
}

// Target is one place to try. Weight is 0 after Load only where the file says so.
type Target struct {
	URI      string `yaml:"uri" doc:"SIP URI."`
	Weight   int    `yaml:"weight" min:"0" max:"65535" doc:"Share among targets of equal priority; 0 is tried behind them; default 1."`
	Priority int    `yaml:"priority" min:"0" max:"65535" doc:"The lowest is tried first; default 0."`
}

// Responses are the rows of a response map, in the order of the file; the most
// specific row wins, as in Lua.
type Responses []Response

// Response maps the failures that From names (a code, "5xx", "400-499" or "*").
type Response struct {
	From string
	Pass bool   // leave the response as it is; Code and Text are empty
	Code int    // 300 to 699
	Text string // empty: the usual phrase of Code
}

// Params are plain values: string, bool, int64, float64, []any and
// map[string]any of these.
type Params map[string]any

// TrunkLimits bound one neighbour; 0 is no limit.
type TrunkLimits struct {
	Calls int `yaml:"calls" min:"0" doc:"Calls at once; 0: no limit."`
	CPS   int `yaml:"cps" min:"0" doc:"New calls a second; 0: no limit."`
}

// Headers say what crosses: a preset, changed by pass, set and drop.
type Headers struct {
	Preset Preset            `yaml:"preset" enum:"edge transparent none" doc:"edge: end-to-end headers, and no address or machine of the other side in URIs of people, no origin and name of who made the SDP; transparent: all but the engine's own; none; left out: the headers of edge alone."`
	Pass   []string          `yaml:"pass" doc:"Headers that cross as well."`
	Set    map[string]string `yaml:"set" doc:"Headers to write, with their values."`
	Drop   []string          `yaml:"drop" doc:"Headers that do not cross."`
}

// Preset names a set of headers that cross.
type Preset string

// The values of headers.preset.
const (
	PresetEdge        Preset = "edge"
	PresetTransparent Preset = "transparent"
	PresetNone        Preset = "none"
)

// Auth are credentials towards a neighbour; both keys are there after Load.
type Auth struct {
	User     string `yaml:"user" doc:"User name."`
	Password Secret `yaml:"password" doc:"Password. Better: !file path or ${NAME}."`
}

// Health says when a target is down: by OPTIONS, and by what calls meet there.
type Health struct {
	Options   time.Duration `yaml:"options" min:"0s" max:"1h" doc:"Between two OPTIONS to a target, a tenth more or less; 0s: none, calls alone tell, and one tries it each 30 s."`
	Timeout   time.Duration `yaml:"timeout" min:"100ms" max:"32s" doc:"For the answer; any but 503 and 408 is one. Left out: 2s, or half of options where that is less."`
	DownAfter int           `yaml:"down_after" min:"1" max:"100" doc:"So many failures in a row take a target down: no answer, a connection refused, 503, 408."`
	UpAfter   int           `yaml:"up_after" min:"1" max:"100" doc:"So many answers in a row bring it back."`
}

// Register is our account at a neighbour that wants us to register. AOR is there
// after Load.
type Register struct {
	AOR         string  `yaml:"aor" doc:"Our address of record, such as sip:acct@carrier.example."`
	Expires     Seconds `yaml:"expires" min:"1s" max:"168h" doc:"Seconds asked for; refreshed at 75 to 90 percent of what is granted."`
	ContactUser string  `yaml:"contact_user" doc:"User of our Contact, and so of the Request-URI of calls that come by it; empty: that of aor."`
}

// PRACK says what becomes of reliable provisional responses.
type PRACK string

// The values of prack.
const (
	PRACKInterwork PRACK = "interwork"
	PRACKPass      PRACK = "pass"
	PRACKOff       PRACK = "off"
)

// TrunkTimer is the session timer of a trunk's legs. Keys that the file leaves
// out are those of sip.timer after Load.
type TrunkTimer struct {
	Off       bool    `yaml:"-"`
	Expires   Seconds `yaml:"expires" min:"0s" max:"24h" doc:"Seconds between refreshes that are asked for; 0: none are, but those the peer asks for are honoured."`
	Min       Seconds `yaml:"min" min:"90s" max:"24h" doc:"Fewer seconds are refused with 422 (RFC 4028 allows no less than 90)."`
	Refresher string  `yaml:"refresher" enum:"uac uas" doc:"Who refreshes: uac or uas of the request that asks for the timer (RFC 4028); left out: whoever can."`
}

// Users are those who authenticate here.
type Users struct {
	File       string      `yaml:"file" doc:"YAML of name: password, or name: HA1 (hexadecimal MD5 or SHA-256 of user:realm:password, the same for all)."`
	Realm      string      `yaml:"realm" doc:"Realm of challenges; an HA1 is good for one realm only."`
	Algorithms []Algorithm `yaml:"algorithms" enum:"MD5 SHA-256" doc:"Digest algorithms that challenges offer, the preferred first; empty: what users with an HA1 can answer, else MD5, as many phones give up when they see another."`

	Accounts map[string]Account `yaml:"-"` // what stands in File
}

// Algorithm is one of digest.
type Algorithm string

// The values of users.algorithms.
const (
	AlgorithmMD5    Algorithm = "MD5"
	AlgorithmSHA256 Algorithm = "SHA-256"
)

// Account is how one user is known; one of both is set.
type Account struct {
	Password Secret `yaml:"password"`
	HA1      Secret `yaml:"ha1"` // lower case
}

// Registrar bounds what phones may register.
type Registrar struct {
	Enabled bool             `yaml:"enabled" doc:"Take REGISTER; else it gets 405, unless a script decides."`
	Expires RegistrarExpires `yaml:"expires" doc:"How long a registration lives."`
}

// RegistrarExpires bound a registration; after Load, Min <= Default <= Max.
type RegistrarExpires struct {
	Min     Seconds `yaml:"min" min:"1s" max:"1h" doc:"Fewer seconds are refused with 423 (RFC 3261 allows no more than 3600 here)."`
	Default Seconds `yaml:"default" min:"1s" max:"8760h" doc:"Seconds granted to who asks for none in particular."`
	Max     Seconds `yaml:"max" min:"1s" max:"8760h" doc:"The most seconds that are granted."`
}

// Admin is the HTTP side. Token is set whenever Address is not loopback.
type Admin struct {
	Address string `yaml:"address" doc:"IP address and port; empty: no HTTP."`
	Token   Secret `yaml:"token" doc:"Bearer token; required when the address is not loopback. Better: !file path or ${NAME}."`
}

// Store is where b2b.store, b2b.limit and the registrar keep what they know. Path
// is there for a file, URL for Redis.
type Store struct {
	Kind string `yaml:"kind" enum:"memory file redis" doc:"memory: gone with the process; file: one process's, outlives it; redis: shared by all that name it."`
	Path string `yaml:"path" doc:"File to keep it in; kind file."`
	URL  Secret `yaml:"url" doc:"redis://user:password@host:6379/0, Redis 6 or later; kind redis. Better: !file path or ${NAME}."`
}

// Redis is one server for b2b.redis.
type Redis struct {
	URL         Secret        `yaml:"url" doc:"redis://user:password@host:6379/0, rediss:// for TLS. Better: !file path or ${NAME}."`
	Timeout     time.Duration `yaml:"timeout" min:"1ms" max:"1m" doc:"Of one command; default 1s."`
	Connections int           `yaml:"connections" min:"1" max:"1000" doc:"At most; default 10."`
}

// SQL is one database for b2b.sql.
type SQL struct {
	Driver      string        `yaml:"driver" enum:"postgres sqlite" doc:"postgres, or sqlite: a file, without a server."`
	DSN         Secret        `yaml:"dsn" doc:"postgres://user:password@host:5432/database, or the path of the file of sqlite. Better: !file path or ${NAME}."`
	Timeout     time.Duration `yaml:"timeout" min:"1ms" max:"1m" doc:"Of one statement; default 2s."`
	Connections int           `yaml:"connections" min:"1" max:"1000" doc:"At most; default 10."`
}

// CDR is one destination of call records.
type CDR struct {
	Kind string `yaml:"kind" enum:"jsonl" later:"csv postgres http" doc:"jsonl: one JSON object a line."`
	Path string `yaml:"path" doc:"File to append to."`
}

// Limits bound the process; 0 switches each of them off.
type Limits struct {
	Calls        int      `yaml:"calls" min:"0" doc:"Calls at once; 0: no limit."`
	CPS          int      `yaml:"cps" min:"0" doc:"New calls a second; 0: no limit."`
	PerSourceCPS int      `yaml:"per_source_cps" min:"0" doc:"New calls a second from one source address, and as many other requests outside calls; 0: no limit."`
	Overload     Overload `yaml:"overload" doc:"When the process itself is too slow."`
}

// Overload says when new calls are refused for the sake of those in progress.
type Overload struct {
	QueueDelay time.Duration `yaml:"queue_delay" min:"0s" doc:"New calls get 503 once events wait this long; 0s: never."`
}

// ACL are addresses that may come and that may not.
type ACL struct {
	Allow []string `yaml:"allow" doc:"CIDRs and IP addresses; when there are any, nobody else may come."`
	Deny  []string `yaml:"deny" doc:"CIDRs and IP addresses that may not come; of both lists the longest prefix decides."`
}

// Ban says who is banned, and for how long.
type Ban struct {
	After  int           `yaml:"after" min:"0" max:"100000" doc:"So many failures within window; a challenge that nobody answers is a fifth of one; 0: nobody is banned."`
	Window time.Duration `yaml:"window" min:"1s" max:"24h" doc:"Failures of longer ago do not count."`
	For    time.Duration `yaml:"for" min:"1s" max:"8760h" doc:"Then it is over; legwork unban ends it before."`
}

// Deploy says how new versions of the scripts are watched.
type Deploy struct {
	Bench Bench `yaml:"bench" doc:"A version that errs too often is taken out until the next reload: the last good one is live again."`
}

// Bench says when a version of the scripts errs too often.
type Bench struct {
	Errors int           `yaml:"errors" min:"0" max:"10000" doc:"So many errors of hooks within window; 0: never."`
	Window time.Duration `yaml:"window" min:"1s" max:"1h" doc:"Errors of longer ago do not count."`
}

// SIP holds the protocol's figures.
type SIP struct {
	T1          time.Duration `yaml:"t1" restart:"yes" min:"10ms" max:"10s" doc:"Round-trip estimate, RFC 3261 section 17."`
	T2          time.Duration `yaml:"t2" restart:"yes" min:"10ms" max:"60s" doc:"Longest pause between two repetitions; at least t1."`
	MaxMessage  int           `yaml:"max_message" restart:"yes" min:"1500" max:"1048576" doc:"Largest message taken, in bytes; larger ones get 513."`
	UDPMax      int           `yaml:"udp_max" restart:"yes" min:"1300" max:"65507" doc:"Largest request sent over UDP, in bytes."`
	UserAgent   string        `yaml:"user_agent" restart:"yes" doc:"User-Agent and Server; empty: neither is sent."`
	MaxDuration time.Duration `yaml:"max_duration" restart:"yes" min:"1s" doc:"Longest call; then both legs are cleared."`
	Timer       Timer         `yaml:"timer" doc:"Session timers (RFC 4028), leg by leg; see also timer of a trunk."`
}

// Timer is the session timer of legs whose trunk has none of its own.
type Timer struct {
	Expires Seconds `yaml:"expires" min:"0s" max:"24h" doc:"Seconds between refreshes that are asked for; 0: none are, but those a peer asks for are honoured."`
	Min     Seconds `yaml:"min" min:"90s" max:"24h" doc:"Fewer seconds are refused with 422 (RFC 4028 allows no less than 90)."`
}

// Replay is the log of decisions.
type Replay struct {
	Path    string        `yaml:"path" doc:"Folder, made when it is not there; empty: nothing is logged. It holds the numbers of every call, and no passwords."`
	MaxSize Size          `yaml:"max_size" doc:"Of all of it; the oldest goes first."`
	MaxAge  time.Duration `yaml:"max_age" min:"1h" max:"8760h" doc:"What is older goes."`
}

// Capture bounds the memory that ladders are drawn from.
type Capture struct {
	Ring int      `yaml:"ring" min:"0" max:"1000000" doc:"Calls kept; 0: none."`
	Mask []string `yaml:"mask" enum:"numbers" doc:"What ladders and traces hide besides secrets: numbers, the ends of telephone numbers."`

	_ struct{} `later:"hep"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level" enum:"debug info warn error" doc:"debug, info, warn or error."`
	Format string `yaml:"format" restart:"yes" enum:"text json" doc:"text or json."`
}

// Drain bounds an orderly goodbye.
type Drain struct {
	Timeout time.Duration `yaml:"timeout" min:"0s" doc:"How long calls may go on after SIGTERM; then they are cleared."`
}

// Default is the configuration without a file: loopback only, no trunk, so
// every request is refused until one is named.
func Default() *Config {
	return &Config{
		Listen: []Listener{
			{Name: "udp", Transport: "udp", Address: "127.0.0.1:5060"},
			{Name: "tcp", Transport: "tcp", Address: "127.0.0.1:5060"},
		},
		UnknownSources: UnknownReject,
		Users:          Users{Realm: "legwork"},
		Registrar: Registrar{Expires: RegistrarExpires{
			Min: Seconds(time.Minute), Default: Seconds(5 * time.Minute), Max: Seconds(time.Hour),
		}},
		Admin:  Admin{Address: "127.0.0.1:8060"},
		Media:  Media{Mode: MediaDirect},
		Store:  Store{Kind: "memory"},
		Limits: Limits{PerSourceCPS: 50, Overload: Overload{QueueDelay: 200 * time.Millisecond}},
		Ban:    Ban{After: 20, Window: time.Minute, For: time.Hour},
		SIP: SIP{
			T1: 500 * time.Millisecond, T2: 4 * time.Second,
			MaxMessage: 65535, UDPMax: 65000,
			UserAgent: "legwork", MaxDuration: 4 * time.Hour,
			Timer: Timer{Min: Seconds(90 * time.Second)},
		},
		Capture: Capture{Ring: 2000},
		Replay:  Replay{MaxSize: 1 << 30, MaxAge: 7 * 24 * time.Hour},
		Log:     Log{Level: "info", Format: "text"},
		Leaks:   Leaks{Every: 100},
		Deploy:  Deploy{Bench: Bench{Errors: 20, Window: time.Minute}},
		Drain:   Drain{Timeout: 30 * time.Second},
	}
}
