package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// CallList is the answer of GET calls, the oldest call first.
type CallList struct {
	Calls []Call `json:"calls"`
}

// Call is a call in progress.
type Call struct {
	ID       string    `json:"id"`
	Phase    string    `json:"phase"` // routing inviting talking clearing
	From     string    `json:"from"`
	To       string    `json:"to"`
	Trunk    string    `json:"trunk,omitempty"`
	Target   string    `json:"target,omitempty"`
	CallID   string    `json:"call_id"`
	Script   string    `json:"script,omitempty"`
	Started  time.Time `json:"started"`
	Answered time.Time `json:"answered,omitzero"`
	Attempts int       `json:"attempts"`
	Legs     []Leg     `json:"legs"`
}

// Leg is one half of a call.
type Leg struct {
	Role   string `json:"role"` // a b
	Trunk  string `json:"trunk,omitempty"`
	Target string `json:"target,omitempty"`
	Rang   bool   `json:"rang"`
	Local  string `json:"local"`
	Remote string `json:"remote"`
}

// Story is the answer of GET calls/{id}: a call in progress or the record of
// one that is over.
type Story struct {
	Call   *Call         `json:"call,omitempty"`
	Record *b2bua.Record `json:"record,omitempty"`
}

// TrunkList is the answer of GET trunks, by name.
type TrunkList struct {
	Trunks []Trunk `json:"trunks"`
}

// Trunk is what is counted about a trunk.
type Trunk struct {
	Name     string    `json:"name"`
	Up       bool      `json:"up"`
	Enabled  bool      `json:"enabled"`
	Until    time.Time `json:"down_until,omitzero"`
	Calls    int       `json:"calls"`
	MaxCalls int       `json:"max_calls"` // 0: no limit
	MaxCPS   float64   `json:"max_cps"`   // 0: no limit
	Attempts uint64    `json:"attempts"`
	Answered uint64    `json:"answered"`
	Failed   uint64    `json:"failed"`

	Registration *Registration `json:"registration,omitempty"` // nil: it wants none
	Targets      []Target      `json:"targets,omitempty"`      // those whose health is counted, or that rest

	// Match is the entry that the source fits which was asked for, Host tells that
	// it is a name.
	Match string `json:"match,omitempty"`
	Host  bool   `json:"host,omitempty"`
	// Barred tells that the source is none of the trunk's all the same, by its acl.
	Barred bool `json:"barred,omitempty"`
	// Rival tells that the entry is as long as the one that decides, which goes before it.
	Rival bool `json:"rival,omitempty"`
}

// Target is one place of a trunk.
type Target struct {
	URI   string    `json:"uri"`
	Up    bool      `json:"up"`
	Since time.Time `json:"since,omitzero"` // absent: since the start
	Why   string    `json:"why,omitempty"`  // it is down
	Until time.Time `json:"down_until,omitzero"`
}

// Registration is how far registering with a trunk has come.
type Registration struct {
	AOR        string    `json:"aor"`
	Registered bool      `json:"registered"`
	Target     string    `json:"target,omitempty"` // that accepted it
	Until      time.Time `json:"until,omitzero"`
	Code       int       `json:"code"` // of the last answer; 0: there was none
	Reason     string    `json:"reason"`
	Failures   int       `json:"failures"` // in a row
	Next       time.Time `json:"next,omitzero"`
}

// Health is the answer of healthz, readyz and drain.
type Health struct {
	Status string `json:"status"`
}

// Problem is an error (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func callList(states []b2bua.State) CallList {
	slices.SortFunc(states, func(a, b b2bua.State) int { return a.Started.Compare(b.Started) })
	list := CallList{Calls: make([]Call, 0, len(states))}
	for _, s := range states {
		list.Calls = append(list.Calls, callOf(s))
	}
	return list
}

func callOf(s b2bua.State) Call {
	c := Call{
		ID: s.ID, Phase: s.Phase, From: s.From, To: s.To, Trunk: s.Trunk, Target: s.Target, CallID: s.CallID,
		Script: s.Script, Started: s.Started, Answered: s.Answered, Attempts: s.Attempts, Legs: make([]Leg, 0, len(s.Legs)),
	}
	for _, l := range s.Legs {
		c.Legs = append(c.Legs, Leg{l.Role.String(), l.Trunk, l.Target, l.Rang, l.Local, l.Remote})
	}
	return c
}

func trunkList(stats []trunk.Stats) TrunkList {
	list := TrunkList{Trunks: make([]Trunk, 0, len(stats))}
	for _, s := range stats {
		list.Trunks = append(list.Trunks, Trunk{
			s.Name, s.Up, !s.Off, s.Until, s.Calls, s.Limits.Calls, s.Limits.CPS, s.Attempts, s.Answered, s.Failed,
			registrationOf(s.Registration), targetsOf(s.Targets), "", false, false, false,
		})
	}
	return list
}

// fitting lists the trunks of the hits, in their order.
func (l TrunkList) fitting(hits []trunk.Hit) TrunkList {
	found := TrunkList{Trunks: make([]Trunk, 0, len(hits))}
	for _, h := range hits {
		i := slices.IndexFunc(l.Trunks, func(t Trunk) bool { return t.Name == h.Trunk })
		if i >= 0 {
			one := l.Trunks[i]
			one.Match, one.Host, one.Barred, one.Rival = h.Entry, h.Host, h.Barred, h.Rival
			found.Trunks = append(found.Trunks, one)
		}
	}
	return found
}

func targetsOf(list []trunk.TargetStats) []Target {
	var all []Target
	for _, t := range list {
		all = append(all, Target(t))
	}
	return all
}

func registrationOf(r *trunk.Registration) *Registration {
	if r == nil {
		return nil
	}
	return &Registration{r.AOR, r.Bound(), r.Target, r.Until, r.Code, r.Reason, r.Failures, r.Next}
}

func answer(w http.ResponseWriter, status int, v any) { write(w, status, "application/json", v) }

func refuse(w http.ResponseWriter, status int, detail string) {
	write(w, status, "application/problem+json", Problem{http.StatusText(status), status, detail})
}

// write encodes before it sends, so that a value without JSON form (a record's
// fields come from scripts) is an error and not half an answer.
func write(w http.ResponseWriter, status int, kind string, v any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		refuse(w, http.StatusInternalServerError, "the answer can't be written as JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(message.MaskJSON(body.Bytes())) // the peer has gone if this fails
}
