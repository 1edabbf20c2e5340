package lib

import "container/list"

// An lru holds a bounded number of values and forgets the one that was asked
// for longest ago. It has no lock.
type lru[V any] struct {
	most   int
	places map[string]*list.Element
	order  list.List // of lruEntry[V], the last asked first
}

type lruEntry[V any] struct {
	key   string
	value V
}

func newLRU[V any](most int) *lru[V] {
	return &lru[V]{most: most, places: make(map[string]*list.Element)}
}

func (c *lru[V]) get(key string) (value V, ok bool) {
	place, ok := c.places[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(place)
	return place.Value.(lruEntry[V]).value, true
}

// put returns what had to go: the value the key had, or the oldest one.
func (c *lru[V]) put(key string, value V) (gone V, ok bool) {
	if place, found := c.places[key]; found {
		gone = place.Value.(lruEntry[V]).value
		place.Value = lruEntry[V]{key, value}
		c.order.MoveToFront(place)
		return gone, true
	}
	c.places[key] = c.order.PushFront(lruEntry[V]{key, value})
	if len(c.places) > c.most {
		return c.dropOldest()
	}
	return gone, false
}

func (c *lru[V]) dropOldest() (gone V, ok bool) {
	oldest := c.order.Back()
	if oldest == nil {
		return gone, false
	}
	e := c.order.Remove(oldest).(lruEntry[V])
	delete(c.places, e.key)
	return e.value, true
}
