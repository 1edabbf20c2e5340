package lib

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones are there on any machine
)

// maxHoursSpec bounds the text of opening hours.
const maxHoursSpec = 1024

// An hours is one week of opening hours, in minutes from Monday 00:00. A span
// may end after the week's end.
type hours []span

type span struct{ from, to int }

const (
	day  = 24 * 60
	week = 7 * day
)

// parseHours reads "Mo-Fr 09:00-17:00; Sa 10:00-14:00,15:00-18:00". A rule
// without days is for every day, and "24/7" is always. A span that ends before it begins
// ends on the next day. Rules add up; there are no holidays.
func parseHours(spec string) (hours, error) {
	if len(spec) > maxHoursSpec {
		return nil, fmt.Errorf("more than %d bytes", maxHoursSpec)
	}
	var h hours
	for rule := range strings.SplitSeq(spec, ";") {
		rule = strings.TrimSpace(rule)
		if rule == "" {
			continue
		}
		spans, err := parseRule(rule)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", rule, err)
		}
		h = append(h, spans...)
	}
	if h == nil {
		return nil, errors.New(`no hours; write "Mo-Fr 09:00-17:00; Sa 10:00-14:00"`)
	}
	return h, nil
}

func parseRule(rule string) (hours, error) {
	if rule == "24/7" {
		return hours{{0, week}}, nil
	}
	days, times := "Mo-Su", rule
	if rule[0] < '0' || rule[0] > '9' {
		var ok bool
		if days, times, ok = strings.Cut(rule, " "); !ok {
			return nil, errors.New("days without times")
		}
	}
	on, err := parseDays(days)
	if err != nil {
		return nil, err
	}
	var h hours
	for text := range strings.SplitSeq(times, ",") {
		s, err := parseSpan(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		for d, open := range on {
			if open {
				h = append(h, span{d*day + s.from, d*day + s.to})
			}
		}
	}
	return h, nil
}

func parseDays(text string) (on [7]bool, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := parseDay(first)
		if err != nil {
			return on, err
		}
		to := from
		if isRange {
			if to, err = parseDay(last); err != nil {
				return on, err
			}
		}
		for d := from; ; d = (d + 1) % 7 {
			on[d] = true
			if d == to {
				break
			}
		}
	}
	return on, nil
}

func parseDay(text string) (int, error) {
	const days = "MoTuWeThFrSaSu"
	if at := strings.Index(days, text); len(text) == 2 && at >= 0 && at%2 == 0 {
		return at / 2, nil
	}
	return 0, fmt.Errorf("%q is not a day: Mo Tu We Th Fr Sa Su", text)
}

func parseSpan(text string) (span, error) {
	first, last, ok := strings.Cut(text, "-")
	from, okFrom := parseClock(first)
	to, okTo := parseClock(last)
	if !ok || !okFrom || !okTo || from == day {
		return span{}, fmt.Errorf("%q is not a time span like 09:00-17:00", text)
	}
	if to <= from {
		to += day
	}
	return span{from, to}, nil
}

func parseClock(text string) (minutes int, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	for _, i := range [...]int{0, 1, 3, 4} {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	h, m := int(text[0]-'0')*10+int(text[1]-'0'), int(text[3]-'0')*10+int(text[4]-'0')
	return h*60 + m, m < 60 && (h < 24 || h == 24 && m == 0)
}

// at tells whether it is open at that moment of local time.
func (h hours) at(t time.Time) bool {
	now := (int(t.Weekday())+6)%7*day + t.Hour()*60 + t.Minute()
	for _, s := range h {
		if now >= s.from && now < s.to || now+week < s.to {
			return true
		}
	}
	return false
}

// A calendar remembers the hours and zones that scripts have named.
type calendar struct {
	mu    sync.Mutex // guards both
	hours *lru[hours]
	zones *lru[*time.Location]
}

func newCalendar() *calendar {
	return &calendar{hours: newLRU[hours](1000), zones: newLRU[*time.Location](1000)}
}

func (c *calendar) open(spec, zone string, t time.Time) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.hours.get(spec)
	if !ok {
		var err error
		if h, err = parseHours(spec); err != nil {
			return false, err
		}
		c.hours.put(spec, h)
	}
	z, ok := c.zones.get(zone)
	if !ok {
		var err error
		if z, err = time.LoadLocation(zone); err != nil || zone == "" {
			return false, fmt.Errorf("%q is not a time zone like Europe/Berlin", zone)
		}
		c.zones.put(zone, z)
	}
	return h.at(t.In(z)), nil
}
