package b2bua

import (
	"log/slog"
	"time"

	"legwork/b2bua/transport"
)

// uplink is the connection over which a registrar has registered us, and may
// send calls as long as it lasts (RFC 5626 section 4.2.2).
type uplink struct {
	since time.Time // of the last registration over it; zero: there is none
	stop  func()    // makes the connection forget us
	brief int       // how many in a row have ended soon
}

// severed says that a connection ended; since tells it from others.
type severed struct{ since time.Time }

func (severed) event() {}

// hold keeps an eye on the connection of a registration that is good.
func (u *upstream) hold(at transport.Flow) {
	u.letGo()
	f, ok := u.server.transport.Connected(at)
	if !ok {
		return
	}
	since := time.Now()
	u.uplink.since = since
	u.uplink.stop = f.Watch(func() { u.post(severed{since}) })
}

func (u *upstream) letGo() {
	if u.uplink.stop != nil {
		u.uplink.stop()
	}
	u.uplink.since, u.uplink.stop = time.Time{}, nil
}

// cutOff registers anew, over another connection. Some registrars close each soon
// after they have answered: these are believed to reach us without, the second
// time.
func (u *upstream) cutOff(e severed) {
	if e.since.IsZero() || e.since != u.uplink.since || u.now != nil || u.leaving {
		return
	}
	u.letGo()
	if lasted := time.Since(e.since); lasted >= shortestRest {
		u.uplink.brief = 0
	} else if u.uplink.brief++; u.uplink.brief > 1 {
		return
	} else if next := e.since.Add(shortestRest); next.Before(u.state.Next) {
		u.state.Next = next
		u.publish()
		u.rest()
		return
	}
	u.tell(slog.LevelInfo, RegistrationFailed, "the connection of the registration is gone")
	u.begin()
}
