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

// give hands the caller a set's commands.
func (k *known) give(s Set) []string {
	list := s.commands()
	k.commands = noCommands
	if len(list) > 0 {
		k.commands = commandsGiven
	}
	return list
}

// giveAgain is give where the commands have failed.
func (k *known) giveAgain(s Set) []string {
	if k.commands != commandsFailed {
		return nil
	}
	return k.give(s)
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

// Ran tells what came of the reload commands of a set: err is that of RunCommands.
// Where they worked, a set without a control socket is Confirmed by it, and BIRD's
// word is taken again, as a command may have reconfigured it. Where they failed
// the next Apply of the set gives them again, and err comes back.
//
// Commands of a set that is no longer the one in place change nothing: the State
// is Unchanged.
func (a *Applier) Ran(ctx context.Context, s Set, err error) (Result, error) {
	mem, res := a.memory(s.Name), Result{Hash: s.Hash()}
	if mem.generation.Hash != res.Hash || mem.commands != commandsGiven {
		return res, naming(s.Name, err)
	}
	if err != nil {
		mem.commands = commandsFailed
		return res, naming(s.Name, err)
	}
	mem.commands = noCommands
	if s.socket() == "" {
		mem.ran()
		return a.confirm(s, mem, res), nil
	}
	if mem.proof != nil {
		a.renewProof(ctx, s, mem)
	}
	switch mem.phase {
	case confirmed:
		res.State = Confirmed
	case installed:
		res.State = Installed
	}
	return mem.proven(res), nil
}
