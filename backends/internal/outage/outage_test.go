package outage

import (
	"fmt"
	"testing"
	"time"
)

func TestOutage(t *testing.T) {
	at := func(minutes int) time.Time { return time.Unix(0, 0).Add(time.Duration(minutes) * time.Minute) }
	var o Outage[string]
	if o.Reminder(at(0)) != nil {
		t.Error("an outage that has not begun goes on")
	}
	o.Begin(at(0))
	o.Begin(at(3)) // it has
	for _, step := range []struct {
		minutes  int
		why      string
		news     bool
		reminder string
	}{
		{4, "refused", true, "[]"}, {5, "refused", false, "[attempts 2 for 5m0s]"}, {9, "hung", true, "[]"}, {10, "hung", false, "[attempts 4 for 10m0s]"},
	} {
		news := o.Failed(at(step.minutes), step.why)
		if reminder := fmt.Sprint(o.Reminder(at(step.minutes))); news != step.news || reminder != step.reminder {
			t.Errorf("after %d minutes: news %t, reminder %s", step.minutes, news, reminder)
		}
	}
	if o = (Outage[string]{}); !o.Failed(at(20), "refused") {
		t.Error("the next outage is no news")
	}
}
