package agent

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"confd/reload"
	"confd/reload/control"
)

// faults has the steps of what is done to a node take their time, and some of them
// fail.
type faults struct {
	mu   sync.Mutex
	list []*fault
	// each is called at each step, with its number from 1, and says what goes wrong.
	each  func(n int, step, set string) fault
	count int
	// until is when steps go on: they stand still with the program.
	until time.Time
}

// fault has a step of a set fail, for a number of times.
type fault struct {
	step, set string // set is empty: of any
	err       error
	times     int
	takes     time.Duration
}

// cost is how long a step takes: each another time, so that no two things happen at
// the same moment, and the order of what they answer is always the same.
func cost(step, set string) time.Duration {
	if set != "" && set != "bird" && set != "bird6" {
		set = "other" // by the name of a temporary folder
	}
	h := fnv.New32()
	fmt.Fprint(h, step, set)
	odd := time.Duration(h.Sum32()%997) * time.Microsecond
	switch set {
	case "", "bird":
		return time.Millisecond + odd
	case "bird6":
		return 10*time.Millisecond + odd
	}
	return 30*time.Millisecond + odd
}

// step takes the time of a step, and says what it fails with; nil: it works.
func (f *faults) step(ctx context.Context, step, set string) error {
	is := f.next(step, set)
	select {
	case <-time.After(cost(step, set) + is.takes):
	case <-ctx.Done():
	}
	f.stand()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return is.err
}

// stand waits until the program goes on.
func (f *faults) stand() {
	f.mu.Lock()
	until := f.until
	f.mu.Unlock()
	time.Sleep(time.Until(until))
}

// freeze has steps stand still for a time.
func (f *faults) freeze(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = time.Now().Add(d)
}

func (f *faults) next(step, set string) fault {
	f.mu.Lock()
	f.count++
	n, each := f.count, f.each
	f.mu.Unlock()
	if each != nil {
		if is := each(n, step, set); is.err != nil || is.takes > 0 {
			return is
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.list, func(x *fault) bool { return x.step == step && (x.set == "" || x.set == set) })
	if i < 0 {
		return fault{}
	}
	is := *f.list[i]
	if f.list[i].times--; f.list[i].times <= 0 {
		f.list = slices.Delete(f.list, i, i+1)
	}
	return is
}

func (f *faults) add(x *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, x)
}

// clear has everything work again.
func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list, f.each = nil, nil
}

// hook has something be called at each step from now on.
func (f *faults) hook(each func(n int, step, set string) fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.each, f.count = each, 0
}

// steps is how many there were.
func (f *faults) steps() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// errUnheard is for a step whose answer does not arrive: it is done.
var errUnheard = errors.New("its answer was not heard")

// errWords are the errors that scripts name.
var errWords = map[string]error{
	"hung": control.ErrHung, "busy": control.ErrBusy, "away": control.ErrWentAway, "cannot-check": reload.ErrCannotCheck,
	"refused": &control.RefusedError{Position: control.Position{Message: "out of cheese"}}, "full": errors.New("no space left on device"),
	"command": errors.New("reload command failed"), "unheard": errUnheard, "ok": nil,
}
