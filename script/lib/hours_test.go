package lib

import (
	"strings"
	"testing"
	"time"
)

func TestHoursAreThoseOfTheZone(t *testing.T) {
	c := newCalendar()
	for _, x := range []struct {
		spec, zone, at string // at in UTC; 2026-03-02 is a Monday
		want           bool
	}{
		{"Mo-Fr 09:00-17:00", "Europe/Berlin", "2026-03-02 07:59", false},
		{"Mo-Fr 09:00-17:00", "Europe/Berlin", "2026-03-02 08:00", true},
		{"Mo-Fr 09:00-17:00", "Europe/Berlin", "2026-07-06 07:00", true}, // summer time
		{"Mo-Fr 09:00-17:00", "Europe/Berlin", "2026-03-02 15:59", true},
		{"Mo-Fr 09:00-17:00", "Europe/Berlin", "2026-03-02 16:00", false},
		{"Mo-Fr 09:00-17:00", "UTC", "2026-03-07 12:00", false},
		{"Mo-Fr 09:00-17:00; Sa 10:00-14:00", "UTC", "2026-03-07 12:00", true},
		{"Mo,We,Fr 09:00-12:00,13:00-17:00", "UTC", "2026-03-04 12:30", false},
		{"Mo,We,Fr 09:00-12:00,13:00-17:00", "UTC", "2026-03-04 13:30", true},
		{"Sa-Mo 00:00-24:00", "UTC", "2026-03-01 23:59", true},
		{"Sa-Mo 00:00-24:00", "UTC", "2026-03-03 00:00", false},
		{"Su 22:00-06:00", "UTC", "2026-03-02 05:59", true}, // over the week's end
		{"Su 22:00-06:00", "UTC", "2026-03-02 06:00", false},
		{"Su 22:00-06:00", "UTC", "2026-03-01 05:00", false},
		{"08:00-20:00", "UTC", "2026-03-01 08:00", true},
		{"24/7", "UTC", "2026-03-01 23:59", true},
	} {
		at, err := time.Parse("2006-01-02 15:04", x.at)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.open(x.spec, x.zone, at); got != x.want || err != nil {
			t.Errorf("%s %s at %s = %v, %v", x.spec, x.zone, x.at, got, err)
		}
	}
}

func TestHoursThatAreNoneSayWhy(t *testing.T) {
	c := newCalendar()
	for spec, want := range map[string]string{
		"": "no hours", ";;": "no hours", "Mo-Fr": "days without times", "Mi 09:00-17:00": `"Mi" is not a day`,
		"Mo 9:00-17:00": "time span", "Mo 09:00": "time span", "Mo 09:00-25:00": "time span", "Mo 09:60-10:00": "time span",
		"Mo 24:00-10:00": "time span", "oT 09:00-10:00": "is not a day", "Mo 09:00-10:00 11:00": "time span",
		strings.Repeat("Mo 09:00-10:00;", 100): "more than",
	} {
		if _, err := c.open(spec, "UTC", time.Now()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", spec, err, want)
		}
	}
	for _, zone := range []string{"", "Europe/Berlim", "../../etc/passwd"} {
		if _, err := c.open("24/7", zone, time.Now()); err == nil || !strings.Contains(err.Error(), "is not a time zone") {
			t.Errorf("%q: %v", zone, err)
		}
	}
}
