package templates

import "strings"

// outline is a BIRD file in lines, and which blocks they stand in. Lines count
// from 0.
type outline struct {
	lines []string
	// inner is, for each line, the line that opened the innermost block that is
	// open where the line begins; -1 for none. It has one more element than lines.
	inner []int
}

func newOutline(file []byte) outline {
	o := outline{lines: strings.Split(string(file), "\n")}
	var open []int
	comment := false // a comment of several lines is open
	for i := range o.lines {
		o.inner = append(o.inner, last(open))
		open, comment = braces(o, i, open, comment)
	}
	o.inner = append(o.inner, last(open))
	return o
}

func last(open []int) int {
	if len(open) == 0 {
		return -1
	}
	return open[len(open)-1]
}

// braces goes through line i, and returns which blocks are open behind it.
func braces(o outline, i int, open []int, comment bool) ([]int, bool) {
	text := o.lines[i]
	for k := 0; k < len(text); k++ {
		rest := text[k:]
		switch {
		case comment:
			end := strings.Index(rest, "*/")
			if end < 0 {
				return open, true
			}
			comment = false
			k += end + 1
		case rest[0] == '#':
			return open, false
		case strings.HasPrefix(rest, "/*"):
			comment = true
			k++
		case rest[0] == '"' || rest[0] == '\'':
			// A string that does not end is what may be wrong: it is passed over.
			k += strings.IndexByte(rest[1:], rest[0]) + 1
		case rest[0] == '{':
			open = append(open, o.headOf(i))
		case rest[0] == '}' && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	return open, comment
}

// headOf is the line that names the block that line i opens: the one before
// where the brace stands alone.
func (o outline) headOf(i int) int {
	if i > 0 && strings.TrimSpace(o.lines[i]) == "{" {
		return i - 1
	}
	return i
}

// heads are the lines that opened the blocks around line i, innermost first;
// the line itself is among them where it opens one.
func (o outline) heads(i int) []int {
	var out []int
	if o.inner[i+1] == i {
		out = append(out, i)
	}
	for h := o.inner[i]; h >= 0; h = o.inner[h] {
		out = append(out, h)
	}
	return out
}

// block are the lines of the outermost block around line i, and its head; the
// line alone where it stands in none.
func (o outline) block(i int) (head string, lines []string) {
	heads := o.heads(i)
	if len(heads) == 0 {
		return o.lines[i], o.lines[i : i+1]
	}
	top := heads[len(heads)-1]
	end := i + 1
	for end < len(o.lines) && o.inner[end] >= 0 {
		end++
	}
	return o.lines[top], o.lines[top:end]
}

// before is the last line before i that says something; -1 where none does.
func (o outline) before(i int) int {
	for i--; i >= 0; i-- {
		if text := strings.TrimSpace(o.lines[i]); text != "" && !strings.HasPrefix(text, "#") {
			return i
		}
	}
	return -1
}
