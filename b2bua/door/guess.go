package door

import (
	"net/netip"
	"time"
)

// A user whose password is guessed at is not locked out: that would be what an
// attacker wants. From where he proved himself lately he is let in at once. From
// anywhere else each answer waits, right ones too, or the time would tell; and
// few wait at a time, so that guessing from many places is no faster.
const (
	freeGuesses  = 5           // wrong answers within guessWindow that cost nothing
	guessWindow  = time.Minute // each further wrong answer lets it begin anew
	firstPause   = 500 * time.Millisecond
	longestPause = 4 * time.Second
	mostWaiting  = 4       // answers for one user: one a second
	mostGuessed  = 1 << 16 // users, known or not
)

// guessed is a user somebody tries to be.
type guessed struct {
	last    time.Time // wrong answer
	wrong   int
	waiting int
}

// Pause is how long the answer to a user's credentials has to wait; 0: not at
// all. ok is false when it must not be given: too many wait. Otherwise Answered
// is to be called when a pause is over.
func (d *Door) Pause(source netip.Addr, user string) (pause time.Duration, ok bool) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guesses[d.name(user)]
	switch {
	case g == nil || g.wrong <= freeGuesses || now.Sub(g.last) >= guessWindow || d.stands(account{d.name(user), sourceOf(source)}, now):
		return 0, true
	case g.waiting >= mostWaiting:
		return 0, false
	}
	g.waiting++
	return min(firstPause<<min(g.wrong-freeGuesses-1, 10), longestPause), true
}

// Answered ends a pause.
func (d *Door) Answered(user string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if g := d.guesses[d.name(user)]; g != nil && g.waiting > 0 {
		g.waiting--
	}
}

// Guessed notes a wrong answer for a user, whether there is one or not.
func (d *Door) Guessed(user string) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guesses[d.name(user)]
	if g == nil {
		thin(d.guesses, mostGuessed, func(g *guessed) bool { return now.Sub(g.last) >= guessWindow })
		g = &guessed{}
		d.guesses[d.name(user)] = g
	}
	if now.Sub(g.last) >= guessWindow {
		g.wrong = 0
	}
	g.last = now
	g.wrong++
}
