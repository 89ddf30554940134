// Package ports finds ports on which a server of a test can stop and come back.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Below the ports that Linux gives to whoever connects (32768 and up): of those, one
// that a server has left may be somebody's own end when the server comes back, even
// of the client that tries to reach it.
const first, last = 20000, 32767

// Listen listens on a port of 127.0.0.1 that nobody uses and no connection gets.
// Whoever closes the listener can listen at its address again.
func Listen() (net.Listener, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first+1))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("find a port of 127.0.0.1 between %d and %d: %w", first, last, err)
}
