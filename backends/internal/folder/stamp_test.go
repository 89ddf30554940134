package folder

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestBeingWritten(t *testing.T) {
	tests := []struct {
		name, text string
		age        time.Duration
		want       bool
	}{
		{"just now", "text", 0, true},
		{"half a second ago", "text", 500 * time.Millisecond, false},
		{"emptied just now", "", 0, true},
		{"emptied half a second ago", "", 500 * time.Millisecond, true},
		{"emptied long ago", "", time.Minute, false},
		{"clocks that differ: long to come", "text", -time.Minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.yaml")
			if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			modified := time.Now().Add(-tt.age)
			if err := os.Chtimes(path, modified, modified); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := NewStamp(info).BeingWritten(); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
