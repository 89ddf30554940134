package reload

import (
	"fmt"
	"slices"
)

// What is known of a set on disk is a phase, and what goes with it. Each event
// has one function, which sets all that belongs to the next phase; an event that
// cannot happen in a phase is a mistake of ours, and panics.
//
//	in                                    event     next        what happened
//	absent installed confirmed unsure     found     unsure      the set's files lie on disk already
//	absent installed confirmed unsure     swapped   unsure      the set's files were put on disk, in the place of others
//	unsure                                agreed    confirmed   BIRD uses what is on disk
//	unsure                                waits     installed   BIRD is not up, or the reload commands have not run
//	unsure                                tried     on trial    BIRD uses what is on disk until further notice
//	unsure                                undone    as before   BIRD refused what is on disk, and the files that it uses are back
//	unsure                                restored  unsure      files from before are back, and BIRD has not read them yet
//	installed                             ran       confirmed   the reload commands have run, and there is no control socket
//	on trial                              passed    confirmed   the trial ended well, and BIRD was told to stay
//	on trial                              ended     unsure      the trial ended in another way

// phase is how far a set has come.
type phase int

const (
	absent    phase = iota // nothing of it is known to be on disk
	installed              // on disk, for a BIRD that was not up or for commands that have not run
	onTrial                // BIRD uses it, and goes back by itself unless it is told to stay
	confirmed              // BIRD says that it uses it; without a control socket: the commands have run
	unsure                 // on disk; what BIRD uses is not known
)

func (p phase) String() string {
	return [...]string{"absent", "installed", "on trial", "confirmed", "unsure"}[p]
}

// known is what is known of a set on disk.
type known struct {
	phase      phase
	generation Generation   // that is on disk, where phase is not absent
	version    string       // of the BIRD that was told last
	proof      *observation // its word for the configuration that it uses; nil: there is none
	trial      *trial       // where phase is onTrial
	back       *backup      // the way to what was there when BIRD last agreed; nil: there is none
	commands   commandState
}

// backup is the way back to what was on disk before.
type backup struct {
	swapped
	agreed bool  // it leads to what BIRD has confirmed
	before known // what was known of that
	direct bool  // there was nothing else on disk since
}

// needs says that a generation in a store is needed to go back.
func (b *backup) needs(path string) bool { return b != nil && b.gens[path] }

// only panics unless an event happens in one of the phases.
func (k *known) only(event string, in ...phase) {
	if !slices.Contains(in, k.phase) {
		panic(fmt.Sprintf("reload: a set that is %s cannot be %s", k.phase, event))
	}
}

func (k *known) found(g Generation) {
	k.only("found", absent, installed, confirmed, unsure)
	if k.back != nil {
		k.back.direct = false
	}
	k.phase, k.generation, k.proof = unsure, g, nil
}

// swapped takes the way back to what was there before, where there is none yet to
// what BIRD agreed to.
func (k *known) swapped(g Generation, back *backup) {
	k.only("swapped", absent, installed, confirmed, unsure)
	if k.back != nil {
		k.back.direct = false
	} else {
		back.before, back.direct = *k, true
		k.back = back
	}
	k.phase, k.generation, k.proof, k.commands = unsure, g, nil, noCommands
}

func (k *known) agreed(version string, proof *observation) {
	k.only("agreed", unsure)
	k.phase, k.version, k.proof, k.back = confirmed, version, proof, nil
}

func (k *known) waits() {
	k.only("waits", unsure)
	k.phase = installed
}

func (k *known) tried(version string, proof *observation, t *trial) {
	k.only("tried", unsure)
	k.phase, k.version, k.proof, k.trial = onTrial, version, proof, t
}

func (k *known) undone() {
	k.only("undone", unsure)
	*k = k.back.before
}

func (k *known) restored() {
	k.only("restored", unsure)
	*k = k.back.before
	k.phase, k.proof = unsure, nil
}

func (k *known) ran() {
	k.only("ran", installed)
	k.phase, k.back = confirmed, nil
}

func (k *known) passed() {
	k.only("passed", onTrial)
	k.phase, k.trial, k.back = confirmed, nil, nil
}

func (k *known) ended() {
	k.only("ended", onTrial)
	k.phase, k.trial, k.proof = unsure, nil, nil
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

// trialResult adds where the trial stands to a result.
func (k *known) trialResult(res Result) Result {
	res.State, res.TrialEnds = OnTrial, k.trial.ends
	return k.proven(res)
}

// proven adds what BIRD said to a result.
func (k *known) proven(res Result) Result {
	res.Version = k.version
	if k.proof != nil {
		res.Reconfigured, res.Rebooted, res.Booted = k.proof.status.LastReconfiguration, k.proof.status.LastReboot, k.proof.booted()
	}
	return res
}
