// Package settings reads the program's settings: from flags, the environment and
// files, into one value that is passed on.
package settings

import (
	"fmt"
	"log/slog"
	"slices"

	"confd/backends"
)

// Error is an error of whoever called the program: a flag, a variable or a file
// of settings is wrong. Trying again cannot help.
type Error struct{ Err error }

func (e Error) Error() string { return e.Err.Error() }

// Unwrap gives what is wrong.
func (e Error) Unwrap() error { return e.Err }

// Load combines all sources. From weakest to strongest: defaults, the TOML file,
// the environment, the CalicoAPIConfig file, flags. Its errors are Errors, and
// say which source is wrong.
func Load(flags Layer, around Surroundings) (Settings, error) {
	table := Table()
	env := envLayer(table, around.LookupEnv)
	values := Merged(defaultLayer(table), env, flags)
	file, err := tomlLayer(table, values["config-file"])
	if err != nil {
		return Settings{}, Error{err}
	}
	values = Merged(defaultLayer(table), file, env, flags)
	calico, err := calicoLayer(table, values["calicoconfig"].Text)
	if err != nil {
		return Settings{}, Error{err}
	}
	values = Merged(values, calico, flags, filesMeant(flags))
	s, err := parse(table, values)
	if err == nil {
		err = s.complete(values, around)
	}
	if err != nil {
		return Settings{}, Error{err}
	}
	return s, nil
}

// filesMeant is what --data says of the datastore, where no other flag does: a node has
// DATASTORE_TYPE in a variable or in its file, and a flag wins over both.
func filesMeant(flags Layer) Layer {
	data, given := flags["data"]
	if _, said := flags["datastore"]; said || !given || data.Text == "" {
		return nil
	}
	return Layer{"datastore": {string(DatastoreFile), data.From}}
}

// LoadForAnswer is Load for commands that print what they were asked for: that a store
// was read is no part of that, so they log warnings alone where no level is set.
func LoadForAnswer(flags Layer, around Surroundings) (Settings, error) {
	s, err := Load(flags, around)
	if !s.Log.Given {
		s.Log.Level = slog.LevelWarn
	}
	return s, err
}

// Only reads the settings of the given names, from the defaults, the environment
// and flags; all others are empty. Its errors are Errors.
func Only(names []string, flags Layer, around Surroundings) (Settings, error) {
	table := slices.DeleteFunc(Table(), func(s Setting) bool { return !slices.Contains(names, s.Name) })
	s, err := parse(table, Merged(defaultLayer(table), envLayer(table, around.LookupEnv), flags))
	if err != nil {
		return Settings{}, Error{err}
	}
	return s, nil
}

// Alone reads settings from values and the defaults alone. values must name the
// node; where the cluster's state comes from is not looked at. Its errors are
// Errors.
func Alone(values Layer) (Settings, error) {
	table := Table()
	values = Merged(defaultLayer(table), values)
	s, err := parse(table, values)
	if err == nil {
		err = s.completeNode(values, Surroundings{}) // there is a node, so nobody is asked
	}
	if err != nil {
		return Settings{}, Error{err}
	}
	return s, nil
}

func parse(table []Setting, values Layer) (Settings, error) {
	s := Settings{Templates: Templates{Owner: -1, Group: -1}}
	for _, row := range table {
		g, ok := values[row.Name]
		if !ok {
			continue
		}
		v := row.bind(&s)
		if v.set(g.Text) {
			continue
		}
		return Settings{}, fmt.Errorf("%s: %q: expected %s%s", g.From, g.Text, v.expects, backends.Guess(g.Text, v.words))
	}
	return s, nil
}
