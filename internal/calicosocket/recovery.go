package calicosocket

import (
	"context"
	"slices"

	"confd/reload/control"
)

// Lines of "show status" that say that a graceful restart is in progress.
const (
	codeRecovery = 24
	waitingFor   = "  Waiting for "
)

// recovering says whether a graceful restart is in progress.
func (s *socket) recovering(ctx context.Context) (bool, error) {
	reply, err := s.ask(ctx, "show status")
	return slices.ContainsFunc(reply.Lines, func(l control.Line) bool { return l.Code == codeRecovery }), err
}
