package templates

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Fingerprint changes when a file of the configuration folder dir does: when
// its name, size or time of change differs, or one comes or goes. It opens no
// file, and follows symbolic links to files, and those that conf.d and templates
// themselves may be (in a mounted ConfigMap). A folder that is missing counts as
// an empty one.
func Fingerprint(dir string) (string, error) {
	sum := sha256.New()
	for _, sub := range []string{resourceFolder, templateFolder} {
		root, err := filepath.EvalSymlinks(filepath.Join(dir, sub))
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			return "", fmt.Errorf("looking for changes of templates: %w", err)
		}
		err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err):
				return nil
			case err != nil:
				return err
			case d.IsDir() && file != root && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			}
			info, err := os.Stat(file)
			if err != nil {
				fmt.Fprintf(sum, "%q broken\n", file)
				return nil
			}
			if !info.IsDir() {
				fmt.Fprintf(sum, "%q %d %d\n", file, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
		if err != nil {
			return "", fmt.Errorf("looking for changes of templates: %w", err)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}
