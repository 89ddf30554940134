package control

import (
	"testing"
	"time"
)

// TestMoment reads times of rows by the clock of this program, whatever zone BIRD has.
func TestMoment(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.Local)
	at := func(day, hour, minute, second int) time.Time {
		return time.Date(2026, 11, day, hour, minute, second, 0, time.Local)
	}
	for _, test := range []struct {
		current time.Time // BIRD's
		text    string
		want    time.Time
	}{
		{now, "11:59:59", at(25, 11, 59, 59)},
		{now, "12:00:01", at(24, 12, 0, 1)},
		{now, "2026-11-20", at(20, 0, 0, 0)},
		{now, "2026-11-20 10:00:00", at(20, 10, 0, 0)},
		{now, "a while ago", time.Time{}},
		{time.Time{}, "11:59:59", at(25, 11, 59, 59)},
		{now.Add(9*time.Hour + time.Second), "20:30:00", at(25, 11, 30, 0)},
		{now.Add(9*time.Hour + time.Second), "2026-11-25 20:30:00", at(25, 11, 30, 0)},
		{now.Add(13 * time.Hour), "23:30:00", at(25, 10, 30, 0)},
		{now.Add(13 * time.Hour), "01:30:00", at(24, 12, 30, 0)},
		{now.Add(-330*time.Minute - time.Second), "06:29:58", at(25, 11, 59, 58)},
		{now.Add(-330*time.Minute - time.Second), "06:30:10", at(24, 12, 0, 10)},
	} {
		if got := (Status{Current: test.current}).Moment(test.text, now); !got.Equal(test.want) {
			t.Errorf("%s, where BIRD's clock shows %s: %s, want %s", test.text, test.current, got, test.want)
		}
	}
}
