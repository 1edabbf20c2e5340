package transport

import (
	"errors"
	"os"
	"time"
)

const (
	// idleLimit is without a byte from the peer. Whether it is still there, is the
	// business of TCP keep-alives (15 s, as Go sets them). The usual session of
	// 1800 s is refreshed after half of it, and must not meet a connection that is
	// just being closed, here or there.
	idleLimit = 20 * time.Minute
	// pingAfter is a silence in which who has opened a connection pings, so that
	// what lies between and looks at bytes alone keeps it open, too; pingSpread lets
	// those that were opened together do it apart (RFC 5626 section 4.4.1: 95 to 120 s).
	pingAfter  = 95 * time.Second
	pingSpread = 26
)

// patience is how long to wait for the peer before it is looked after.
func (c *conn) patience() time.Duration {
	if c.accepted {
		return idleLimit
	}
	return pingAfter + time.Duration(c.serial%pingSpread)*time.Second
}

// stays tells whether the connection goes on for all that err ended a Read,
// after so much silence. It pings the peer of one that was dialled.
func (c *conn) stays(err error, silence time.Duration, in *frames) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !in.empty() || silence >= idleLimit && !c.needed() {
		return false
	}
	if !c.accepted {
		in.pinged = true
		_ = c.send([]byte("\r\n\r\n"), func(error) {})
	}
	return true
}

// needed tells whether somebody counts on the connection: a registration that
// leads back over it, or a watch.
func (c *conn) needed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.named || len(c.watches) > 0
}

// name makes the connection one that is needed as long as it lasts.
func (c *conn) name() {
	c.mu.Lock()
	c.named = true
	c.mu.Unlock()
}
