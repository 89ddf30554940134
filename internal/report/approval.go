package report

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"confd/internal/foreign"
)

// Approval begins the name of a file in BIRD's folder by which somebody approves
// what is held; the hold's token follows. Whoever may write to the folder may
// approve.
const Approval = ".confd-approved-"

// tokens are what names a hold, in no more than longestToken bytes.
var tokens = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

const longestToken = 100

func isToken(text string) bool { return len(text) <= longestToken && tokens.MatchString(text) }

// NewToken names a hold that begins. No other has that name, be the clock set as it
// may.
func NewToken() string { return rand.Text()[:16] }

// Approve has the program go ahead with what it holds. The error says what to do
// where whoever asks may not write to the folder.
func Approve(folder string, held Held) error {
	if !isToken(held.Token) {
		return fmt.Errorf("approving: the report names the hold %q, which is no name of one: was it written by this version of the program?", held.Token)
	}
	err := approve(folder, held.Token)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: it takes the right to write to %s: run this as root, or as the user that the program runs as", err, folder)
	}
	if err != nil {
		return fmt.Errorf("approving: %w", err)
	}
	return nil
}

func approve(folder, token string) error {
	d, err := foreign.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Create(Approval+token, func(*os.File) error { return nil })
	if errors.Is(err, fs.ErrExist) && approved(d, token) { // by somebody else, a moment ago
		return nil
	}
	return err
}

// Approved says whether the hold of that token was approved. What cannot be looked
// at is not.
func Approved(folder, token string) bool {
	d, err := foreign.Open(folder)
	if err != nil {
		return false
	}
	defer d.Close()
	return approved(d, token)
}

func approved(d *foreign.Folder, token string) bool {
	info, err := d.Lstat(Approval + token)
	return isToken(token) && err == nil && info.Mode().IsRegular()
}

// Forget takes all approvals away. It is for when nothing is held: they are of
// holds that are over. One that stays approves nothing any more.
func Forget(folder string) {
	d, err := foreign.Open(folder)
	if err != nil {
		return
	}
	defer d.Close()
	entries, err := d.Entries()
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), Approval) && !e.IsDir() {
			_ = d.Remove(e.Name())
		}
	}
}
