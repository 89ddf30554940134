package reload

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// versions are what programs have said of their versions, by the names they were run
// by. A program is run again where its file is another one.
type versions map[string]saidVersion

// saidVersion is what the program in a file has said.
type saidVersion struct {
	file fingerprint
	said string
}

// of is what "Binary --version" says after "BIRD version"; empty where it says nothing
// like that.
func (v versions) of(ctx context.Context, limit time.Duration, binary string) string {
	file, lasts := programFile(binary)
	if known, ok := v[binary]; ok && lasts && known.file == file {
		return known.said
	}
	delete(v, binary)
	out, _ := run(ctx, limit, binary, "--version")
	_, version, _ := strings.Cut(out, "BIRD version ")
	words := strings.Fields(version)
	if len(words) == 0 {
		return ""
	}
	if lasts {
		v[binary] = saidVersion{file, words[0]}
	}
	return words[0]
}

// programFile is the file that a program is run from. lasts says that the file alone
// makes its version, as long as it is the same: it is no script, which may run any
// other program, and was not changed just now, as the next change may carry the same
// time.
func programFile(binary string) (file fingerprint, lasts bool) {
	path, err := exec.LookPath(binary)
	if err != nil {
		return fingerprint{}, false
	}
	f, err := os.Open(path)
	if err != nil {
		return fingerprint{}, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fingerprint{}, false
	}
	file, ok := fingerprintOf(info)
	magic := make([]byte, len(elf))
	if _, err := io.ReadFull(f, magic); err != nil {
		return fingerprint{}, false
	}
	return file, ok && bytes.Equal(magic, []byte(elf)) && time.Since(time.Unix(file.ctime.Unix())) > printSettles
}

// elf begins the file of a program that the kernel runs by itself.
const elf = "\x7fELF"
