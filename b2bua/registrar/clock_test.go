package registrar

import (
	"slices"
	"testing"
	"time"
)

func TestAClockThatIsSetAheadEndsNoRegistration(t *testing.T) {
	began := time.Now()
	r := newRig(t, func(c *Config) { c.Clock = func() time.Time { return began } })
	r.register("Contact: <sip:bob@192.0.2.4>")
	r.now = time.Date(2040, 11, 13, 18, 29, 0, 0, time.UTC)
	r.holds("sip:bob@192.0.2.4")
	if got := values(r.register(), "Date"); !slices.Equal(got, []string{"Tue, 13 Nov 2040 18:29:00 GMT"}) {
		t.Errorf("Date %q", got)
	}
}
