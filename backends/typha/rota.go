package typha

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
)

// ErrNoneReady is what Find says where it knows that no server is ready.
var ErrNoneReady = errors.New("no server of Typha's is ready")

// rota says whose turn it is: each server is tried before one is tried twice.
type rota struct {
	find  func(context.Context) ([]Endpoint, error)
	known []Endpoint // as found last
	tried map[string]bool
}

func newRota(find func(context.Context) ([]Endpoint, error)) *rota {
	return &rota{find: find, tried: map[string]bool{}}
}

// next looks the servers up again and picks one: at random, but one on this node
// first. An error says that none can be found.
func (r *rota) next(ctx context.Context) (Endpoint, error) {
	found, err := r.find(ctx)
	switch {
	case err == nil && len(found) == 0:
		return Endpoint{}, ErrNoneReady
	case errors.Is(err, ErrNoneReady), err != nil && len(r.known) == 0:
		return Endpoint{}, err
	case err != nil: // who says where they are is away: they are where they were
	default:
		r.known = found
	}
	rand.Shuffle(len(r.known), func(i, j int) { r.known[i], r.known[j] = r.known[j], r.known[i] })
	slices.SortStableFunc(r.known, func(a, b Endpoint) int { return cmp.Compare(turn(a), turn(b)) })
	i := slices.IndexFunc(r.known, r.untried)
	if i < 0 {
		clear(r.tried)
		i = 0
	}
	r.tried[r.known[i].Address] = true
	return r.known[i], nil
}

func turn(e Endpoint) int {
	if e.Local {
		return 0
	}
	return 1
}

func (r *rota) untried(e Endpoint) bool { return !r.tried[e.Address] }

// left says whether there is a server that has not had its turn.
func (r *rota) left() bool { return slices.ContainsFunc(r.known, r.untried) }

// worked says that a server was of use for a while: all others may be asked next.
func (r *rota) worked(address string) {
	clear(r.tried)
	r.tried[address] = true
}
