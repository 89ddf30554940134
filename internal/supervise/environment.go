package supervise

import (
	"regexp"
	"slices"
	"strings"
)

// named finds the variables that a command says it uses: $NAME, ${NAME}.
var named = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// plain are the variables that every daemon is given, where there are: what finds
// programs and files, and what language and time it has.
func plain() []string {
	return []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR", "LD_LIBRARY_PATH"}
}

// environment is what of the variables given (NAME=value) the daemon gets: the
// plain ones, and those that its command names. The rest is this program's, with
// the secrets by which it reaches the datastore, and BIRD talks to strangers.
func environment(command string, given []string) []string {
	wanted := plain()
	for _, match := range named.FindAllStringSubmatch(command, -1) {
		wanted = append(wanted, match[1])
	}
	env := []string{} // nil would be all
	for _, variable := range given {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(wanted, name) || strings.HasPrefix(name, "LC_") {
			env = append(env, variable)
		}
	}
	return env
}
