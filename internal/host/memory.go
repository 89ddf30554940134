package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"confd/internal/foreign"
	"confd/internal/guard"
)

// The file, in BIRD's folder, in which it is written down what the next program must
// know to judge changes as if there had been no end. There are no secrets in it, but
// what salted hashes tell of them: nobody else may read it.
const (
	memoryFile    = ".confd-memory.json"
	memoryMode    = 0o600
	memoryLimit   = 256 << 20 // bytes
	memoryVersion = 1
)

// memoryForm is what is in the file.
type memoryForm struct {
	Version int           `json:"version"`
	Salt    guard.Salt    `json:"salt"`
	Memory  *guard.Memory `json:"memory"`
}

func writeMemory(folder string, m *guard.Memory, salt guard.Salt) error {
	data, err := json.Marshal(memoryForm{memoryVersion, salt, m})
	if err != nil {
		return fmt.Errorf("writing %s: %w", memoryFile, err)
	}
	path := filepath.Join(folder, memoryFile)
	if err := foreign.WriteFile(path, append(data, '\n'), foreign.Attr{Mode: memoryMode, UID: -1, GID: -1}); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// readMemory reads the file; nil where there is none. One of a newer program is not
// understood, and so is none.
func readMemory(folder string) (*guard.Memory, guard.Salt, error) {
	path := filepath.Join(folder, memoryFile)
	data, _, err := foreign.ReadFile(path, memoryLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("what ran before is not known: %w", err)
	}
	var form memoryForm
	if err := json.Unmarshal(data, &form); err != nil {
		return nil, nil, fmt.Errorf("what ran before is not known: %s: %w", path, err)
	}
	if form.Version != memoryVersion {
		return nil, nil, fmt.Errorf("what ran before is not known: %s is of version %d, and this program knows version %d", path, form.Version, memoryVersion)
	}
	return form.Memory, form.Salt, nil
}
