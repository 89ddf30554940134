package serve

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"confd/internal/report"
	"confd/internal/terminal"
)

// readyz says whether the program is ready, or what is missing, a line each.
func (h Handlers) readyz(w http.ResponseWriter, r *http.Request) {
	now := h.Report()
	code, text := http.StatusServiceUnavailable, "starting: nothing is known yet\n"
	switch {
	case now == nil:
	case now.Ready:
		code, text = http.StatusOK, "ready\n"
	case len(now.NotReady) == 0:
		text = "not ready\n"
	default:
		text = strings.Join(now.NotReady, "\n") + "\n"
	}
	if now != nil && r.URL.Query().Has("verbose") {
		text += details(now)
	}
	answer(w, code, terminal.Lines(text))
}

// details are the sources and sets of a report, a line each.
func details(r *report.Report) string {
	var b strings.Builder
	for _, s := range r.Sources {
		word := "in step"
		if !s.InSync {
			word = "out of step"
		}
		line(&b, s.InSync, "source "+s.Name, word, since(s.Since), part("revision", s.Revision), part("server", s.Server.String()), s.Error)
	}
	for _, s := range r.Sets {
		inStep := s.Confirmed != "" && s.Confirmed == s.Installed && s.Confirmed == s.Rendered
		what := "confirmed"
		if !inStep {
			what = stage(s)
		}
		line(&b, inStep, "set "+s.Name, what, part("hash", s.Confirmed), part("revision", s.Revision), since(s.ConfirmedAt),
			part("BIRD", strings.TrimSpace(s.Version+" "+s.State)), s.Error)
		for _, setting := range s.RestartNeeded {
			line(&b, false, "set "+s.Name, "waits for a restart of BIRD: "+setting)
		}
	}
	for _, row := range r.Routes {
		routes(&b, row)
	}
	if r.Stale != nil {
		line(&b, false, "stale", "BIRD runs on what was confirmed "+r.Stale.Confirmed.Format(time.RFC3339))
	}
	if r.Held != nil {
		line(&b, false, "held", r.Held.Why, part("hash", r.Held.Hash))
	}
	return b.String()
}

// routes is a line about the routes of a BIRD.
func routes(b *strings.Builder, r report.Routes) {
	name := "routes " + r.Set
	switch {
	case r.Unknown != "":
		line(b, false, name, "not known", r.Unknown)
	case r.Recovery != nil:
		line(b, false, name, r.Recovery.String())
	case len(r.Faults) > 0:
		line(b, false, name, strconv.Itoa(len(r.Faults))+" faults, the first", r.Faults[0].Text)
	case r.KernelUnknown != "":
		line(b, false, name, "the kernel's are not known", r.KernelUnknown)
	default:
		line(b, true, name, "nothing is wrong", "looked at "+r.At.Format(time.RFC3339))
	}
}

// stage is how far a set has come that BIRD has not confirmed.
func stage(s report.Set) string {
	switch {
	case s.Rendered == "":
		return "not rendered yet"
	case s.Installed != s.Rendered:
		return "rendered, not installed"
	}
	return "installed, not confirmed"
}

// part is a value with its name; empty where there is none.
func part(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "since " + t.Format(time.RFC3339)
}

// line writes one thing, and leaves out the parts that are empty.
func line(b *strings.Builder, good bool, name string, parts ...string) {
	mark := "[-]"
	if good {
		mark = "[+]"
	}
	var words []string
	for _, p := range parts {
		if p != "" {
			words = append(words, strings.ReplaceAll(p, "\n", " "))
		}
	}
	fmt.Fprintf(b, "%s %s: %s\n", mark, name, strings.Join(words, ", "))
}
