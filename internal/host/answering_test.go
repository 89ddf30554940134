package host

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"confd/internal/testenv"
)

// answering has a BIRD of a version answer on a control socket, which it returns, until
// the test ends: answer writes what it says to a command, and is called for several
// clients at once.
func answering(t *testing.T, version string, answer func(to io.Writer, command string)) (socket string) {
	socket = filepath.Join(testenv.SocketDir(t), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				fmt.Fprintf(conn, "0001 BIRD %s ready.\n", version)
				for in := bufio.NewScanner(conn); in.Scan(); {
					answer(conn, in.Text())
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return socket
}
