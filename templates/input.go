package templates

import (
	"io/fs"
	"log/slog"
	"text/template"
	"time"

	"confd/backends"
	"confd/bgp"
)

// Options are the settings of an Engine. The zero value will do.
type Options struct {
	// Prefix is in front of all keys of resources that name none themselves.
	Prefix string
	// Node takes the place of //NODENAME in keys.
	Node string
	// Logger is told of what looks wrong in a resource; nil: nobody is.
	Logger *slog.Logger
	// Timeout and MaxOutput limit the making of one file; zero: 10 s and 64 MB.
	Timeout   time.Duration
	MaxOutput int
}

// Input is what files are rendered from. Nothing in it is changed.
type Input struct {
	Config *bgp.Config
	// State is the cluster's, for the key tree; nil: an empty one.
	State   *backends.State
	Version Version
	// Env gives the environment variables that templates ask for; nil: none.
	Env func(string) string
	// Before are the files that an Engine made before. What does not differ is not made
	// again: it costs less, and comes out the same.
	Before []File
}

// File is one rendered file, not written yet, and what its resource says.
type File struct {
	Resource  string // the resource's TOML file
	Dest      string
	Data      []byte
	Mode      fs.FileMode
	UID, GID  int // -1: leave
	CheckCmd  string
	ReloadCmd string
	Daemon    string
	Family    int

	// template made it; texts are those of its sessions.
	template *template.Template
	texts    []sessionTexts
}
