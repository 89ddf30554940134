package etcd

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestWorded(t *testing.T) {
	for text, want := range map[string]string{
		`connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.1:2379: connect: connection refused"`:                                      "dial tcp 10.0.0.1:2379: connect: connection refused",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate has expired: \"etcd-1\""`: `authentication handshake failed: tls: failed to verify certificate: x509: certificate has expired: "etcd-1"`,
		"etcdserver: permission denied": "etcdserver: permission denied",
	} {
		cause := status.Error(codes.Unavailable, text)
		err := (&Backend{cfg: Config{Endpoints: []string{"https://10.0.0.1:2379"}}}).at(fmt.Errorf("list /calico/: %w", cause))
		if got := err.Error(); got != "etcd at https://10.0.0.1:2379: list /calico/: "+want {
			t.Errorf("%s\nis worded %s", text, got)
		}
		if !errors.Is(err, cause) || codeOf(err) != codes.Unavailable {
			t.Errorf("%v: is not what it was", err)
		}
	}
}
