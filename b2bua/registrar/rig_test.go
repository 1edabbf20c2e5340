package registrar

import (
	"slices"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/store"
)

const bob = "sips:bob@biloxi.example.com"

// rig is a registrar with a clock that a test sets.
type rig struct {
	*Registrar
	t     *testing.T
	now   time.Time
	store store.Store
}

func newRig(t *testing.T, edit func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Now(), store: store.NewMemory(store.Limits{})}
	c := Config{Store: r.store, Min: time.Minute, Default: 5 * time.Minute, Max: 2 * time.Hour, Now: func() time.Time { return r.now }}
	if edit != nil {
		edit(&c)
	}
	one, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r.Registrar = one
	return r
}

// request is a REGISTER of bob's with more fields, as it comes from the wire.
// fields may take the place of Call-ID and CSeq.
func request(t *testing.T, fields ...string) *message.Message {
	t.Helper()
	head := []string{
		"REGISTER sips:ss2.biloxi.example.com SIP/2.0",
		"Via: SIP/2.0/TLS client.biloxi.example.com:5061;branch=z9hG4bKnashds7",
		"Max-Forwards: 70", "From: Bob <" + bob + ">;tag=a73kszlfl",
	}
	for _, usual := range []string{"To: Bob <" + bob + ">", "Call-ID: 1j9FpLxk3uxtm8tn@biloxi.example.com", "CSeq: 1 REGISTER"} {
		name, _, _ := strings.Cut(usual, " ")
		if !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, name) }) {
			head = append(head, usual)
		}
	}
	m, err := message.Parse([]byte(strings.Join(append(head, fields...), "\r\n") + "\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if bad := m.Check(); bad != nil {
		t.Fatal(bad)
	}
	return m
}

func (r *rig) register(fields ...string) Result {
	r.t.Helper()
	return r.Register(request(r.t, fields...), Origin{Flow: "flow 1", Source: "192.0.2.4:5061", Transport: "tls"}, 0)
}

// accepts wants a 200 with exactly these Contacts.
func (r *rig) accepts(res Result, contacts ...string) {
	r.t.Helper()
	if res.Code != 200 {
		r.t.Fatalf("%d %s (%v), want 200", res.Code, res.Reason, res.Err)
	}
	if got := values(res, "Contact"); !slices.Equal(got, contacts) {
		r.t.Errorf("200 lists\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(contacts, "\n"))
	}
}

func (r *rig) refuses(res Result, code int) {
	r.t.Helper()
	if res.Code != code || len(values(res, "Contact")) > 0 {
		r.t.Errorf("%d %s %v, want %d", res.Code, res.Reason, res.Headers, code)
	}
}

// holds wants these URIs from Lookup.
func (r *rig) holds(contacts ...string) []Binding {
	r.t.Helper()
	list, err := r.Lookup(bob)
	if err != nil {
		r.t.Fatal(err)
	}
	var got []string
	for _, b := range list {
		got = append(got, b.Contact)
	}
	if !slices.Equal(got, contacts) {
		r.t.Errorf("kept %q, want %q", got, contacts)
	}
	return list
}

func values(res Result, name string) []string {
	var list []string
	for _, h := range res.Headers {
		if h.Name == name {
			list = append(list, h.Value)
		}
	}
	return list
}
