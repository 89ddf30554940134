package release

import (
	"encoding/json"
	"fmt"
	"strings"

	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

// The statement of where a release comes from is one of in-toto's, with the predicate
// of SLSA's provenance (https://slsa.dev/spec/v1.0/provenance). It is not signed, and
// so says no more than that whoever has made the release says so: what it is good for
// is to make the release again, and compare.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type predicate struct {
	BuildDefinition definition `json:"buildDefinition"`
	RunDetails      details    `json:"runDetails"`
}

type definition struct {
	BuildType            string         `json:"buildType"`
	ExternalParameters   map[string]any `json:"externalParameters"`
	ResolvedDependencies []resolved     `json:"resolvedDependencies"`
}

type resolved struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest,omitempty"`
}

type details struct {
	Builder map[string]string `json:"builder"`
}

// provenance says from what, and how, files of a release were made.
func provenance(tree source.Tree, goVersion string, files []sum) ([]byte, error) {
	s := statement{
		Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1",
		Predicate: predicate{
			BuildDefinition: definition{
				BuildType: "https://confd-bird.io/release/v1",
				ExternalParameters: map[string]any{
					"version": tree.Version,
					"command": "make release VERSION=" + tree.Version,
					"program": map[string]any{
						"command":     strings.Join(programs.Command(tree), " "),
						"environment": programs.Environment("ARCHITECTURE"),
					},
				},
				ResolvedDependencies: []resolved{
					{URI: "git+commit", Digest: map[string]string{"gitCommit": tree.Commit}},
					{URI: "pkg:golang/toolchain@" + goVersion},
				},
			},
			RunDetails: details{Builder: map[string]string{"id": "https://confd-bird.io/release/by-hand"}},
		},
	}
	for _, f := range files {
		s.Subject = append(s.Subject, subject{f.name, map[string]string{"sha256": f.sha256}})
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the statement of where it comes from: %w", err)
	}
	return append(data, '\n'), nil
}
