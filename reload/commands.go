package reload

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Reload commands are not run by an Applier: they may take long, or hang. It says
// which are to be run (Result.Commands), RunCommands runs them, in whatever
// goroutine, and Ran tells the Applier what came of it.

// commandState is how the reload commands of the set that is installed stand.
type commandState int

const (
	noCommands    commandState = iota // there are none, or they have run
	commandsGiven                     // the caller runs them
	commandsFailed
)

// commands are the distinct reload commands of a set, in the order of its files.
// They run when a file is in its place, and {{.src}} in them is there, too: the
// staged one is no more.
func (s Set) commands() []string {
	var list []string
	for _, f := range s.Files {
		if command := fillPaths(f.ReloadCmd, f.Dest, f.Dest); command != "" && !slices.Contains(list, command) {
			list = append(list, command)
		}
	}
	return list
}

// RunCommands runs reload commands one after the other, each for limit at most.
// The first that fails ends it; the error names the command and has the end of
// what it printed, without passwords.
func RunCommands(ctx context.Context, commands []string, limit time.Duration) error {
	for _, command := range commands {
		if out, err := run(ctx, limit, "/bin/sh", "-c", command); err != nil {
			return fmt.Errorf("reload command %q: %w: %s", command, err, lastLine(out))
		}
	}
	return nil
}
