package plan_test

import (
	"log/slog"
	"testing"

	"confd/backends"
	"confd/backends/file"
	"confd/bgp"
	"confd/internal/plan"
	"confd/internal/testenv"
	"confd/templates"
)

func benchState(b *testing.B, c *testenv.Cluster) *backends.State {
	dir := b.TempDir()
	if err := c.WriteYAML(dir); err != nil {
		b.Fatal(err)
	}
	events, err := file.Load(b.Context(), []string{dir}, nil)
	if err != nil {
		b.Fatal(err)
	}
	state := backends.NewState()
	for _, e := range events {
		state.Apply(e)
	}
	return state
}

func BenchmarkMesh(b *testing.B) {
	state := benchState(b, testenv.Mesh(1000))
	p := plan.Planner{Settings: plan.Settings{BGP: bgp.Options{Node: testenv.NodeName(5), K8sNode: testenv.NodeName(5)}, ConfDir: "/nonexistent"}}
	var err error
	if p.Templates, err = plan.Load(p.Settings, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	b.Run("compute", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Compute(state); err != nil {
				b.Fatal(err)
			}
		}
	})
	cfg, err := p.Compute(state)
	if err != nil {
		b.Fatal(err)
	}
	for _, version := range []string{"1.6.8", "2.0.12", "3.1.8"} {
		v, _ := templates.ParseVersion(version)
		b.Run("render "+version, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Render(b.Context(), cfg, state, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
