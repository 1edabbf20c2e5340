package journal

import (
	"crypto/hmac"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"sync"
)

// draws are the random numbers of one call. What scripts draw and what orders
// targets are apart, so that one more of these changes none of those.
type draws struct {
	seed  []byte
	mu    sync.Mutex // guards both
	lua   *rand.ChaCha8
	order *rand.Rand
}

// newDraws makes those of a seed.
func newDraws(seed []byte) *draws {
	lua := sha256.Sum256(append([]byte("lua "), seed...))
	order := sha256.Sum256(append([]byte("order "), seed...))
	return &draws{
		seed: seed, lua: rand.NewChaCha8(lua),
		order: rand.New(rand.NewPCG(binary.BigEndian.Uint64(order[:]), binary.BigEndian.Uint64(order[8:]))),
	}
}

// Uint64 implements rand.Source.
func (d *draws) Uint64() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lua.Uint64()
}

func (d *draws) float64() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.order.Float64()
}

// seal makes the key of the seeds: nobody who sees a call's id may know what it
// will draw.
func (l *Log) seal() { _, _ = cryptorand.Read(l.key[:]) } // never fails

// drawn are the draws of a call; nil when it is not followed.
func (l *Log) drawn(call string) (d *draws) {
	l.with(call, func(g *growing) {
		if g.draws == nil {
			seed := g.Seed
			if seed == nil {
				mac := hmac.New(sha256.New, l.key[:])
				mac.Write([]byte(call))
				seed = mac.Sum(nil)[:16]
			}
			g.draws = newDraws(seed)
		}
		d = g.draws
	})
	return d
}

// Draws implements lib.Fate.
func (l *Log) Draws(call string) rand.Source {
	if d := l.drawn(call); d != nil {
		return d
	}
	return nil
}

// Dice are the random numbers that order the targets of a call.
func (l *Log) Dice(call string) func() float64 {
	if d := l.drawn(call); d != nil {
		return d.float64
	}
	return rand.Float64
}

// Seeded lets a call draw what another drew; nil: anything.
func (l *Log) Seeded(call string, seed []byte) {
	l.with(call, func(g *growing) { g.Seed = seed })
}

// encoded is a value in JSON; nil for none.
func encoded(v any) json.RawMessage {
	if list, ok := v.([]any); v == nil || ok && len(list) == 0 && list == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}
