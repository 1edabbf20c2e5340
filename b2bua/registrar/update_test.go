package registrar

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/store"
)

func TestBindingIsGoneAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Now = nil })
		r.register("Contact: <sip:a@192.0.2.1>;expires=100, <sip:b@192.0.2.1>;expires=60;q=0.1")
		time.Sleep(60*time.Second - time.Nanosecond)
		r.holds("sip:a@192.0.2.1", "sip:b@192.0.2.1")
		time.Sleep(time.Nanosecond)
		r.accepts(r.register(), "<sip:a@192.0.2.1>;expires=40")
		time.Sleep(40 * time.Second)
		r.holds()
		if r.store.(*store.Memory).Len() != 0 {
			t.Error("the store still holds them")
		}
	})
}

func TestLaterCSeqOfTheSameUserAgentWins(t *testing.T) {
	r := newRig(t, nil)
	r.register("CSeq: 7 REGISTER", "Contact: <sip:a@192.0.2.1>;expires=600")
	for _, late := range []string{"CSeq: 7 REGISTER", "CSeq: 6 REGISTER"} {
		for _, contact := range []string{"<sip:a@192.0.2.1>;expires=900", "<sip:a@192.0.2.1>;expires=0", "<sip:new@192.0.2.1>, <sip:a@192.0.2.1>"} {
			res := r.register(late, "Contact: "+contact)
			r.refuses(res, 500)
			if !errors.Is(res.Err, ErrOutOfOrder) {
				t.Errorf("err = %v", res.Err)
			}
		}
		r.refuses(r.register(late, "Contact: *", "Expires: 0"), 500)
	}
	r.accepts(r.register(), "<sip:a@192.0.2.1>;expires=600")
	r.accepts(r.register("CSeq: 8 REGISTER", "Contact: <sip:a@192.0.2.1>;expires=90"), "<sip:a@192.0.2.1>;expires=90")
}

func TestAnotherCallIDNeedsNoLargerCSeq(t *testing.T) {
	r := newRig(t, nil)
	r.register("CSeq: 7 REGISTER", "Contact: <sip:a@192.0.2.1>;expires=600")
	r.accepts(r.register("Call-ID: rebooted", "CSeq: 1 REGISTER", "Contact: <sip:a@192.0.2.1>;expires=90"), "<sip:a@192.0.2.1>;expires=90")
	r.accepts(r.register("Call-ID: third", "CSeq: 1 REGISTER", "Contact: *", "Expires: 0"))
}

func TestAllOrNothingIsChanged(t *testing.T) {
	r := newRig(t, nil)
	r.register("Contact: <sip:a@192.0.2.1>")
	for _, second := range []string{"<sip:b@>", "<sip:b@192.0.2.1>;expires=1", "<sip:b@192.0.2.1>;q=7"} {
		r.register("CSeq: 2 REGISTER", "Contact: <sip:a@192.0.2.1>;expires=0, "+second)
		r.holds("sip:a@192.0.2.1")
	}
}

func TestContactsAreTriedByQAndAge(t *testing.T) {
	r := newRig(t, nil)
	r.register("Contact: <sip:low@192.0.2.1>;q=0.2, <sip:plain@192.0.2.1>, <sip:mid@192.0.2.1>;q=0.50")
	r.now = r.now.Add(time.Second)
	r.register("CSeq: 2 REGISTER", "Contact: <sip:newer@192.0.2.1>;q=1.000, <sip:never@192.0.2.1>;q=0")
	r.holds("sip:newer@192.0.2.1", "sip:plain@192.0.2.1", "sip:mid@192.0.2.1", "sip:low@192.0.2.1", "sip:never@192.0.2.1")
	r.now = r.now.Add(time.Second)
	r.register("CSeq: 3 REGISTER", "Contact: <sip:plain@192.0.2.1>")
	r.holds("sip:plain@192.0.2.1", "sip:newer@192.0.2.1", "sip:mid@192.0.2.1", "sip:low@192.0.2.1", "sip:never@192.0.2.1")
}

func TestInstanceWithItsFlowReplacesItsBinding(t *testing.T) {
	r := newRig(t, nil)
	const phone = `;+sip.instance="<urn:uuid:1>";reg-id=`
	r.register("Contact: <sip:a@192.0.2.1:4001>" + phone + "1")
	r.now = r.now.Add(time.Second)
	r.register("Call-ID: other flow", "Contact: <sip:a@192.0.2.1:4001>"+phone+"2")
	r.now = r.now.Add(time.Second)
	r.register("Call-ID: rebooted", "Contact: <sip:a@192.0.2.1:4003>"+phone+"1")
	list := r.holds("sip:a@192.0.2.1:4003", "sip:a@192.0.2.1:4001")
	if list[0].Instance != "<urn:uuid:1>" || list[0].RegID != 1 || list[1].RegID != 2 {
		t.Errorf("%+v", list)
	}
	r.register("Call-ID: no outbound", "Contact: <sip:a@192.0.2.1:4001>;q=0.1")
	r.holds("sip:a@192.0.2.1:4003", "sip:a@192.0.2.1:4001", "sip:a@192.0.2.1:4001")
	r.refuses(r.register("Contact: <sip:b@192.0.2.1>"+phone+"0"), 400)
	r.now = r.now.Add(time.Second)
	r.register("Call-ID: other phone", `Contact: <sip:c@192.0.2.1>;+sip.instance="<urn:uuid:2>";reg-id=1`)
	r.holds("sip:c@192.0.2.1", "sip:a@192.0.2.1:4003", "sip:a@192.0.2.1:4001", "sip:a@192.0.2.1:4001")
}

func TestSameContactTwiceCountsAsTheLast(t *testing.T) {
	r := newRig(t, nil)
	r.accepts(r.register("Contact: <sip:a@192.0.2.1>;expires=100, <sip:%61@192.0.2.1;x=1>;expires=200"), "<sip:%61@192.0.2.1;x=1>;expires=200")
	r.accepts(r.register("CSeq: 2 REGISTER", "Contact: <sip:a@192.0.2.1>, <sip:a@192.0.2.1>;expires=0"))
}

func TestOneContactMayStandForSeveral(t *testing.T) {
	r := newRig(t, nil)
	r.register("Contact: <sip:a@192.0.2.1;x=1>, <sip:a@192.0.2.1;x=2>")
	r.accepts(r.register("CSeq: 2 REGISTER", "Contact: <sip:a@192.0.2.1>"), "<sip:a@192.0.2.1>;expires=300")
}

func TestBindingsOfOneAddressAreBounded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxBindings = 2 })
	r.register("Contact: <sip:a@192.0.2.1>, <sip:b@192.0.2.1>;q=0.1")
	r.now = r.now.Add(time.Second)
	r.refuses(r.register("CSeq: 2 REGISTER", "Contact: <sip:c@192.0.2.1>"), 403)
	r.accepts(r.register("CSeq: 2 REGISTER", "Contact: <sip:c@192.0.2.1>, <sip:b@192.0.2.1>;expires=0"),
		"<sip:c@192.0.2.1>;expires=300", "<sip:a@192.0.2.1>;expires=299")
}

func TestSmallerBoundLetsTheOldBindingsRefresh(t *testing.T) {
	r := newRig(t, nil)
	r.register("Contact: <sip:a@192.0.2.1>, <sip:b@192.0.2.1>;q=0.1")
	less := newRig(t, func(c *Config) { c.MaxBindings, c.Store = 1, r.store })
	less.accepts(less.register("CSeq: 2 REGISTER", "Contact: <sip:b@192.0.2.1>;q=0.1"),
		"<sip:a@192.0.2.1>;expires=300", "<sip:b@192.0.2.1>;q=0.1;expires=300")
}

func TestNoneOfManyAtOnceIsLost(t *testing.T) {
	const phones = 24 // fewer than mostTries: each failed try is somebody's success
	r := newRig(t, func(c *Config) { c.MaxBindings = phones })
	var all sync.WaitGroup
	for i := range phones {
		req := request(t, fmt.Sprintf("Call-ID: %d", i), fmt.Sprintf("Contact: <sip:a@192.0.2.%d>", i))
		all.Go(func() {
			if res := r.Register(req, Origin{}, 0); res.Code != 200 {
				t.Errorf("%d %v", res.Code, res.Err)
			}
		})
	}
	all.Wait()
	if list, err := r.Lookup(bob); len(list) != phones || err != nil {
		t.Errorf("%d of %d are kept: %v", len(list), phones, err)
	}
}

// shaky is a store where something goes wrong.
type shaky struct {
	store.Store
	get, cas error
	meddle   func(store.Store) // before each CAS
	tries    int
}

func (s *shaky) Get(key string) (string, bool, error) {
	if s.get != nil {
		return "", false, s.get
	}
	return s.Store.Get(key)
}

func (s *shaky) CAS(key string, old, new *string, ttl time.Duration) (bool, error) {
	s.tries++
	if s.meddle != nil {
		s.meddle(s.Store)
	}
	if s.cas != nil {
		return false, s.cas
	}
	return s.Store.CAS(key, old, new, ttl)
}

func TestFailingStoreIsAServerError(t *testing.T) {
	broken := errors.New("connection refused")
	for name, s := range map[string]*shaky{"get": {get: broken}, "cas": {cas: broken}} {
		r := newRig(t, func(c *Config) { s.Store, c.Store = c.Store, s })
		res := r.register("Contact: <sip:a@192.0.2.1>")
		r.refuses(res, 500)
		if !errors.Is(res.Err, broken) || len(res.Headers) > 0 || strings.Contains(res.Reason, "refused") {
			t.Errorf("%s: %+v", name, res)
		}
	}
	r := newRig(t, func(c *Config) { c.Store = &shaky{get: broken} })
	if _, err := r.Lookup(bob); !errors.Is(err, broken) {
		t.Errorf("Lookup: %v", err)
	}
}

func TestLoserOfARaceTriesAgainOnWhatTheWinnerWrote(t *testing.T) {
	s := &shaky{Store: store.NewMemory(store.Limits{})}
	r := newRig(t, func(c *Config) { c.Store = s })
	other := newRig(t, func(c *Config) { c.Store, c.Now = s.Store, func() time.Time { return r.now } })
	s.meddle = func(store.Store) {
		if s.tries == 1 {
			other.register("Call-ID: other", "Contact: <sip:b@192.0.2.1>;q=0.5")
		}
	}
	r.accepts(r.register("Contact: <sip:a@192.0.2.1>"), "<sip:a@192.0.2.1>;expires=300", "<sip:b@192.0.2.1>;q=0.5;expires=300")
	if s.tries != 2 {
		t.Errorf("%d tries", s.tries)
	}
}

func TestEndlessRaceEndsInAServerError(t *testing.T) {
	s := &shaky{}
	s.meddle = func(m store.Store) { _ = m.Set(under(bob), `{"v":1`+strings.Repeat(" ", s.tries)+`}`, 0) }
	r := newRig(t, func(c *Config) { s.Store, c.Store = c.Store, s })
	r.refuses(r.register("Contact: <sip:a@192.0.2.1>"), 500)
	if s.tries != mostTries {
		t.Errorf("%d tries", s.tries)
	}
}

func TestForeignValueInTheStoreIsNotTaken(t *testing.T) {
	for _, value := range []string{
		``, `null`, `{}`, `{"v":2,"b":[]}`, `{"v":1,"b":[{"c":"*"}]}`,
		`{"v":1,"b":[{"c":"<sip:a@192.0.2.1>;x=\"\r\nX: 1\"","e":9999999999999}]}`,
		`{"v":1,"b":[{"c":"<sip:a@192.0.2.1>","e":9999999999999,"p":["<sip:p>\r\nX: 1"]}]}`,
	} {
		r := newRig(t, nil)
		_ = r.store.Set(under(bob), value, 0)
		r.refuses(r.register("Contact: <sip:a@192.0.2.1>"), 500)
		if list, err := r.Lookup(bob); err == nil {
			t.Errorf("%s: read as %+v", value, list)
		}
	}
}

func TestStoreKeepsWhatWasRegistered(t *testing.T) {
	r := newRig(t, nil)
	const contact = `<sip:a@192.0.2.1;a=&>;+sip.instance="<urn:x>";methods="INVITE,\"BYE\",é` + "\u2028" + `";flag`
	r.accepts(r.register("Contact: "+contact), contact+";expires=300")
	r.accepts(r.register(), contact+";expires=300")
}
