package settings

import (
	"io/fs"
	"log/slog"
	"math"
	"net/netip"
	"os/user"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what a setting's text looks like, as help and reference call it.
type Kind string

// The kinds.
const (
	KindText     Kind = "text"
	KindFile     Kind = "file"
	KindFolder   Kind = "folder"
	KindPath     Kind = "path"
	KindSecret   Kind = "secret"
	KindBool     Kind = "bool"
	KindInt      Kind = "int"
	KindNumber   Kind = "number"
	KindDuration Kind = "duration"
	KindList     Kind = "list"
	KindLines    Kind = "command"
	KindMode     Kind = "mode"
)

// Separator stands between the items of a list; empty where it is no list.
func (k Kind) Separator() string {
	return map[Kind]string{KindList: ",", KindLines: "\n"}[k]
}

// value is the place of one setting: set reads text into it, and says whether
// text is what the setting expects.
type value struct {
	kind    Kind
	expects string
	set     func(text string) bool
	// words are some that it may be, or the items of a list may be. Where they are all,
	// expects says so.
	words []string
	// paths says that the items of a list are paths of files and folders.
	paths bool
}

func text[T ~string](p *T) value {
	return value{kind: KindText, expects: "text", set: func(s string) bool {
		*p = T(strings.TrimSpace(s))
		return true
	}}
}

// file reads the path of a file.
func file(p *string) value { return text(p).of(KindFile) }

// folder reads the path of a folder.
func folder(p *string) value { return text(p).of(KindFolder) }

// of is the same of another kind.
func (v value) of(k Kind) value {
	v.kind = k
	return v
}

// or is the same with words that it may be.
func (v value) or(words ...string) value {
	v.words = words
	return v
}

func password(p *Password) value {
	return value{kind: KindSecret, expects: "text", set: func(s string) bool {
		*p = Password(s)
		return true
	}}
}

// matching reads a text that pattern describes.
func matching(p *string, pattern *regexp.Regexp, expects string) value {
	return value{kind: KindText, expects: expects, set: func(s string) bool {
		*p = strings.TrimSpace(s)
		return pattern.MatchString(*p)
	}}
}

// choice reads one of a few words.
func choice[T ~string](p *T, words ...T) value {
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	return value{kind: KindText, expects: "one of " + strings.Join(names, ", "), set: func(s string) bool {
		*p = T(strings.ToLower(strings.TrimSpace(s)))
		return slices.Contains(words, *p)
	}, words: names}
}

// routerID reads an IPv4 address or "hash"; empty is neither.
func routerID(p *string) value {
	return value{kind: KindText, expects: "an IPv4 address other than 0.0.0.0, or hash", set: func(s string) bool {
		*p = strings.TrimSpace(s)
		a, ok := parsed(netip.ParseAddr(*p))
		return *p == "" || *p == "hash" || ok && a.Is4() && !a.IsUnspecified()
	}, words: []string{"hash"}}
}

func boolean(p *bool) value {
	return value{kind: KindBool, expects: "true or false", set: func(s string) (ok bool) {
		*p, ok = parsed(strconv.ParseBool(strings.TrimSpace(s)))
		return ok
	}, words: []string{"true", "false"}}
}

func whole(p *int) value {
	return value{kind: KindInt, expects: "a whole number, 0 or more", set: func(s string) (ok bool) {
		*p, ok = parsed(strconv.Atoi(strings.TrimSpace(s)))
		return ok && *p >= 0
	}}
}

func number(p *float32) value {
	return value{kind: KindNumber, expects: "a number, 0 or more", set: func(s string) bool {
		f, ok := parsed(strconv.ParseFloat(strings.TrimSpace(s), 32))
		*p = float32(f)
		return ok && f >= 0 // false for NaN, too
	}}
}

// pause reads a duration that may be 0.
func pause(p *time.Duration) value {
	return value{kind: KindDuration, expects: "a duration such as 50ms or 2s, 0 or more", set: func(s string) (ok bool) {
		*p, ok = parsed(time.ParseDuration(strings.TrimSpace(s)))
		return ok && *p >= 0
	}}
}

// restartWait reads a duration of whole seconds, as BIRD has it.
func restartWait(p *time.Duration) value {
	return value{kind: KindDuration, expects: "a duration of whole seconds such as 60s, 1h at most", set: func(s string) (ok bool) {
		*p, ok = parsed(time.ParseDuration(strings.TrimSpace(s)))
		return ok && *p >= 0 && *p <= time.Hour && *p%time.Second == 0
	}}
}

// pauseOrAuto reads a duration that may be 0, or the word that leaves it to the
// program.
func pauseOrAuto(p *time.Duration) value {
	v := pause(p)
	return value{kind: KindDuration, expects: v.expects + ", or auto", set: func(s string) bool {
		if strings.TrimSpace(s) == "auto" {
			*p = Auto
			return true
		}
		return v.set(s)
	}, words: []string{"auto"}}
}

// limit reads a duration that may not be 0.
func limit(p *time.Duration) value {
	return value{kind: KindDuration, expects: "a duration such as 30s or 2m, more than 0", set: func(s string) (ok bool) {
		*p, ok = parsed(time.ParseDuration(strings.TrimSpace(s)))
		return ok && *p > 0
	}}
}

// paths reads a list of paths.
func paths(p *[]string) value {
	v := list(p)
	v.paths = true
	return v
}

func list(p *[]string) value {
	return value{kind: KindList, expects: "a list, comma separated", set: func(s string) bool {
		*p = splitList(s)
		return true
	}}
}

// readiness reads what counts; none is nothing.
func readiness(p *[]Readiness) value {
	return value{kind: KindList, expects: "recovery, sessions and routes, comma separated, or none", set: func(s string) bool {
		*p = nil
		for _, word := range splitList(strings.ToLower(s)) {
			switch r := Readiness(word); r {
			case ReadyRecovery, ReadySessions, ReadyRoutes:
				*p = append(*p, r)
			case "none":
			default:
				return false
			}
		}
		return true
	}, words: []string{string(ReadyRecovery), string(ReadySessions), string(ReadyRoutes), "none"}}
}

// lines reads texts that may have commas in them: each stands on a line.
func lines(p *[]string) value {
	return value{kind: KindLines, expects: "commands, one on a line", set: func(s string) bool {
		*p = nil
		for item := range strings.Lines(s) {
			if item = strings.TrimSpace(item); item != "" {
				*p = append(*p, item)
			}
		}
		return true
	}}
}

func cidrs(p *[]netip.Prefix) value {
	return value{kind: KindList, expects: "a list of CIDRs such as 10.96.0.0/12, comma separated", set: func(s string) bool {
		*p = nil
		for _, item := range splitList(s) {
			c, err := netip.ParsePrefix(item)
			if err != nil {
				return false
			}
			*p = append(*p, c.Masked())
		}
		return true
	}}
}

func mode(p *fs.FileMode) value {
	return value{kind: KindMode, expects: "permission bits in octal, such as 0640", set: func(s string) bool {
		n, ok := parsed(strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(s), "0o"), 8, 32))
		*p = fs.FileMode(n)
		return ok && n > 0 && n <= 0o777 // without any bit the set would get its usual mode
	}}
}

// logLevel notes in given that somebody gave one.
func logLevel(p *slog.Level, given *bool) value {
	return value{kind: KindText, expects: "one of debug, info, warn, error", set: func(s string) bool {
		level, ok := map[string]slog.Level{
			"debug": slog.LevelDebug, "info": slog.LevelInfo,
			"warn": slog.LevelWarn, "error": slog.LevelError,
		}[strings.ToLower(strings.TrimSpace(s))]
		*p, *given = level, true
		return ok
	}, words: []string{"debug", "info", "warn", "error"}}
}

func userID(p *int) value {
	return value{kind: KindText, expects: "a number, or the name of a user that this machine has", set: account(p, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})}
}

func groupID(p *int) value {
	return value{kind: KindText, expects: "a number, or the name of a group that this machine has", set: account(p, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})}
}

// largestID is the last one that a user or group can have; the one after it means none.
const largestID = math.MaxUint32 - 1

// account reads an ID, or a name that lookup turns into one. No text is -1,
// which leaves a file's owner as it is.
func account(p *int, lookup func(name string) (string, error)) func(string) bool {
	return func(s string) (ok bool) {
		s = strings.TrimSpace(s)
		if s == "" {
			*p = -1
			return true
		}
		if *p, ok = parsed(strconv.Atoi(s)); ok {
			return *p >= 0 && *p <= largestID
		}
		id, err := lookup(s)
		if err != nil {
			return false
		}
		*p, ok = parsed(strconv.Atoi(id))
		return ok
	}
}

func parsed[T any](v T, err error) (T, bool) { return v, err == nil }

// splitList splits at commas; blanks around items, and empty items, are dropped.
func splitList(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// isNone is how Calico's manifests say that a variable is not set.
func isNone(text string) bool { return strings.EqualFold(strings.TrimSpace(text), "none") }
