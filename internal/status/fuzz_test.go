package status

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"confd/internal/report"
	"confd/reload/control"
)

// FuzzForgedReport shows any report that there can be, in all formats.
func FuzzForgedReport(f *testing.F) {
	for _, r := range []*report.Report{recordedReport(), troubledReport(), heldOver(), twoSets()} {
		data, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r report.Report
		if json.Unmarshal(data, &r) != nil {
			return
		}
		up := control.SessionState{Name: "Mesh_10_9_0_3", State: "up", BGPState: "Established"}
		o := observed{now: at(1, 10, 0), report: &r, birds: []daemon{{name: "bird", sessions: []control.SessionState{up}}, {name: "bird6", err: control.ErrHung}}}
		for _, format := range Formats() {
			var out bytes.Buffer
			if err := o.view().write(&out, format, true); err != nil && format != JSON {
				t.Errorf("%s: %v", format, err) // JSON has no years above 9999
			}
			for line := range strings.Lines(out.String()) {
				if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%s: %q", format, line)
				}
			}
		}
	})
}
