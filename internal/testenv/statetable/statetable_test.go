package statetable

import (
	"slices"
	"testing"
)

func TestRowsOf(t *testing.T) {
	got := rowsOf("A machine.\n\n\tstate  event       next besides\n\toff    Push, Pull  on   light\n\ton     Push (hard) off\n\nMore.\n")
	want := []Row{{"off", "Push, Pull", "on"}, {"on", "Push (hard)", "off"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
