package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"time"

	"confd/internal/birds"
	"confd/internal/report"
	"confd/internal/settings"
	"confd/reload/control"
)

// localSettings are those of a command that looks at this node alone: nobody
// needs to say how to reach a datastore.
func localSettings(flags settings.Layer, around settings.Surroundings) (settings.Settings, error) {
	return settings.Load(settings.Merged(flags, settings.Layer{
		"datastore": settings.Given{Text: string(settings.DatastoreFile), From: "this command"}, "data": settings.Given{Text: "/", From: "this command"},
	}), around)
}

// statusSockets are the control sockets where a BIRD may be, of whichever version.
func statusSockets(s birds.Settings) []string {
	socket := s.Socket
	if socket == "" {
		socket = birds.DebianSocket
		if _, err := os.Stat(birds.DebianSocket); err != nil {
			socket = birds.CalicoSocket
		}
	}
	return []string{socket, cmp.Or(s.Socket6, filepath.Join(filepath.Dir(socket), "bird6.ctl"))}
}

// reportFolder is where the program on this node leaves its report: BIRD's
// folder. Where that depends on BIRD's version and nobody says it, a folder with
// a report is the one.
func reportFolder(ctx context.Context, s settings.Settings) (string, error) {
	if s.BIRD.Dir != "" {
		return s.BIRD.Dir, nil
	}
	for _, dir := range []string{birds.DebianDir, birds.CalicoDir} {
		if r, err := report.Read(dir); r != nil || err != nil {
			return dir, nil
		}
	}
	d, err := birds.Find(ctx, s.BIRD)
	return d.Dir, err
}

// sessionsAt are those of the BIRDs at control sockets that answer soon.
func sessionsAt(ctx context.Context, sockets []string) []control.SessionState {
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var list []control.SessionState
	for _, socket := range sockets {
		if c, err := control.Dial(ctx, socket); err == nil {
			sessions, _ := c.Sessions(ctx) // none where BIRD does not say
			list = append(list, sessions...)
			c.Close()
		}
	}
	return list
}
