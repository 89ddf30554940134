package host

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// sessionsBIRD is a BIRD with sessions s01, s02 and so on, all established; the neighbor
// of one of them cannot send its routes again.
type sessionsBIRD struct {
	socket string
	names  []string
	deaf   string

	mu    sync.Mutex
	asked []string // commands
}

func startSessionsBIRD(t *testing.T, n int, deaf string) *sessionsBIRD {
	b := &sessionsBIRD{deaf: deaf}
	for i := range n {
		b.names = append(b.names, fmt.Sprintf("s%02d", i+1))
	}
	b.socket = answering(t, "2.0.12", b.answer)
	return b
}

func (b *sessionsBIRD) answer(to io.Writer, command string) {
	b.mu.Lock()
	b.asked = append(b.asked, command)
	b.mu.Unlock()
	fmt.Fprintln(to, "2002-Name       Proto      Table      State  Since         Info")
	for _, name := range b.names {
		if command == "show protocols all" || strings.HasSuffix(command, `"`+name+`"`) {
			refresh := "\n       Route refresh"
			if name == b.deaf {
				refresh = ""
			}
			fmt.Fprintf(to, "1002-%s BGP --- up 10:00:00.000 Established\n1006-  BGP state:          Established\n"+
				"     Local capabilities\n       Route refresh\n     Neighbor capabilities\n       Multiprotocol%s\n     Session:          internal multihop\n", name, refresh)
		}
	}
	fmt.Fprintln(to, "0000 ")
}

// TestDeaf asks of some sessions one by one, and of many at once: the answer is the same.
func TestDeaf(t *testing.T) {
	const deaf = "s03"
	for _, n := range []int{1, mostAsked, mostAsked + 1, 3 * mostAsked} {
		b := startSessionsBIRD(t, 3*mostAsked+5, deaf)
		names := b.names[2 : 2+n]
		got, err := new(Host).Deaf(t.Context(), b.socket, names)
		if err != nil || len(got) != n {
			t.Errorf("of %d sessions: %v, %v", n, got, err)
		}
		for _, name := range names {
			if is, known := got[name]; !known || is != (name == deaf) {
				t.Errorf("of %d sessions, %s: %t, known %t", n, name, is, known)
			}
		}
		if want := map[bool]int{true: n, false: 1}[n <= mostAsked]; len(b.asked) != want {
			t.Errorf("of %d sessions BIRD was asked %q", n, b.asked)
		}
	}
}
