package agent

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"confd/bgp"
)

// restAfter is how long nothing new must run before the system gets back the memory
// that making it took, and restAgain how long after that it gets back what has gathered
// since: looking at thousands of sessions, and changes that are not about this node, leave
// something behind.
const (
	restAfter = 10 * time.Second
	restAgain = time.Minute
)

// earlyPercent is by how much the heap grows before it is collected, until memory is given
// back for the first time: a start reads much that it soon does not need any more, and what
// it takes at most is what a limit of memory has to leave room for.
const earlyPercent = 50

// usualPercent is the runtime's own, where nobody has set another one (GOGC).
const usualPercent = 100

// mostGathered is how much may gather, in bytes.
const mostGathered = 6 << 20

// rest says since when nothing new runs.
type rest struct {
	runs  *bgp.Config
	since time.Time // when it came to run, or memory was given back last
	// heap is how large the heap was after that; 0: nothing was given back since it runs.
	heap  uint64
	early bool // the heap is collected early
}

// begin has memory collected early. Who has set GOGC knows better.
func (r *rest) begin() {
	was := debug.SetGCPercent(earlyPercent)
	if r.early = was == usualPercent; !r.early {
		debug.SetGCPercent(was)
	}
}

// end has memory collected as usual.
func (r *rest) end() {
	if r.early {
		debug.SetGCPercent(usualPercent)
	}
	r.early = false
}

// lookAt gives memory back to the system where nothing new has run for a while: the
// runtime would keep as much again as is in use.
func (r *rest) lookAt(now time.Time, runs *bgp.Config) {
	rested := now.Sub(r.since)
	switch {
	case runs != r.runs:
		r.runs, r.since, r.heap = runs, now, 0
	case runs == nil, r.heap == 0 && rested < restAfter, r.heap > 0 && (rested < restAgain || heapBytes() < r.heap+mostGathered):
	default:
		runtime.GC() // what is kept to be used again (sync.Pool) goes with the second one
		debug.FreeOSMemory()
		r.end()
		r.since, r.heap = now, heapBytes()
	}
}

// heapBytes is how much memory the heap has of the system, in use or not.
func heapBytes() uint64 {
	sizes := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(sizes)
	sum := uint64(0)
	for _, s := range sizes {
		sum += s.Value.Uint64()
	}
	return sum
}
