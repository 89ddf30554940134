package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"confd/backends"
)

const blockRoot = "/calico/ipam/v2/assignment/"

var _ backends.UsageReader = (*Backend)(nil)

// Usage reads the pools and the blocks, page by page, over a connection of its
// own: see backends.UsageReader.
func (b *Backend) Usage(ctx context.Context, node string) (backends.Usage, error) {
	client, err := b.connect(ctx)
	if err != nil {
		return backends.Usage{}, fmt.Errorf("usage of the pools: %w", b.explainUsage(err))
	}
	defer client.Close()
	r := newRun(b, nil)
	u := usageReading{listing{run: r, kv: client, pageSize: min(b.cfg.PageSize, backends.UsagePageSize)}}
	usage, err := u.read(clientv3.WithRequireLeader(ctx), node, backends.MaxCountedBlocks)
	if err != nil {
		return backends.Usage{}, fmt.Errorf("usage of the pools: %w", b.explainUsage(err))
	}
	return usage, nil
}

// explainUsage says whether trying again can help.
func (b *Backend) explainUsage(err error) error {
	explained := newRun(b, nil).explain(err)
	if errors.Is(err, rpctypes.ErrPermissionDenied) {
		return fmt.Errorf("%w: %w", backends.ErrNotReadable, explained)
	}
	return explained
}

// usageReading is a listing that delivers nothing.
type usageReading struct{ listing }

// read counts addresses in up to that many blocks.
func (u *usageReading) read(ctx context.Context, node string, most int64) (backends.Usage, error) {
	pools, err := u.pools(ctx)
	if err != nil {
		return backends.Usage{}, fmt.Errorf("list the pools: %w", err)
	}
	blocks, end := blockRoot, clientv3.GetPrefixRangeEnd(blockRoot)
	count, err := u.get(ctx, blocks, end, clientv3.WithCountOnly())
	if err != nil {
		return backends.Usage{}, fmt.Errorf("count %s: %w", blocks, err)
	}
	few := count.Count <= most
	counter := backends.NewUsageCounter(node, pools, few)
	add := func(_ string, value []byte) { counter.AddJSON(value) }
	var opts []clientv3.OpOption
	if !few {
		add, opts = addName(counter), []clientv3.OpOption{clientv3.WithKeysOnly()}
	}
	if err := u.each(ctx, blocks, end, add, opts...); err != nil {
		return backends.Usage{}, fmt.Errorf("list %s: %w", blocks, err)
	}
	return counter.Usage(), nil
}

// addName counts a block by its key alone.
func addName(c *backends.UsageCounter) func(key string, _ []byte) {
	return func(key string, _ []byte) {
		cidr, err := backends.ParseBlockKey(key[strings.LastIndexByte(key, '/')+1:])
		if err != nil {
			c.AddUnreadable()
			return
		}
		c.Add(&backends.Block{CIDR: cidr})
	}
}

// pools are the pools that can be used, in the order of their keys.
func (u *usageReading) pools(ctx context.Context) ([]*backends.IPPool, error) {
	var pools []*backends.IPPool
	dir := resourceRoot + "ippools/"
	err := u.each(ctx, dir, clientv3.GetPrefixRangeEnd(dir), func(key string, value []byte) {
		r, err := backends.Decode(backends.KindIPPool, strings.TrimPrefix(key, dir), value)
		if p, ok := r.(*backends.IPPool); ok && err == nil {
			pools = append(pools, p)
		}
	})
	return pools, err
}

// each reads the keys from one up to, but not, end.
func (u *usageReading) each(ctx context.Context, from, end string, add func(key string, value []byte), opts ...clientv3.OpOption) error {
	for {
		page, err := u.readPage(ctx, from, end, opts...)
		if err != nil {
			return err
		}
		for _, kv := range page.Kvs {
			add(string(kv.Key), kv.Value)
		}
		if !page.More || len(page.Kvs) == 0 {
			return nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}
