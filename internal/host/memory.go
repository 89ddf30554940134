package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"confd/internal/agent"
	"confd/internal/foreign"
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
	Version int `json:"version"`
	agent.Knowledge
}

func writeMemory(folder string, k agent.Knowledge) error {
	data, err := json.Marshal(memoryForm{memoryVersion, k})
	if err != nil {
		return fmt.Errorf("writing %s: %w", memoryFile, err)
	}
	path := filepath.Join(folder, memoryFile)
	if err := foreign.WriteFile(path, append(data, '\n'), foreign.Attr{Mode: memoryMode, UID: -1, GID: -1}); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// readMemory reads the file; nothing where there is none. One of a newer program is not
// understood, and so is none.
func readMemory(folder string) (agent.Knowledge, error) {
	path := filepath.Join(folder, memoryFile)
	data, _, err := foreign.ReadFile(path, memoryLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return agent.Knowledge{}, nil
	}
	if err != nil {
		return agent.Knowledge{}, fmt.Errorf("what ran before is not known: %w", err)
	}
	var form memoryForm
	if err := json.Unmarshal(data, &form); err != nil {
		return agent.Knowledge{}, fmt.Errorf("what ran before is not known: %s: %w", path, err)
	}
	if form.Version != memoryVersion {
		return agent.Knowledge{}, fmt.Errorf("what ran before is not known: %s is of version %d, and this program knows version %d", path, form.Version, memoryVersion)
	}
	return form.Knowledge, nil
}
