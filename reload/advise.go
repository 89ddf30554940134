package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// advise adds what to do to errors of the file system.
func advise(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: free space there", err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount it writable", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: run as a user who may do that", err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: create the folder", err)
	}
	return err
}
