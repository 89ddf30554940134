package backends

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
)

// Usage is how much of the IP pools is taken.
type Usage struct {
	// Pools are the pools that the datastore has, sorted by name.
	Pools []PoolUsage
	// Blocks is how many blocks the datastore has, of whichever pool.
	Blocks int
	// Unreadable is how many of them made no sense, and are not counted below.
	Unreadable int
	// Addresses says whether single addresses were counted: they are not where
	// there are more than MaxCountedBlocks blocks. Where it is false,
	// PoolUsage.AddressesUsed, Borrowed and Lent say nothing.
	Addresses bool
	// Borrowed is how many addresses this node's workloads have in blocks of
	// other nodes.
	Borrowed int
	// Lent is how many addresses in this node's blocks are other nodes'.
	Lent int
}

// PoolUsage is how much of one pool is taken. Totals are floats: an IPv6 pool
// may have more of both than 64 bits can count.
type PoolUsage struct {
	Name string
	CIDR netip.Prefix
	// BlockSize is the prefix length of the pool's blocks.
	BlockSize int
	// BlocksUsed are the blocks that IPAM has handed out; what is not used of
	// BlocksTotal is free.
	BlocksUsed  int
	BlocksTotal float64
	// AddressesUsed are those that something has in these blocks.
	AddressesUsed  int
	AddressesTotal float64
	// Disabled: IPAM takes no new block of it.
	Disabled bool
}

// BlocksFree is how many blocks nobody has.
func (p PoolUsage) BlocksFree() float64 { return max(0, p.BlocksTotal-float64(p.BlocksUsed)) }

// nearlyFull is the part of its blocks from which on a pool counts as nearly full.
const nearlyFull = 0.9

// NearlyFull says that a pool that is used has nearly no blocks left.
func (p PoolUsage) NearlyFull() bool {
	return !p.Disabled && p.BlocksUsed > 1 && float64(p.BlocksUsed) >= nearlyFull*p.BlocksTotal
}

// Taken says how much of its blocks is taken.
func (p PoolUsage) Taken() string {
	return fmt.Sprintf("%d of its %.0f blocks are taken", p.BlocksUsed, p.BlocksTotal)
}

// MaxCountedBlocks is the number of blocks up to which Usage looks into them.
// Of more it reads the names only: with one block of 64 addresses to a node,
// the blocks of a cluster this large are some ten megabytes, which each node
// would read.
const MaxCountedBlocks = 1000

// UsagePageSize is how many blocks are asked for at once.
const UsagePageSize = 100

// UsageReader is a backend that knows how much of the pools is taken.
type UsageReader interface {
	// Usage reads it, as the node of that name sees it. It watches nothing and
	// keeps nothing, and may be called while Run runs. Each call reads all
	// pools and blocks: callers keep the answer for a while that grows with the
	// cluster. An error that wraps ErrNotReadable will come again until
	// somebody changes rights or settings.
	Usage(ctx context.Context, node string) (Usage, error)
}

// ErrNotReadable is what Usage wraps where the program may not read the blocks,
// or where the datastore has none.
var ErrNotReadable = errors.New("not readable")

// Block is an IPAM block: a piece of a pool, and who has its addresses.
type Block struct {
	CIDR netip.Prefix
	// Node is whose block it is; empty where it is no node's.
	Node string
	// Used is how many addresses are taken.
	Used int
	// Nodes has how many of them each node has, as far as the block says.
	Nodes map[string]int
}

// blockSpec is an IPAM block's JSON: etcd's value, and an IPAMBlock's spec.
type blockSpec struct {
	CIDR        string  `json:"cidr"`
	Affinity    *string `json:"affinity"`
	Allocations []*int  `json:"allocations"`
	Attributes  []struct {
		Secondary map[string]string `json:"secondary"`
	} `json:"attributes"`
	Deleted any `json:"deleted"` // a boolean, or its text
}

// DecodeBlock reads the JSON of an IPAM block, as etcd has it and as it stands
// in the spec of an IPAMBlock. ErrNotOurs is for one that is deleted.
func DecodeBlock(data []byte) (*Block, error) {
	if len(data) > MaxObjectBytes {
		return nil, fmt.Errorf("block of %d bytes is larger than %d", len(data), MaxObjectBytes)
	}
	var s blockSpec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("not the JSON of an IPAM block: %w", err)
	}
	if s.Deleted == true || s.Deleted == "true" {
		return nil, ErrNotOurs
	}
	cidr, ok := parsePrefix(s.CIDR)
	if !ok {
		return nil, fmt.Errorf("the block's cidr %s is not a CIDR", quoted(s.CIDR))
	}
	b := &Block{CIDR: cidr.Masked(), Nodes: map[string]int{}}
	if s.Affinity != nil {
		if node, ok := strings.CutPrefix(*s.Affinity, "host:"); ok {
			b.Node = node
		}
	}
	for _, i := range s.Allocations {
		if i == nil {
			continue
		}
		b.Used++
		if *i >= 0 && *i < len(s.Attributes) && s.Attributes[*i].Secondary["node"] != "" {
			b.Nodes[s.Attributes[*i].Secondary["node"]]++
		}
	}
	return b, nil
}

// UsageCounter adds up a Usage, block by block, and keeps none of them.
type UsageCounter struct {
	node  string
	usage Usage
}

// NewUsageCounter counts for a node with these pools, which are sorted by name.
// Where addresses is false only blocks are counted.
func NewUsageCounter(node string, pools []*IPPool, addresses bool) *UsageCounter {
	c := &UsageCounter{node: node, usage: Usage{Addresses: addresses}}
	for _, p := range pools {
		bits, size := p.CIDR.Addr().BitLen(), p.BlockBits()
		c.usage.Pools = append(c.usage.Pools, PoolUsage{
			Name: p.Name, CIDR: p.CIDR, BlockSize: size,
			BlocksTotal:    math.Ldexp(1, max(0, size-p.CIDR.Bits())),
			AddressesTotal: math.Ldexp(1, bits-p.CIDR.Bits()), Disabled: p.Disabled,
		})
	}
	return c
}

// Add counts a block.
func (c *UsageCounter) Add(b *Block) {
	c.usage.Blocks++
	if p := c.poolOf(b.CIDR); p != nil {
		p.BlocksUsed++
		p.AddressesUsed += b.Used
	}
	switch b.Node {
	case "":
	case c.node:
		for node, n := range b.Nodes {
			if node != c.node {
				c.usage.Lent += n
			}
		}
	default:
		c.usage.Borrowed += b.Nodes[c.node]
	}
}

// AddJSON counts the block that DecodeBlock makes of the JSON; one that makes no
// sense is counted as such.
func (c *UsageCounter) AddJSON(data []byte) {
	b, err := DecodeBlock(data)
	switch {
	case errors.Is(err, ErrNotOurs):
	case err != nil:
		c.AddUnreadable()
	default:
		c.Add(b)
	}
}

// AddUnreadable counts a block of which nothing is known.
func (c *UsageCounter) AddUnreadable() {
	c.usage.Blocks++
	c.usage.Unreadable++
}

// Usage is what was counted.
func (c *UsageCounter) Usage() Usage { return c.usage }

// poolOf is the smallest pool around a block; nil where there is none.
func (c *UsageCounter) poolOf(block netip.Prefix) *PoolUsage {
	var best *PoolUsage
	for i := range c.usage.Pools {
		p := &c.usage.Pools[i]
		if p.CIDR.Bits() <= block.Bits() && p.CIDR.Contains(block.Addr()) && (best == nil || p.CIDR.Bits() > best.CIDR.Bits()) {
			best = p
		}
	}
	return best
}

// The prefix lengths of blocks whose pool gives none.
const (
	defaultBlockSizeV4 = 26
	defaultBlockSizeV6 = 122
)

// BlockBits is the prefix length of the pool's blocks.
func (p *IPPool) BlockBits() int {
	switch {
	case p.BlockSize != 0:
		return int(p.BlockSize)
	case p.CIDR.Addr().Is4():
		return defaultBlockSizeV4
	}
	return defaultBlockSizeV6
}
