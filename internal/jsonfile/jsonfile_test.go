package jsonfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"confd/internal/foreign"
)

type item struct {
	Name  string         `json:"name"`
	At    time.Time      `json:"at"`
	Addr  netip.Addr     `json:"addr,omitzero"`
	List  []int          `json:"list"`
	Map   map[string]any `json:"map,omitempty"`
	Inner *item          `json:"inner,omitempty"`
	Text  []byte         `json:"text,omitempty"`
}

// What is written is what encoding/json makes of it, however much that is, and Fits tells
// how much.
func TestPut(t *testing.T) {
	d, err := foreign.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	some := item{Name: "a <b> & \u2028 ü\xff", At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Addr: netip.MustParseAddr("10.0.0.1"),
		Map: map[string]any{"z": 1.5, "a": []string{}, "m": nil}, Text: []byte("text"), Inner: &item{List: []int{}}}
	var many []item
	for i := range 5000 {
		some.Name = strconv.Itoa(i)
		many = append(many, some)
	}
	for name, value := range map[string]any{"none": nil, "empty": []item{}, "one": some, "many": many} {
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		written, err := Put(d, "file", value, foreign.Attr{Mode: 0o640, UID: -1, GID: -1})
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(d.Path(), "file"))
		if err != nil || string(got) != string(want)+"\n" {
			t.Errorf("%s: %v, %.300s, want %.300s", name, err, got, want)
		}
		sum := sha256.Sum256(got)
		if written != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %s", name, written)
		}
		for most, fits := range map[int]bool{len(want): true, len(want) - 1: false} {
			if is, err := Fits(value, most); err != nil || is != fits {
				t.Errorf("%s in %d bytes: %t, %v", name, most, is, err)
			}
		}
	}
	before, _ := os.ReadFile(filepath.Join(d.Path(), "file"))
	if _, err := Put(d, "file", func() {}, foreign.Attr{Mode: 0o640, UID: -1, GID: -1}); err == nil {
		t.Error("a function was written")
	}
	if _, err := Fits(func() {}, 1); err == nil {
		t.Error("a function fits")
	}
	if after, _ := os.ReadFile(filepath.Join(d.Path(), "file")); string(after) != string(before) {
		t.Error("what could not be written has replaced the file")
	}
	if entries, err := d.Entries(); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
