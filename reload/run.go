package reload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const outputTail = 4096

// tail keeps the end of what is written to it.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if extra := len(t.data) - outputTail; extra > 0 {
		t.data = append(t.data[:0], t.data[extra:]...)
	}
	return len(p), nil
}

// errTooLong is the cause of a command's end where its time was over.
var errTooLong = errors.New("stopped, as it took longer")

// run runs a command in a process group of its own, which is killed as a whole
// after limit or when ctx ends, and returns the end of what it printed. The
// error is an *exec.ExitError where the command ended by itself with a code.
func run(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w than %v", errTooLong, limit))
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			return os.ErrProcessDone
		}
		return nil
	}
	// What a command leaves behind in the background may hold its output open.
	cmd.WaitDelay = time.Second
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return string(out.data), err
}

// shellQuote makes s one word of the shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// exited says that the command ran and ended with a code other than 0.
func exited(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.Exited()
}

// lastLine is the end of what a command printed, without passwords.
func lastLine(out string) string {
	out = strings.TrimSpace(maskSecrets(out))
	return out[strings.LastIndexByte(out, '\n')+1:]
}

var pathWord = regexp.MustCompile(`\{\{\s*\.(src|dest)\s*\}\}`)

// fillPaths puts the paths of a file into a command, in place of {{.src}} and
// {{.dest}}.
func fillPaths(command, src, dest string) string {
	return pathWord.ReplaceAllStringFunc(command, func(word string) string {
		if strings.Contains(word, ".src") {
			return shellQuote(src)
		}
		return shellQuote(dest)
	})
}
