package bill_test

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"confd/internal/packaging/bill"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

// TestBill writes the bill of a program that is at hand: of this test. CycloneDX's own
// reader has to find all modules in it.
func TestBill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil || len(info.Deps) == 0 {
		t.Skip("a test has no build information here: ", err)
	}
	tree := source.Tree{Version: "v1.2.3", Commit: strings.Repeat("0", 40), Time: time.Unix(1700000000, 0).UTC()}
	of := func() []byte {
		data, err := bill.Of(tree, programs.Program{Architecture: "amd64", Path: self})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	data := of()
	if !bytes.Equal(data, of()) {
		t.Error("it is another one each time")
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.Metadata.Component.Version != "v1.2.3" || bom.Metadata.Timestamp != "2023-11-14T22:13:20Z" {
		t.Errorf("it is of %+v", bom.Metadata)
	}
	there := map[string]string{}
	for _, c := range *bom.Components {
		there[c.Name] = c.Version
	}
	for _, m := range info.Deps {
		if there[m.Path] != m.Version {
			t.Errorf("%s is %q, not %q", m.Path, there[m.Path], m.Version)
		}
	}
}
