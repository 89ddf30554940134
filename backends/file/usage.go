package file

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"confd/backends"
	"confd/backends/internal/folder"
)

var _ backends.UsageReader = (*Backend)(nil)

// Usage reads the files anew, and counts their IPPools and IPAMBlocks: see
// backends.UsageReader. Addresses are counted however many blocks there are.
func (b *Backend) Usage(ctx context.Context, node string) (backends.Usage, error) {
	cfg := b.cfg
	cfg.Logger = slog.New(slog.DiscardHandler)
	r := newReader(cfg)
	events, err := folder.Load(ctx, r)
	if err != nil {
		return backends.Usage{}, fmt.Errorf("usage of the pools: %w", err)
	}
	var pools []*backends.IPPool
	for _, e := range events {
		if p, ok := e.Resource.(*backends.IPPool); ok {
			pools = append(pools, p)
		}
	}
	slices.SortFunc(pools, func(a, b *backends.IPPool) int { return cmp.Compare(a.Name, b.Name) })
	c := backends.NewUsageCounter(node, pools, true)
	for _, block := range r.blocks() {
		c.Add(block)
	}
	return c.Usage(), nil
}
