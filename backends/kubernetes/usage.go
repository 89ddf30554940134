package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"confd/backends"
)

const blocksPlural = "ipamblocks"

var _ backends.UsageReader = (*Backend)(nil)

// Usage reads the pools and the IPAMBlocks, page by page: see
// backends.UsageReader.
func (b *Backend) Usage(ctx context.Context, node string) (backends.Usage, error) {
	if b.cfg.UsePodCIDR || !b.cfg.CalicoResources && !b.cfg.FelixConfigurations {
		return backends.Usage{}, fmt.Errorf("usage of the pools: %w: Calico's IPAM has no blocks here", backends.ErrNotReadable)
	}
	g, err := discover(ctx, b.client, b.cfg)
	if err != nil {
		return backends.Usage{}, fmt.Errorf("usage of the pools: %s: %w", b.client.where(), err)
	}
	if _, ok := g.resources[blocksPlural]; !ok {
		return backends.Usage{}, fmt.Errorf("usage of the pools: %s: %w: API group %s has no %s", b.client.where(), backends.ErrNotReadable, g.name, blocksPlural)
	}
	usage, err := readUsage(ctx, b.client, g, node, backends.MaxCountedBlocks)
	if err != nil {
		return backends.Usage{}, fmt.Errorf("usage of the pools: %w", err)
	}
	return usage, nil
}

// readUsage counts addresses in up to that many blocks.
func readUsage(ctx context.Context, c *client, g *group, node string, most int) (backends.Usage, error) {
	pools, err := readPools(ctx, c, g)
	if err != nil {
		return backends.Usage{}, err
	}
	blocks := usageList(c, g, blocksPlural)
	blocks.metadataOnly, blocks.shape = true, metadataShape()
	n, err := blocks.count(ctx)
	if err != nil {
		return backends.Usage{}, err
	}
	few := n <= most
	counter := backends.NewUsageCounter(node, pools, few)
	add := func(o *object) { counter.AddJSON(o.Spec) }
	if few {
		blocks.metadataOnly, blocks.shape = false, nil
	} else {
		add = func(o *object) { addName(counter, o.Metadata.Name) }
	}
	err = blocks.all(ctx, add)
	return counter.Usage(), err
}

// readPools returns the pools that can be used, by name.
func readPools(ctx context.Context, c *client, g *group) ([]*backends.IPPool, error) {
	var pools []*backends.IPPool
	read := readCore(backends.KindIPPool)
	err := usageList(c, g, "ippools").all(ctx, func(o *object) {
		is, err := o.essence()
		if err != nil {
			return
		}
		if e, ok := read(is); ok {
			if p, ok := e.Resource.(*backends.IPPool); ok {
				pools = append(pools, p)
			}
		}
	})
	slices.SortFunc(pools, func(a, b *backends.IPPool) int { return cmp.Compare(a.Name, b.Name) })
	return pools, err
}

// addName counts a block by its name alone: its CIDR, with dashes in the place
// of what a name may not hold.
func addName(c *backends.UsageCounter, name string) {
	cidr, ok := cidrOfName(name)
	if !ok {
		c.AddUnreadable()
		return
	}
	c.Add(&backends.Block{CIDR: cidr})
}

func cidrOfName(name string) (netip.Prefix, bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return netip.Prefix{}, false
	}
	for _, separator := range []string{".", ":"} {
		if cidr, err := netip.ParsePrefix(strings.ReplaceAll(name[:i], "-", separator) + "/" + name[i+1:]); err == nil {
			return cidr.Masked(), true
		}
	}
	return netip.Prefix{}, false
}

// listing is a collection that is read once.
type listing struct{ feed }

func usageList(c *client, g *group, plural string) *listing {
	return &listing{feed{collection: collection{name: plural + " of " + g.name, path: "/apis/" + g.name + "/" + plural}, client: c}}
}

// count is how many objects there are.
func (l *listing) count(ctx context.Context) (int, error) {
	query, n := l.query(), 0
	query.Set("limit", "1")
	meta, err := l.page(ctx, query, func(*object) error { n++; return nil })
	return n + meta.Remaining, l.explainUsage(err)
}

// all reads them page by page.
func (l *listing) all(ctx context.Context, each func(*object)) error {
	query := l.query()
	query.Set("limit", strconv.Itoa(backends.UsagePageSize))
	for {
		meta, err := l.page(ctx, query, func(o *object) error { each(o); return nil })
		if err != nil || meta.Continue == "" {
			return l.explainUsage(err)
		}
		query.Set("continue", meta.Continue)
	}
}

// explainUsage says whether trying again can help.
func (l *listing) explainUsage(err error) error {
	if err == nil {
		return nil
	}
	if code := codeOf(err); code == http.StatusForbidden || code == http.StatusNotFound {
		return fmt.Errorf("%w: %w", backends.ErrNotReadable, l.explain(err))
	}
	return l.explain(err)
}
