package reload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What somebody else wrote is kept, once, as it was. What we wrote is not.
func TestOriginals(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("giving files to others takes root")
	}
	ctx, dir := testContext(t), testFolder(t)
	binary := birdBinary(t, "2.0.12/bird")
	main := filepath.Join(dir, "bird.cfg")
	orig := main + originalSuffix
	const nobody = 65534
	a := New(Options{Logger: testLogger(t)})
	apply := func(text string) {
		t.Helper()
		if _, err := a.Apply(ctx, set([]File{file(main, small+text)}, main, filepath.Join(dir, "s"), binary)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(text string) {
		t.Helper()
		info, err := os.Lstat(orig)
		switch {
		case text == "":
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("there is a copy: %v", err)
			}
			return
		case err != nil:
			t.Fatal(err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		if read(t, orig) != text || info.Mode() != 0o604 || owner.Uid != nobody || owner.Gid != nobody {
			t.Errorf("%q, %v, user %d, group %d", read(t, orig), info.Mode(), owner.Uid, owner.Gid)
		}
	}
	byHand := func(text string) {
		t.Helper()
		write(t, main, text)
		must(t, errors.Join(os.Chown(main, nobody, nobody), os.Chmod(main, 0o604)))
	}
	restart := func() { a = New(Options{Logger: testLogger(t)}) }

	apply("# 1") // over nothing
	apply("# 2")
	restart()
	apply("# 3")
	want("")
	byHand("# edited while it runs")
	apply("# 4")
	want("")
	restart()
	byHand("# edited while it does not")
	apply("# 5")
	want("# edited while it does not")
	restart()
	byHand("# and once more")
	apply("# 6")
	want("# edited while it does not")

	must(t, os.Remove(orig))
	must(t, os.Symlink(filepath.Join(dir, "elsewhere"), orig))
	restart()
	byHand("# with a link there")
	apply("# 7")
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("a link was followed")
	}
}

// Without the copy the file stays in its place.
func TestOriginalCannotBeKept(t *testing.T) {
	t.Parallel()
	ctx, dir := testContext(t), testFolder(t)
	main := filepath.Join(dir, strings.Repeat("x", 253))
	write(t, main, "# by hand\n")
	a := New(Options{Logger: testLogger(t)})
	_, err := a.Apply(ctx, set([]File{file(main, small)}, main, filepath.Join(dir, "s"), birdBinary(t, "2.0.12/bird")))
	if !errors.Is(err, syscall.ENAMETOOLONG) || read(t, main) != "# by hand\n" {
		t.Errorf("%v; %q", err, read(t, main))
	}
}
