package supervise

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// checkCommand returns the command as it is to stand after the shell's "exec",
// with which BIRD takes the shell's place: signals and the exit code are then
// BIRD's. What "exec" would misunderstand is refused.
func checkCommand(command string) (string, error) {
	command = strings.TrimSpace(command)
	if rest, ok := strings.CutPrefix(command+" ", "exec "); ok {
		command = strings.TrimSpace(rest)
	}
	if command == "" {
		return "", errors.New("no command to run: give one such as bird -f")
	}
	if strings.ContainsRune(command, 0) {
		return "", fmt.Errorf("command %q holds a zero byte", command)
	}
	if assignment.MatchString(command) {
		return "", fmt.Errorf("command %q begins with a variable: write env %s", command, command)
	}
	if at := separator(command); at >= 0 {
		return "", fmt.Errorf("command %q is more than one (see %q): put them into a script that ends with exec, or quote them as in sh -c 'mkdir -p /run/bird && exec bird -f'",
			command, command[at:at+1])
	}
	return command, nil
}

// separator is where, outside quotes, a second command begins; -1: nowhere.
// An ampersand beside > or < is part of a redirection.
func separator(command string) int {
	var quote byte
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '&' && i > 0 && (command[i-1] == '>' || command[i-1] == '<'):
		case strings.IndexByte(";|&\n", c) >= 0:
			return i
		}
	}
	return -1
}
